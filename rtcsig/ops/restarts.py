"""When a server that ended is started again: at once, and then later and later."""

from __future__ import annotations

__all__ = ["Restarts"]

_FIRST_PAUSE_S = 0.25
# A server that has run for so long had nothing to do with the end of those before it.
_GOOD_RUN_S = 60.0


class Restarts:
    """Counts starts anew; pauses double from the second one in a row, up to ``max_pause_s``."""

    def __init__(self, max_pause_s: float) -> None:
        self.count = 0
        self._max_pause_s = max_pause_s
        self._in_a_row = 0

    def pause_s(self, ran_s: float) -> float:
        """How long to wait after a server that has run for ``ran_s``."""
        self.count += 1
        if ran_s >= _GOOD_RUN_S:
            self._in_a_row = 0
        self._in_a_row += 1
        if self._in_a_row == 1:
            return 0.0
        # The exponent is bounded: a server that never runs comes here for years.
        doubled_s: float = _FIRST_PAUSE_S * 2 ** min(self._in_a_row - 2, 30)
        return min(doubled_s, self._max_pause_s)
