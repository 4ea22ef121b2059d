"""How much one peer may say: messages, bytes and control frames in a time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BURST_S", "Rates", "Talk", "charge"]

BURST_S = 5.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What each peer may send in a second, in the long run; 0 is no bound."""

    messages_per_s: int = 0
    bytes_per_s: int = 0
    control_frames_per_s: int = 0


class Talk:
    """What one peer has said, as three token buckets.

    Time is an argument, in seconds from any monotonic clock.
    """

    __slots__ = ("_bytes_paid_s", "_control_frames_paid_s", "_messages_paid_s", "_rates")

    def __init__(self, rates: Rates) -> None:
        self._rates = rates
        self._messages_paid_s = self._bytes_paid_s = self._control_frames_paid_s = 0.0

    def message_is_too_much(self, now_s: float) -> bool:
        """Count one message; whether it is beyond the bound."""
        self._messages_paid_s, is_over = charge(
            self._messages_paid_s, 1, self._rates.messages_per_s, now_s
        )
        return is_over

    def bytes_are_too_much(self, count_bytes: int, now_s: float) -> bool:
        """Count bytes; whether they are beyond the bound."""
        self._bytes_paid_s, is_over = charge(
            self._bytes_paid_s, count_bytes, self._rates.bytes_per_s, now_s
        )
        return is_over

    def control_frame_is_too_much(self, now_s: float) -> bool:
        """Count one ping or pong; whether it is beyond the bound."""
        self._control_frames_paid_s, is_over = charge(
            self._control_frames_paid_s, 1, self._rates.control_frames_per_s, now_s
        )
        return is_over


def charge(paid_s: float, count: int, per_s: float, now_s: float) -> tuple[float, bool]:
    """Take ``count`` from a token bucket: when it is full again, and whether it is overdrawn.

    A bucket holds ``BURST_S`` seconds' worth of its rate, 0 being no bound. It is
    kept as ``paid_s``, the time at which it is full again: there is nothing to refill.
    """
    if not per_s:
        return paid_s, False
    paid_s = max(paid_s, now_s) + count / per_s
    return paid_s, paid_s > now_s + BURST_S
