"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CASES", "IDLE_BESIDE", "Case"]

_MEMORY_CONNECTIONS = 10_000
_MEMORY_CONNECTIONS_TLS = 2_000  # whose handshakes take their time
IDLE_BESIDE = 5_000
_UPGRADES_AT_ONCE = 64
_MESSAGES_PER_S = 50


@dataclass(frozen=True)
class Case:
    """One thing to measure: what the load generator does, and which figure of it counts."""

    name: str
    title: str
    unit: str
    figure: str
    load: tuple[str, ...]
    less_is_better: bool = False
    tls: bool = False


def _relay(connections: int, size: int, in_flight: int, *, tls: bool = False) -> Case:
    return Case(
        f"relay-{connections}-{size}-{in_flight}" + ("-tls" if tls else ""),
        f"Relay: {connections:,} connections, {size:,} bytes, {in_flight} in flight"
        + (", TLS" if tls else ""),
        "messages/s",
        "messages_per_s",
        (
            "relay", "--connections", str(connections), "--bytes", str(size),
            "--in-flight", str(in_flight),
        ),
        tls=tls,
    )  # fmt: skip


def _latency(idle: int, *, tls: bool = False) -> Case:
    return Case(
        f"latency-{idle}" + ("-tls" if tls else ""),
        f"Latency, 99th percentile: 100 clients, {_MESSAGES_PER_S} messages/s each, "
        f"{idle:,} idle connections beside" + (", TLS" if tls else ""),
        "µs",
        "p99_us",
        (
            "latency", "--connections", "100", "--bytes", "300", "--rate", str(_MESSAGES_PER_S),
            "--idle", str(idle),
        ),
        less_is_better=True,
        tls=tls,
    )  # fmt: skip


def _upgrades(*, tls: bool = False) -> Case:
    return Case(
        "upgrades" + ("-tls" if tls else ""),
        f"Upgrades, {_UPGRADES_AT_ONCE} at a time" + (", TLS" if tls else ""),
        "upgrades/s",
        "upgrades_per_s",
        ("upgrades", "--connections", str(_UPGRADES_AT_ONCE)),
        tls=tls,
    )


def _memory(*, tls: bool = False) -> Case:
    connections = _MEMORY_CONNECTIONS_TLS if tls else _MEMORY_CONNECTIONS
    return Case(
        "memory" + ("-tls" if tls else ""),
        f"Memory for each of {connections:,} idle connections" + (", TLS" if tls else ""),
        "bytes",
        "bytes_per_connection",
        ("idle", "--connections", str(connections)),
        less_is_better=True,
        tls=tls,
    )


# Memory first: what was served before leaves its mark on a process.
CASES = (
    _memory(),
    *(
        _relay(connections, size, in_flight)
        for connections in (100, 2_000)
        for size in (100, 300, 4_096)
        for in_flight in (1, 8)
    ),
    Case(
        "burst",
        "Burst: 99 clients send to one, 300 bytes, 8 in flight",
        "messages/s",
        "messages_per_s",
        ("burst", "--connections", "100", "--bytes", "300", "--in-flight", "8"),
    ),
    _upgrades(),
    _latency(0),
    _latency(IDLE_BESIDE),
    _memory(tls=True),
    _relay(100, 300, 1, tls=True),
    _relay(100, 300, 8, tls=True),
    _upgrades(tls=True),
    _latency(0, tls=True),
)
