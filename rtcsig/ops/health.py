"""Whether the server works, and whether it takes newcomers: two questions, two answers.

A server that does not work is to be restarted. One that takes no newcomers is to
be left alone: it is full, or busy, or ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rtcsig.door.gate import AcceptGate
from rtcsig.door.turnstile import Turnstile

__all__ = ["REASONS", "Health"]

REASONS = ("draining", "lagging", "full", "paused")


class Health:
    """Asked by health checks, by the watchdog and by the metrics."""

    def __init__(self, turnstile: Turnstile, gates: Callable[[], Sequence[AcceptGate]]) -> None:
        self._turnstile = turnstile
        self._gates = gates

    def faults(self) -> list[str]:
        """What is broken, in words for the log; nothing for a server that works.

        Whoever asks is answered by the reactor, so it turns; what is left to ask is
        whether it keeps up, and whether somebody who comes would be seen.
        """
        faults = ["the reactor lags"] if self._turnstile.is_lagging else []
        if not self._turnstile.is_draining:
            faults += [
                f"{gate.listener} does not listen" for gate in self._gates() if gate.is_dead()
            ]
        return faults

    def reasons(self) -> list[str]:
        """Why newcomers are not taken, each one of ``REASONS``."""
        reasons = [reason for reason, _ in self._turnstile.reasons()]
        if any(gate.is_in_trouble for gate in self._gates()):
            reasons.append("paused")
        return reasons
