"""The books: which connections there are, and what was refused, failed and ended.

Plain integers that any room may add to and that a metrics page can read.
"""

from __future__ import annotations

from collections import Counter

from rtcsig.door.life import Event, State, after

__all__ = ["Ledger"]


class Ledger:
    """What one server counts.

    ``accept_errors`` and ``accept_pauses`` are counted by error name,
    ``set_up_failures`` and ``callback_failures`` are counted by stage and
    error name, ``refusals`` by HTTP status, ``closes`` by the close code that
    we sent, ``timeouts`` by what was waited for, ``dropped_messages`` by reason.
    """

    def __init__(self) -> None:
        self.numbered = 0
        self.states: dict[State, int] = dict.fromkeys(State, 0)
        self.accept_errors: Counter[str] = Counter()
        self.accept_pauses: Counter[str] = Counter()
        self.set_up_failures: Counter[tuple[str, str]] = Counter()
        self.callback_failures: Counter[tuple[str, str]] = Counter()
        self.refusals: Counter[int] = Counter()
        self.closes: Counter[int] = Counter()
        self.timeouts: Counter[str] = Counter()
        self.dropped_messages: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many connections are there now, in whatever state."""
        return self.states[State.HANDSHAKE] + self.states[State.OPEN] + self.states[State.CLOSING]

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
