"""How much one peer may say: messages, bytes and control frames in a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

__all__ = ["BURST_S", "IN_ADVANCE_S", "Rates", "Talk", "charge"]

BURST_S = 5.0
IN_ADVANCE_S = 0.05
# What a frame costs of a message's price; a sum of such parts is exact.
_FRAGMENT = 3 / 16


@dataclass(frozen=True, slots=True)
class Rates:
    """What each peer may send in a second, in the long run; 0 is no bound."""

    messages_per_s: int = 0
    bytes_per_s: int = 0
    control_frames_per_s: int = 0


class Talk:
    """What one peer has said, as three token buckets.

    Of messages and bytes, which come all the time, some are charged at once and
    in advance, so that the clock is read now and then only. What is charged so
    and not used yet is kept: a burst can be larger by ``IN_ADVANCE_S`` worth.
    ``seconds`` is any monotonic clock. ``messages`` and ``bytes`` say how much it was
    in all, ``since_s`` since when.
    """

    __slots__ = (
        "_bytes_left",
        "_bytes_paid_s",
        "_control_frames_paid_s",
        "_messages_left",
        "_messages_paid_s",
        "_rates",
        "_seconds",
        "bytes",
        "messages",
        "since_s",
    )

    def __init__(self, rates: Rates, seconds: Callable[[], float]) -> None:
        self._rates = rates
        self._seconds = seconds
        self.since_s = seconds()
        self.messages = self.bytes = 0
        self._messages_left: float = 0 if rates.messages_per_s else inf
        self._bytes_left: float = 0 if rates.bytes_per_s else inf
        self._messages_paid_s = self._bytes_paid_s = self._control_frames_paid_s = 0.0

    def message_is_too_much(self) -> bool:
        """Count one message; whether it is beyond the bound."""
        self.messages += 1
        self._messages_left -= 1
        return self._messages_left < 0 and self._messages_are_overdrawn()

    def fragment_is_too_much(self) -> bool:
        """Count one frame of a message in many, a part of a message; whether it is too much."""
        self._messages_left -= _FRAGMENT
        return self._messages_left < 0 and self._messages_are_overdrawn()

    def bytes_are_too_much(self, count_bytes: int) -> bool:
        """Count bytes; whether they are beyond the bound."""
        self.bytes += count_bytes
        self._bytes_left -= count_bytes
        return self._bytes_left < 0 and self._bytes_are_overdrawn()

    def is_within(self, count_bytes: int) -> bool:
        """Count one message in so many bytes, if that needs no look at the clock; else nothing."""
        if self._bytes_left < count_bytes or self._messages_left < 1:
            return False
        self._bytes_left -= count_bytes
        self._messages_left -= 1
        self.bytes += count_bytes
        self.messages += 1
        return True

    def control_frame_is_too_much(self) -> bool:
        """Count one ping or pong; whether it is beyond the bound."""
        self._control_frames_paid_s, is_over = charge(
            self._control_frames_paid_s, 1, self._rates.control_frames_per_s, self._seconds()
        )
        return is_over

    def _messages_are_overdrawn(self) -> bool:
        self._messages_paid_s, self._messages_left, is_over = _charge_more(
            self._messages_paid_s, self._messages_left, self._rates.messages_per_s, self._seconds()
        )
        return is_over

    def _bytes_are_overdrawn(self) -> bool:
        self._bytes_paid_s, self._bytes_left, is_over = _charge_more(
            self._bytes_paid_s, self._bytes_left, self._rates.bytes_per_s, self._seconds()
        )
        return is_over


def _charge_more(paid_s: float, left: float, per_s: int, now_s: float) -> tuple[float, float, bool]:
    """Charge for what was used and not paid for, which is ``-left``, and for some in advance."""
    paid_s, is_over = charge(paid_s, -left, per_s, now_s)
    room_s = now_s + BURST_S - paid_s
    in_advance = int(per_s * max(0.0, min(IN_ADVANCE_S, room_s)))
    return paid_s + in_advance / per_s, in_advance, is_over


def charge(paid_s: float, count: float, per_s: float, now_s: float) -> tuple[float, bool]:
    """Take ``count`` from a token bucket: when it is full again, and whether it is overdrawn.

    A bucket holds ``BURST_S`` seconds' worth of its rate, 0 being no bound. It is
    kept as ``paid_s``, the time at which it is full again: there is nothing to refill.
    """
    if not per_s:
        return paid_s, False
    paid_s = max(paid_s, now_s) + count / per_s
    return paid_s, paid_s > now_s + BURST_S
