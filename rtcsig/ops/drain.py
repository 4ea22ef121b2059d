"""Sending everybody away before the server ends: not all at once, or all come back at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Drain", "due"]

_TICK_S = 0.02


def due(count: int, elapsed_s: float, drain_s: float) -> int:
    """How many of ``count`` are to be gone by now: evenly over ``drain_s``, from its beginning."""
    if elapsed_s >= drain_s:
        return count
    return int(count * elapsed_s / drain_s + 0.5)


class Drain:
    """Sends ``peers`` away with ``send_away``, in random order, over ``drain_s``.

    ``is_empty`` says that all have left, by whoever's doing: then it is over early.
    ``done`` fires when everybody was sent away.
    """

    def __init__(
        self,
        peers: Sequence[Any],
        drain_s: float,
        clock: IReactorTime,
        *,
        send_away: Callable[[Any], None],
        is_empty: Callable[[], bool],
    ) -> None:
        self._peers = random.sample(peers, len(peers))
        self._drain_s = drain_s
        self._clock = clock
        self._send_away = send_away
        self._is_empty = is_empty
        self._sent = 0
        self._start_s = clock.seconds()
        self._next: IDelayedCall | None = None
        self.done: Deferred[None] = Deferred()

    def start(self) -> None:
        """Begin."""
        self._tick()

    def hurry(self) -> None:
        """Send all who are left away at once."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._send(len(self._peers))
            self.done.callback(None)

    def _tick(self) -> None:
        self._next = None
        self._send(due(len(self._peers), self._clock.seconds() - self._start_s, self._drain_s))
        if self._sent == len(self._peers) or self._is_empty():
            self.done.callback(None)
        else:
            self._next = self._clock.callLater(_TICK_S, self._tick)

    def _send(self, many: int) -> None:
        while self._sent < many:
            peer = self._peers[self._sent]
            self._sent += 1
            self._send_away(peer)
