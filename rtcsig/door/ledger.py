"""The books: which connections there are, and what was refused, failed and ended.

Plain numbers that any room may add to, and one place where all can be read.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rtcsig.door.histogram import Histogram
from rtcsig.door.life import Event, State, after

__all__ = ["Ledger", "Reading", "Traffic"]

_COUNTED = (State.HANDSHAKE, State.HTTP, State.OPEN, State.CLOSING)
_ROUND_TRIPS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LAGS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of the books: a name, labels that tell it from its like, and the value."""

    name: str
    labels: dict[str, str]
    value: float


class Traffic:
    """Messages that came in and went out, and the bytes with their frames."""

    __slots__ = ("bytes_in", "bytes_out", "messages_in", "messages_out")

    def __init__(self) -> None:
        self.messages_in = self.bytes_in = self.messages_out = self.bytes_out = 0

    def add(self, other: Any) -> None:
        """Add what ``other`` has, which may be a connection."""
        self.messages_in += other.messages_in
        self.bytes_in += other.bytes_in
        self.messages_out += other.messages_out
        self.bytes_out += other.bytes_out


class Ledger:
    """What one server counts and measures.

    Counters, each by a reason or by two: ``accept_errors`` by error name,
    ``accept_pauses`` by that or another reason, ``set_up_failures`` and
    ``callback_failures`` by stage and error name, ``refusals`` by HTTP status and
    label, ``closes`` by the close code that we sent, ``timeouts`` by what was waited
    for, ``excesses`` by what a peer sent too much of, ``dropped_messages`` and
    ``dropped_log_lines`` by reason.

    ``opened`` counts connections by dialect; ``traffic`` has what those said, by
    dialect, who are gone.

    Gauges: ``states``, ``open`` by dialect, ``max_connections``, ``descriptors`` in
    use, their limit and ``lag_s``, by which the reactor's timers are late. None is
    not known.

    Distributions: ``round_trips_s`` of pings, ``lags_s``.
    """

    def __init__(self) -> None:
        self.numbered = 0
        self.states: dict[State, int] = dict.fromkeys(State, 0)
        self.max_connections: int | None = None
        self.descriptors: int | None = None
        self.descriptor_limit: int | None = None
        self.lag_s = 0.0
        self.round_trips_s = Histogram(*_ROUND_TRIPS_S)
        self.lags_s = Histogram(*_LAGS_S)
        self.open: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self.traffic: defaultdict[str, Traffic] = defaultdict(Traffic)
        self.accept_errors: Counter[str] = Counter()
        self.accept_pauses: Counter[str] = Counter()
        self.set_up_failures: Counter[tuple[str, str]] = Counter()
        self.callback_failures: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[tuple[int, str]] = Counter()
        self.closes: Counter[int] = Counter()
        self.timeouts: Counter[str] = Counter()
        self.excesses: Counter[str] = Counter()
        self.dropped_messages: Counter[str] = Counter()
        self.dropped_log_lines: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many connections are there now, in whatever state."""
        return sum(map(self.states.__getitem__, _COUNTED))

    def next_number(self) -> int:
        """A number for a connection, by which its lines in the log are found."""
        self.numbered += 1
        return self.numbered

    def moved(self, state: State, event: Event) -> State:
        """Apply ``event`` to a connection in ``state``; returns its new state.

        The one place where connections are counted in and out. Raises
        ``IllegalTransition`` and then counts nothing.
        """
        new = after(state, event)
        if state is not State.NEW:
            self.states[state] -= 1
        if new is not State.CLOSED:
            self.states[new] += 1
        return new

    def has_opened(self, dialect: str) -> None:
        """Count a connection whose WebSocket is open now."""
        self.open[dialect] += 1
        self.opened[dialect] += 1

    def has_ended(self, dialect: str, said: Any) -> None:
        """Count it out, and add what it said to what was said before."""
        self.open[dialect] -= 1
        self.traffic[dialect].add(said)

    def readings(self) -> Iterator[Reading]:
        """Every number: the gauges that are known, then the counters that are not 0."""
        for state in _COUNTED:
            if state is not State.OPEN:
                labels = {"state": state.name.lower(), "dialect": ""}
                yield Reading("connections", labels, self.states[state])
        for dialect, count in self.open.items():
            yield Reading("connections", {"state": "open", "dialect": dialect}, count)
        for name in ("max_connections", "descriptors", "descriptor_limit", "lag_s"):
            value = getattr(self, name)
            if value is not None:
                yield Reading(name, {}, value)
        yield Reading("numbered", {}, self.numbered)
        for name, by in _COUNTERS.items():
            # A copy: the log's thread may count a line meanwhile.
            for reasons, count in tuple(getattr(self, name).items()):
                values = reasons if isinstance(reasons, tuple) else (reasons,)
                yield Reading(name, dict(zip(by, map(str, values), strict=True)), count)


# Each counter, and the names of what it is counted by.
_COUNTERS = {
    "opened": ("dialect",),
    "accept_errors": ("error",),
    "accept_pauses": ("reason",),
    "set_up_failures": ("stage", "error"),
    "callback_failures": ("stage", "error"),
    "refusals": ("status", "reason"),
    "closes": ("code",),
    "timeouts": ("reason",),
    "excesses": ("reason",),
    "dropped_messages": ("reason",),
    "dropped_log_lines": ("reason",),
}
