"""All misbehaviours at once for some minutes: nothing stays behind, and nobody else notices.

``MINUTES`` says how long, ``CONNECTIONS`` how many are reset right after connect.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.control import Control
from tests.support.log import unexpected
from tests.support.server import BOOKS, ServerProcess, wait_until

MINUTES = float(os.environ.get("MINUTES") or 1)
CONNECTIONS = int(os.environ.get("CONNECTIONS") or 50_000)
ACTS_PER_S = 300
SEED = 35
# The first minute, or half of a shorter time, fills caches and pools.
WARM_UP_S = min(60.0, 30 * MINUTES)
MAX_GROWTH_BYTES = 16 * 1024 * 1024
MAX_DESCRIPTORS = 2
RESETTERS = 3
RESETS_PER_S = 1500  # of each
SETTLED_S = 60.0
FLAGS = (
    "--open-timeout-s=2", "--ping-interval-s=3", "--pong-timeout-s=2", "--close-timeout-s=2",
    "--slow-reader-timeout-s=2", "--max-connections-per-address=25", "--max-message-rate=1000",
    "--log-format=json",
)  # fmt: skip


def program(name: str, *arguments: object) -> subprocess.Popen[str]:
    """A program of this folder beside the test."""
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.soak.{name}", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def output_of(running: subprocess.Popen[str]) -> str:
    """What a program says, when it has come to its end."""
    output, _ = running.communicate()
    assert running.returncode == 0
    return output


def settled(server: ServerProcess, base: int) -> None:
    """Wait until only the control clients are left."""
    wait_until(
        lambda: abs(server.descriptors() - base) <= MAX_DESCRIPTORS, SETTLED_S, "all have gone"
    )


def told(record_property, **figures: object) -> None:
    """Print figures, and put them into the report."""
    for name, figure in figures.items():
        record_property(name, figure)
        print(f"{name}: {figure}")


def test_all_misbehaviours_at_once(record_property):
    """Descriptors, memory and objects come back, and no control client misses a message."""
    with ServerProcess(*FLAGS, patch=BOOKS) as server, Control(server.port) as control:
        base = server.descriptors()
        output_of(program("hostile", server.port, WARM_UP_S, ACTS_PER_S, SEED))
        settled(server, base)
        warm_bytes = server.resident_bytes()
        rest_s = max(60 * MINUTES - WARM_UP_S, 0.0)
        played = json.loads(
            output_of(program("hostile", server.port, rest_s, ACTS_PER_S, SEED + 1))
        )
        settled(server, base)
        grown_bytes = server.resident_bytes() - warm_bytes
        books = server.books()
        descriptors = server.descriptors() - base
    window = control.window()
    told(
        record_property,
        minutes=MINUTES,
        connections=books.sum("numbered"),
        connections_per_s=round(books.sum("numbered") / (60 * MINUTES)),
        acts=sum(played["begun"].values()),
        ended=played["ended"],
        descriptors_more_than_before=descriptors,
        memory_after_warm_up_mib=round(warm_bytes / 1048576, 2),
        memory_growth_mib=round(grown_bytes / 1048576, 2),
        connection_objects=books.connection_objects(),
        connections_open=books.sum("connections"),
        control_messages=len(window.latencies_s),
        control_missed=window.missed,
        control_p50_ms=round(window.quantile_ms(0.5), 2),
        control_p99_ms=round(window.quantile_ms(0.99), 2),
        refusals=books.sum("refusals"),
        refused_429=books.sum("refusals", status="429"),
        closes=books.sum("closes"),
        excesses=books.sum("excesses"),
    )
    assert (window.missed, window.repeated, control.lost_connections) == (0, 0, 0)
    assert books.connection_objects() == books.sum("connections") == control.clients
    assert books.sum("callback_failures") == books.sum("set_up_failures") == 0
    assert grown_bytes < MAX_GROWTH_BYTES
    assert set(played["begun"]) >= {"behaves", "leaves_at_once"}


def test_very_many_connections_that_are_reset(record_property):
    """Not one line of the log is an alarm, and no descriptor is lost."""
    flags = ("--max-connection-rate-per-address=0",)
    with ServerProcess(*flags, patch=BOOKS) as server, Control(server.port) as control:
        base = server.descriptors()
        before_bytes = server.resident_bytes()
        resetters = [
            program("resets", server.port, CONNECTIONS // RESETTERS + 1, RESETS_PER_S)
            for _ in range(RESETTERS)
        ]
        seconds = [float(output_of(resetter)) for resetter in resetters]
        settled(server, base)
        grown_bytes = server.resident_bytes() - before_bytes
        books = server.books()
        descriptors = server.descriptors() - base
        alarms = unexpected(server.log)
    window = control.window()
    told(
        record_property,
        connections_reset=RESETTERS * (CONNECTIONS // RESETTERS + 1),
        connections_accepted=books.sum("numbered"),
        seconds=round(max(seconds)),
        descriptors_more_than_before=descriptors,
        memory_growth_mib=round(grown_bytes / 1048576, 2),
        alarms=len(alarms),
        control_messages=len(window.latencies_s),
        control_missed=window.missed,
        control_p99_ms=round(window.quantile_ms(0.99), 2),
    )
    assert alarms == []
    assert descriptors == 0
    assert (window.missed, window.repeated, control.lost_connections) == (0, 0, 0)
    assert books.connection_objects() == books.sum("connections") == control.clients
