"""Control clients: healthy peers beside whom a fault happens, and what they noticed of it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.server import wait_until

__all__ = ["ADDRESS", "Control", "Window"]

ADDRESS = "127.0.9.9"  # no limit for one address, which a fault reaches, concerns them

_ROOT = Path(__file__).parents[2]  # the folder that `tests` is imported from
_LIMIT_S = 7200.0
_READY_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 60.0
_IN_FLIGHT_TIMEOUT_S = 30.0
_EXCHANGE_TIMEOUT_S = 60.0


@dataclass
class Window:
    """What the control clients saw of the messages that were sent within a stretch of time."""

    latencies_s: list[float]
    missed: int
    repeated: int
    out_of_order: int
    lost: list[tuple[str, str]]  # clients, and how they lost their connections since its begin
    errors: list[tuple[str, str]]  # clients, and the codes of the errors that they were told

    @property
    def p99_ms(self) -> float:
        """The latency that 99 of 100 messages keep to."""
        return self.quantile_ms(0.99)

    def quantile_ms(self, part: float) -> float:
        """The latency that this part of the messages keeps to; NaN without messages."""
        ordered = sorted(self.latencies_s)
        if not ordered:
            return math.nan
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    def assert_unharmed(self) -> None:
        """Nobody lost a connection, a message, or its place in the order."""
        assert self.latencies_s, "the control clients sent nothing"
        assert not self.lost, self.lost
        assert not self.errors, self.errors
        assert (self.missed, self.repeated, self.out_of_order) == (0, 0, 0), self.counts()

    def counts(self) -> dict[str, int]:
        """How many messages arrived, and how many of them not as they should."""
        return {
            "arrived": len(self.latencies_s),
            "missed": self.missed,
            "repeated": self.repeated,
            "out_of_order": self.out_of_order,
        }


class Control:
    """``pairs`` pairs of control clients in a process of their own, as a context manager.

    Each client sends its partner a numbered message every ``interval_s`` from
    ``address``; ``lines`` are further header lines of its
    request; ``name`` is what the ids begin with. It can be
    asked at any time, and after its end for everything. The process ends with
    the test, and in any case after ``limit_s``.
    """

    def __init__(
        self,
        port: int,
        pairs: int = 10,
        *lines: str,
        interval_s: float = 0.1,
        address: str = ADDRESS,
        name: str = "control-",
        limit_s: float = _LIMIT_S,
    ) -> None:
        self.clients = 2 * pairs
        self._folder = tempfile.TemporaryDirectory(prefix="rtcsig-control-")
        self._book = Path(self._folder.name) / "book"
        self._options = {
            "port": port,
            "lines": lines,
            "pairs": pairs,
            "interval_s": interval_s,
            "address": address,
            "name": name,
            "book": str(self._book),
            "limit_s": limit_s,
        }
        self._read_bytes = 0
        self._now_s = 0.0
        self._is_ready = self._is_over = False
        self._sent: dict[tuple[str, int], float] = {}
        self._got: list[tuple[tuple[str, int], float]] = []
        self._arrived: set[tuple[str, int]] = set()
        self._lost: list[tuple[float, str, str]] = []
        self._errors: list[tuple[float, str, str]] = []

    def __enter__(self) -> Control:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.control_program", json.dumps(self._options)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
        )
        try:
            wait_until(lambda: self._read() and self._is_ready, _READY_TIMEOUT_S, "all are open")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status = self._end()
        if error is None:
            assert status == 0, f"the control clients ended with status {status}"

    def _end(self) -> int:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._is_over = True
        self._read()
        self._folder.cleanup()
        return status

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._process.pid

    @property
    def lost_connections(self) -> int:
        """How many control clients were cut off so far."""
        self._read()
        return len(self._lost)

    def wait_for(self, count: int) -> None:
        """Wait until ``count`` more messages have arrived."""
        self._read()
        end = len(self._got) + count
        wait_until(
            lambda: self._read() and len(self._got) >= end,
            _EXCHANGE_TIMEOUT_S,
            f"{count} more messages have arrived",
        )

    def exchange(self, count: int) -> Window:
        """Wait until ``count`` more messages have arrived; returns the window in which they did."""
        begin_s = time.monotonic()
        self.wait_for(count)
        return self.window(begin_s, time.monotonic())

    def window(self, begin_s: float = 0.0, end_s: float = math.inf) -> Window:
        """Look at the messages sent in ``[begin_s, end_s)``, when those in flight have arrived."""
        end_s = min(end_s, time.monotonic())
        wait_until(lambda: self._has_seen(end_s), what="the control clients are past the window")
        sent = {key: when_s for key, when_s in self._sent.items() if begin_s <= when_s < end_s}
        give_up_s = time.monotonic() + _IN_FLIGHT_TIMEOUT_S
        wait_until(
            lambda: self._has_seen(give_up_s) or (self._read() and sent.keys() <= self._arrived),
            2 * _IN_FLIGHT_TIMEOUT_S,
        )
        first: dict[tuple[str, int], float] = {}
        repeated = 0
        for key, when_s in self._got:
            if key in first:
                repeated += 1
            elif key in sent:
                first[key] = when_s
        return Window(
            latencies_s=[when_s - sent[key] for key, when_s in first.items()],
            missed=len(sent) - len(first),
            repeated=repeated,
            out_of_order=self._out_of_order(first),
            lost=[(client, how) for when_s, client, how in self._lost if begin_s <= when_s],
            errors=[(client, code) for when_s, client, code in self._errors if begin_s <= when_s],
        )

    def _has_seen(self, when_s: float) -> bool:
        return self._read() and (self._is_over or self._now_s >= when_s)

    def _out_of_order(self, arrived: Iterable[tuple[str, int]]) -> int:
        """How many came after one of the same sender with a higher number."""
        highest: dict[str, int] = {}
        late = 0
        for sender, number in arrived:
            late += number < highest.get(sender, -1)
            highest[sender] = max(number, highest.get(sender, -1))
        return late

    def _read(self) -> bool:
        """Read what was written down since the last time."""
        if not self._is_over and self._process.poll() is not None:
            raise AssertionError(f"the control clients ended: {self._process.returncode}")
        if self._book.exists():
            with self._book.open("rb") as book:
                book.seek(self._read_bytes)
                lines, newline, _ = book.read().rpartition(b"\n")
            self._read_bytes += len(lines) + len(newline)
            for line in lines.splitlines():
                self._take(json.loads(line))
        return True

    def _take(self, note: list[Any]) -> None:
        what, self._now_s, *details = note
        if what == "ready":
            self._is_ready = True
        elif what == "sent":
            self._sent[details[0], details[1]] = self._now_s
        elif what == "got":
            key = (_partner(details[0]), details[1])
            self._got.append((key, self._now_s))
            self._arrived.add(key)
        elif what == "lost":
            self._lost.append((self._now_s, details[0], details[1]))
        elif what == "error":
            self._errors.append((self._now_s, details[0], details[1]))


def _partner(client: str) -> str:
    """Who sends to this client: 0 and 1 are a pair, 2 and 3, and so on."""
    name, _, number = client.rpartition("-")
    return f"{name}-{int(number) ^ 1}"
