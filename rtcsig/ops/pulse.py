"""The process takes its own pulse: how late timers are, and how many descriptors are open."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rtcsig.door.descriptors import descriptor_limit, descriptors_in_use
from rtcsig.door.ledger import Ledger
from rtcsig.door.report import Reporter
from rtcsig.door.turnstile import Turnstile

__all__ = ["BEAT_S", "Pulse"]

BEAT_S = 0.25
# Counting descriptors is a walk over all of them.
_BEATS_PER_COUNT = 20


class Pulse:
    """Measures from ``start`` to ``stop``, and closes the turnstile while the reactor lags.

    A reactor that stood still is caught by the first beat after it, before
    anybody who has waited is let in; the next beat that comes in time opens the
    turnstile again. ``max_lag_s`` is the bound, 0 for none.
    """

    def __init__(
        self,
        ledger: Ledger,
        turnstile: Turnstile,
        reporter: Reporter,
        clock: IReactorTime,
        max_lag_s: float,
    ) -> None:
        self._ledger = ledger
        self._turnstile = turnstile
        self._reporter = reporter
        self._clock = clock
        self.max_lag_s = max_lag_s
        self._beats = 0
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Begin; the first beat comes at once."""
        self._beat(self._clock.seconds())

    def stop(self) -> None:
        """End."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _beat(self, due_s: float) -> None:
        now_s = self._clock.seconds()
        self._next = self._clock.callLater(BEAT_S, self._beat, now_s + BEAT_S)
        self._note_lag(now_s - due_s)
        if self._beats % _BEATS_PER_COUNT == 0:
            self._ledger.descriptors = descriptors_in_use()
            self._ledger.descriptor_limit = descriptor_limit()
        self._beats += 1

    def _note_lag(self, lag_s: float) -> None:
        self._ledger.lag_s = max(0.0, lag_s)
        self._ledger.lags_s.add(self._ledger.lag_s)
        was_lagging = self._turnstile.is_lagging
        self._turnstile.is_lagging = 0 < self.max_lag_s < lag_s
        if self._turnstile.is_lagging and not was_lagging:
            fields = {"lag_s": round(lag_s, 3), "max_lag_s": self.max_lag_s}
            self._reporter.state("reactor lags", fields)
