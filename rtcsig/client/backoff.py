"""When a client comes back, if at all. Plain Python: chance is an argument.

Thousands of clients lose their connections in the same moment, when a server
restarts. None comes back in step with others: waits are drawn from the whole range from nothing
to a bound that doubles with each failure (full jitter), and a hint of the
server's is never undercut.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rtcsig.client.errors import Ended, IdTaken, Refused, Replaced, SignallingError

__all__ = ["STEADY_S", "Backoff", "after_close", "after_status"]

# A connection that was open for so long was none that failed.
STEADY_S = 5.0
_FIRST_S = 0.5
_LONGEST_S = 30.0
_RETRY_AFTER = re.compile(r"\bretry_after_s=(\d{1,6})\b")
_SECONDS = re.compile(r"\s*(\d{1,6})\s*")
_SERVICE_RESTART = 1012
_ID_TAKEN = 4409
_REPLACED = 4500
_OF_THE_CLIENT = frozenset({1002, 1003, 1007, 1008, 1009, 1010})
_NOT_AGAIN = 4500
_CONFLICT = 409
_PASSING = frozenset({408, 425, 429})
_SERVER_ERROR = 500


class Backoff:
    """Waits that grow from failure to failure. ``random`` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0

    def succeeded(self) -> None:
        """Begin anew: a connection has held."""
        self._failures = 0

    def wait_s(self, hint_s: float | None = None) -> float:
        """How long to wait now, in seconds; no shorter than the server's hint, if there is one."""
        bound_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._failures, 10))
        self._failures += 1
        if hint_s is None:
            return self._random() * bound_s
        return hint_s + self._random() * max(1.0, hint_s / 2)


def after_close(code: int | None, reason: str) -> SignallingError | float | None:
    """What a close means: the error to stop with, or the server's hint in seconds, if any.

    ``code`` is None when there was no close frame.
    """
    if code == _ID_TAKEN:
        return IdTaken(reason)
    if code == _REPLACED:
        return Replaced(reason)
    if code in _OF_THE_CLIENT or (code is not None and code >= _NOT_AGAIN):
        return Ended(code, reason)
    hint = _RETRY_AFTER.search(reason) if code == _SERVICE_RESTART else None
    return float(hint[1]) if hint else None


def after_status(status: int, retry_after: str, reason: str) -> SignallingError | float | None:
    """The same for an HTTP status; ``retry_after`` is the header's value, or empty.

    A date there is no hint: clocks differ.
    """
    if status == _CONFLICT:
        return IdTaken(reason)
    if status < _SERVER_ERROR and status not in _PASSING:
        return Refused(status, reason)
    hint = _SECONDS.fullmatch(retry_after)
    return float(hint[1]) if hint else None
