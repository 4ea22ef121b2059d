"""Prometheus, which reads the metrics of a server that has seen all kinds of things."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.interop.clients import Client
from tests.operations.load import Load
from tests.support.peer import CLOSE, Peer
from tests.support.server import ServerProcess, wait_until

TESTS = Path(__file__).parents[1]
FAULTS = (
    TESTS / "operations" / "faults" / "first_has_no_peer.py",
    TESTS / "process" / "faults" / "session_raises.py",
)
OPENMETRICS = "application/openmetrics-text"
PAIRS = 3
_TIMEOUT_S = 15.0
_CONFIGURATION = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: rtcsig
  static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def get(port: int, path: str, **fields: str) -> tuple[str, str]:
    """The content type and the body of a page, which must be there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)) as connection:
        connection.request("GET", path, headers=fields)
        answer = connection.getresponse()
        body = answer.read().decode()
    assert answer.status == 200, (answer.status, body)
    return answer.getheader("Content-Type"), body


def scraped(port: int, accept: str = "") -> tuple[str, str]:
    """The content type and the text of the metrics, in the format that is asked for."""
    return get(port, "/metrics", **({"Accept": accept} if accept else {}))


def samples(families: Iterable[Any]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """The values by name and labels; two of the same are a mistake."""
    found = [
        ((sample.name, frozenset(sample.labels.items())), sample.value)
        for family in families
        for sample in family.samples
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def value(port: int, name: str, **labels: str) -> float:
    """The sum of what is scraped with this name and at least these labels."""
    _, text = scraped(port)
    return sum(
        each
        for (has, have), each in samples(text_string_to_metric_families(text)).items()
        if has == name and labels.items() <= have
    )


def provoke(server: ServerProcess) -> None:
    """Let one connection fail in its set-up, one meet a bug, one break the rules."""
    # A reset can be so early that connect(2) itself reports it.
    with suppress(ConnectionResetError), Peer(server.port) as gone:
        gone.wait_for_end()
    with Peer(server.port, "/eve/bad-opened") as eve:
        assert eve.receive_frame().close_code == 1011
    with Peer(server.port, "/mallory") as mallory:
        mallory.send_frame(CLOSE, b"\x03")
        assert mallory.receive_frame().close_code == 1002


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server that has met faults, with a load that it carries."""
    pings = "--ping-interval-s=0.2"
    with ExitStack() as stack:
        running = stack.enter_context(ServerProcess(pings, patch=FAULTS))
        provoke(running)
        stack.enter_context(Load(running.port, PAIRS))
        for name in (
            "rtcsig_messages_total", "rtcsig_refusals_total", "rtcsig_ping_round_trip_seconds_count"
        ):  # fmt: skip
            wait_until(lambda name=name: value(running.port, name), what=f"{name} counts")
        yield running


@pytest.mark.needs("promtool")
def test_promtool_has_nothing_to_say(server):
    """The metrics can be read, and are named and described as metrics should be."""
    kind, text = scraped(server.port)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_formats_say_the_same(server):
    """OpenMetrics, read by the rules, has the metrics of the plain text under the same names."""
    kind, strict = scraped(server.port, OPENMETRICS)
    assert kind.startswith(f"{OPENMETRICS}; version=1.0.0")
    assert strict.endswith("# EOF\n")
    _, plain = scraped(server.port)
    read = samples(openmetrics.text_string_to_metric_families(strict))
    assert read.keys() == samples(text_string_to_metric_families(plain)).keys()


class Prometheus(Client):
    """A Prometheus that scrapes one server each second, and forgets all in the end."""

    def __init__(self, folder: Path, target_port: int) -> None:
        configuration = folder / "prometheus.yml"
        configuration.write_text(_CONFIGURATION.format(port=target_port))
        self.port = _free_port()
        command = (
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            "--storage.tsdb.retention.time=1h",
            "--storage.tsdb.retention.size=64MB",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        super().__init__(command, {}, folder / "prometheus.log")

    def ask(self, path: str, **query: str) -> Any:
        """What its interface answers; None as long as it does not listen or is not ready."""
        try:
            _, body = get(self.port, f"/api/v1/{path}?{urlencode(query)}")
        except (ConnectionRefusedError, AssertionError):
            return None
        return json.loads(body)["data"]

    def value(self, expression: str) -> float | None:
        """The value of an expression with one result; None as long as there is none."""
        found = self.ask("query", query=expression)
        return float(found["result"][0]["value"][1]) if found and found["result"] else None

    def wait_for(self, expression: str) -> float:
        """Wait until there is a value above 0."""
        try:
            return wait_until(lambda: self.value(expression), what=expression)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self}") from None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.needs("prometheus")
def test_prometheus_scrapes(server, tmp_path):
    """The server is up, and its figures are those of the load and the faults."""
    with Prometheus(tmp_path, server.port) as prometheus:
        assert prometheus.wait_for('up{job="rtcsig"}') == 1
        assert prometheus.wait_for('rtcsig_connections{state="open"}') == 2 * PAIRS
        assert prometheus.wait_for('rtcsig_set_up_failures_total{error="ENOTCONN"}') == 1
        assert prometheus.wait_for("rtcsig_callback_failures_total") == 1
        assert prometheus.wait_for('rtcsig_closes_total{code="1002"}') == 1
        assert prometheus.wait_for("rate(rtcsig_messages_total{direction='in'}[1m])") > 0
        buckets = "rate(rtcsig_ping_round_trip_seconds_bucket[1m])"
        assert prometheus.wait_for(f"histogram_quantile(0.5, {buckets})") > 0
        # Under this name a counter is described in OpenMetrics, which is what Prometheus asks for.
        described = prometheus.ask("metadata", metric="rtcsig_upgrades")
        assert described["rtcsig_upgrades"][0]["type"] == "counter"
        targets = prometheus.ask("targets")["activeTargets"]
        assert [(each["health"], each["lastError"]) for each in targets] == [("up", "")]
