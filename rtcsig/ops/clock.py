"""The reactor's time."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["use_monotonic_time"]


def use_monotonic_time(reactor: Any) -> None:
    """Make every timer of ``reactor`` run by a clock that nobody sets.

    Twisted's reactors take the wall clock (Twisted #2424): set an hour ahead,
    it would end every connection for a pong that is not late; set back, no
    timer would run for an hour. Calls that wait already keep their remaining time.
    """
    shift_s = time.monotonic() - reactor.seconds()
    reactor.seconds = time.monotonic
    for call in reactor.getDelayedCalls():
        call.time += shift_s
        call.seconds = time.monotonic
