"""The numbers as Prometheus reads them."""

from __future__ import annotations

import re

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as open_metrics_families,
)
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.testing import MemoryReactorClock

from rtcsig.door.histogram import Histogram
from rtcsig.door.ledger import Reading
from rtcsig.hub import Code
from rtcsig.ops.metrics import CATALOGUE, DISTRIBUTIONS, Kind, Metrics
from rtcsig.server import SignallingService
from rtcsig.settings import Settings

# What only a listener for TLS has.
ELSEWHERE = {"certificates"}
NAMED = {**CATALOGUE, **DISTRIBUTIONS}
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def counted() -> SignallingService:
    """A server to which everything has happened that is counted."""
    service = SignallingService(Settings(), MemoryReactorClock())
    ledger = service.house.ledger
    ledger.max_connections = ledger.descriptors = ledger.descriptor_limit = 1
    for name in ("set_up_failures", "callback_failures"):
        getattr(ledger, name)["stage", "Error"] += 1
    ledger.refusals[503, "full"] += 1
    for name in ("accept_errors", "accept_pauses", "timeouts", "excesses"):
        getattr(ledger, name)["why"] += 1
    for name in ("dropped_messages", "dropped_log_lines"):
        getattr(ledger, name)["why"] += 1
    ledger.closes[1000] += 1
    service.vitals._hub.keeping.outcomes[Code.DELIVERED] += 1
    ledger.has_opened("echo")
    ledger.has_ended("echo", NOTHING)
    return service


class NOTHING:
    """What a connection said that said nothing."""

    messages_in = bytes_in = messages_out = bytes_out = 0


def test_every_reading_has_its_row():
    """With as many labels as the table has for it, and every row is read by somebody."""
    read = {}
    for reading in counted().vitals.readings():
        assert len(reading.labels) == len(CATALOGUE[reading.name].labels), reading
        read.setdefault(reading.name, reading)
    assert CATALOGUE.keys() - read.keys() == ELSEWHERE
    assert counted().vitals.distributions().keys() == DISTRIBUTIONS.keys()


def test_a_label_is_what_it_is_called():
    """The names of a reading's labels are those of the table, in its order."""
    for reading in counted().vitals.readings():
        assert tuple(reading.labels) == CATALOGUE[reading.name].labels, reading


@pytest.mark.parametrize("named", NAMED.values(), ids=lambda named: named.name)
def test_names_and_sentences_keep_to_the_rules(named):
    """Of Prometheus: one prefix, base units in the name, ``_total`` for counters only."""
    assert re.fullmatch(r"rtcsig_[a-z_]+", named.name)
    assert named.name.endswith("_total") is (named.kind is Kind.COUNTER)
    assert re.fullmatch(r"[A-Z0-9].*\.", named.help)
    if named.kind is Kind.HISTOGRAM:
        assert named.name.endswith("_seconds")


@pytest.mark.parametrize(
    ("accept", "parse"),
    [("", text_string_to_metric_families), (OPEN_METRICS, open_metrics_families)],
)
def test_both_formats_can_be_read(accept, parse):
    """Each metric is there with its kind, and those of the process are, too."""
    service = counted()
    metrics = Metrics(service.vitals.readings, service.vitals.distributions)
    body, content_type = metrics.exposition(accept)
    families = {family.name: family for family in parse(body.decode())}
    for named in NAMED.values():
        assert families[named.name.removesuffix("_total")].type == named.kind
    assert families["process_resident_memory_bytes"].samples[0].value > 0
    assert ("openmetrics" in content_type) is bool(accept)


def test_a_distribution_is_cumulative():
    """Each bucket holds those before it, and the last one all."""
    histogram = Histogram(0.1, 1.0)
    for value in (0.05, 0.5, 0.5, 7.0):
        histogram.add(value)
    metrics = Metrics(list, lambda: {"lags_s": histogram})
    text = metrics.exposition("")[0].decode()
    for line in (
        'rtcsig_reactor_lag_seconds_bucket{le="0.1"} 1.0',
        'rtcsig_reactor_lag_seconds_bucket{le="1.0"} 3.0',
        'rtcsig_reactor_lag_seconds_bucket{le="+Inf"} 4.0',
        "rtcsig_reactor_lag_seconds_count 4.0",
        "rtcsig_reactor_lag_seconds_sum 8.05",
    ):
        assert f"{line}\n" in text


def test_a_number_is_read_when_it_is_asked_for():
    """Nothing is kept between two scrapes."""
    values = iter([1, 2])
    metrics = Metrics(lambda: [Reading("numbered", {}, next(values))], dict)
    for value in ("1.0", "2.0"):
        assert f"rtcsig_connections_accepted_total {value}\n" in metrics.exposition("")[0].decode()
