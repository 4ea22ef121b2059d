"""The server's numbers as Prometheus metrics, made when they are asked for.

The rooms count in plain integers and know nothing of metrics: here each of their
readings has its name, its kind and what it means. docs/operations.md is made from
the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from rtcsig.door.histogram import Histogram
from rtcsig.door.ledger import Reading

__all__ = ["CATALOGUE", "DISTRIBUTIONS", "Kind", "Metrics", "Named"]


class Kind(StrEnum):
    """What Prometheus does with a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Named:
    """A metric: its name as it is scraped, its kind, what it means, its labels."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


def _counter(name: str, text: str, *labels: str) -> Named:
    return Named(f"rtcsig_{name}_total", Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Named:
    return Named(f"rtcsig_{name}", Kind.GAUGE, text, labels)


def _histogram(name: str, text: str) -> Named:
    return Named(f"rtcsig_{name}", Kind.HISTOGRAM, text)


# By the names of the readings.
CATALOGUE: Mapping[str, Named] = MappingProxyType(
    {
        "connections": _gauge(
            "connections", "Connections now, by state; open ones by dialect.", "state", "dialect"
        ),
        "max_connections": _gauge("max_connections", "The most connections at once."),
        "peers": _gauge("peers", "Peer ids that are taken now, by mount.", "mount"),
        "away_peers": _gauge(
            "peers_away", "Peers whose connection was lost and whose grace is not over.", "mount"
        ),
        "held_messages": _gauge("messages_held", "Messages held for peers who are not there."),
        "kept_bytes": _gauge(
            "kept_bytes", "What counts against --max-kept-bytes: those messages, and places."
        ),
        "queued_bytes": _gauge(
            "queued_bytes", "Bytes queued for peers, which the kernel has not taken yet."
        ),
        "lag_s": _gauge("reactor_lag_now_seconds", "How late the last timer was."),
        "descriptors": _gauge("descriptors", "Descriptors in use; counted every five seconds."),
        "descriptor_limit": _gauge("descriptor_limit", "The most descriptors (RLIMIT_NOFILE)."),
        "not_ready": _gauge(
            "not_ready", "1 for each reason for which newcomers are not taken.", "reason"
        ),
        "restarts": _gauge("restarts", "How often the supervisor has started the server anew."),
        "certificates": _gauge(
            "certificate_not_after_seconds",
            "When a listener's TLS certificate ends, in seconds since 1970.",
            "listener",
        ),
        "build_info": _gauge("build_info", "1, with versions.", "version", "twisted", "autobahn"),
        "numbered": _counter("connections_accepted", "Connections that the kernel handed over."),
        "opened": _counter("upgrades", "WebSockets that were opened.", "dialect"),
        "refusals": _counter(
            "refusals", "Requests that were refused, by HTTP status and reason.", "status", "reason"
        ),
        "messages": _counter(
            "messages", "Messages, in from peers and out to them.", "dialect", "direction"
        ),
        "bytes": _counter(
            "bytes", "Bytes of WebSockets, in from peers and out to them.", "dialect", "direction"
        ),
        "dropped_messages": _counter(
            "messages_dropped", "Messages for a peer that were not sent, by reason.", "reason"
        ),
        "absent_outcomes": _counter(
            "messages_to_absent",
            "Messages to peers who were not there, by what became of them.",
            "outcome",
        ),
        "unheard_outcomes": _counter(
            "outcomes_unheard", "Such outcomes whose sender was gone too when they were known."
        ),
        "closes": _counter("closes", "WebSockets that the server closed, by close code.", "code"),
        "timeouts": _counter(
            "timeouts", "Connections that ended for being late, by what was awaited.", "reason"
        ),
        "excesses": _counter(
            "excesses", "Connections that ended for too much, by what was too much.", "reason"
        ),
        "set_up_failures": _counter(
            "set_up_failures",
            "Connections whose set-up failed, by stage and errno.",
            "stage",
            "error",
        ),
        "callback_failures": _counter(
            "callback_failures",
            "Faults of the server's code that cost one connection, by stage and exception.",
            "stage",
            "error",
        ),
        "accept_errors": _counter(
            "accept_errors", "Errors of accept(2) by errno, other than nobody waits.", "error"
        ),
        "accept_pauses": _counter(
            "accept_pauses", "Pauses of a listener, whose newcomers wait, by reason.", "reason"
        ),
        "dropped_log_lines": _counter(
            "log_lines_dropped", "Log lines that were not written, by reason.", "reason"
        ),
    }
)
DISTRIBUTIONS: Mapping[str, Named] = MappingProxyType(
    {
        "round_trips_s": _histogram(
            "ping_round_trip_seconds", "From a ping to the peer's pong, peers that are busy too."
        ),
        "lags_s": _histogram("reactor_lag_seconds", "How late timers are, four times a second."),
    }
)


class Metrics(Collector):
    """All metrics of one server: its own, the process's and the garbage collector's."""

    def __init__(
        self,
        readings: Callable[[], Iterable[Reading]],
        distributions: Callable[[], Mapping[str, Histogram]],
    ) -> None:
        self._readings = readings
        self._distributions = distributions
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type, in the format that ``accept`` asks for."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks for."""
        families = {name: _family(named) for name, named in CATALOGUE.items()}
        for reading in self._readings():
            families[reading.name].add_metric(list(reading.labels.values()), reading.value)
        yield from families.values()
        for name, histogram in self._distributions().items():
            yield _distribution(DISTRIBUTIONS[name], histogram)


def _family(named: Named) -> CounterMetricFamily | GaugeMetricFamily:
    if named.kind is Kind.COUNTER:
        return CounterMetricFamily(
            named.name.removesuffix("_total"), named.help, None, named.labels
        )
    return GaugeMetricFamily(named.name, named.help, labels=named.labels)


def _distribution(named: Named, histogram: Histogram) -> Metric:
    buckets = [
        (str(bound), count)
        for bound, count in zip(histogram.bounds, histogram.up_to(), strict=True)
    ]
    buckets.append(("+Inf", histogram.count))
    return HistogramMetricFamily(named.name, named.help, buckets=buckets, sum_value=histogram.sum)
