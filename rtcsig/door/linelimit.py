"""How many lines of one kind may go to the log, so that the log is no weapon."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["LineLimit"]

Kind = TypeVar("Kind", bound=Hashable)


class LineLimit(Generic[Kind]):
    """At most ``lines`` of one kind within ``window_s`` seconds; the rest is counted.

    A kind's window begins with its first line. Time is an argument, in
    seconds from any monotonic clock.
    """

    def __init__(self, lines: int, window_s: float) -> None:
        self._lines = lines
        self.window_s = window_s
        self._windows: dict[Kind, _Window] = {}

    def admit(self, kind: Kind, now_s: float, lines: int | None = None) -> bool:
        """Whether one more line of this kind may be written now.

        ``lines`` is the kind's own bound, the same each time; None is that for all.
        """
        window = self._windows.get(kind)
        if window is None:
            bound = self._lines if lines is None else lines
            window = self._windows[kind] = _Window(now_s, bound)
        window.seen += 1
        return window.seen <= window.lines

    def ended(self, now_s: float) -> dict[Kind, int]:
        """Forget the windows that are over; the kinds with lines left out, and how many."""
        over = [kind for kind, w in self._windows.items() if now_s >= w.began_s + self.window_s]
        windows = {kind: self._windows.pop(kind) for kind in over}
        return {kind: w.seen - w.lines for kind, w in windows.items() if w.seen > w.lines}

    def next_end_s(self) -> float | None:
        """When the oldest window ends; None when there is none."""
        return min((w.began_s + self.window_s for w in self._windows.values()), default=None)


class _Window:
    __slots__ = ("began_s", "lines", "seen")

    def __init__(self, began_s: float, lines: int) -> None:
        self.began_s = began_s
        self.lines = lines
        self.seen = 0
