"""Every close code and HTTP status that a client can get, in one place.

A client decides by the code whether coming back makes sense, so the answer
stands beside the code: ``CloseCode.X.retry``.
"""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus

__all__ = ["CloseCode", "Refusal", "close_reason"]

_MAX_CLOSE_REASON_BYTES = 123  # a control frame holds 125 bytes, the code takes 2: RFC 6455, 5.5


class CloseCode(IntEnum):
    """WebSocket close codes that this server sends (RFC 6455, 7.4, and ours).

    Ours follow one rule: 4000 to 4499 mean "come back", 4500 to 4999 "do not".
    """

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TRY_AGAIN_LATER = 1013
    REPLACED = 4500

    @property
    def retry(self) -> bool:
        """Whether the same client may connect again and expect to be served."""
        return self in _RETRY


_RETRY = frozenset(
    {
        CloseCode.NORMAL,
        CloseCode.GOING_AWAY,
        CloseCode.INTERNAL_ERROR,
        CloseCode.TRY_AGAIN_LATER,
    }
)


class Refusal(Exception):
    """A connection is refused before it is open; the client gets an HTTP answer.

    ``reason`` is sent to the client as it stands: it is our sentence and
    never holds text of an exception or of the client. ``label`` is the word it
    is counted by. ``retry_after_s`` says when coming back may make sense (RFC
    9110, 10.2.3).

    One that is raised is made anew each time: an exception keeps the frames
    that it went through, and one that is raised again keeps more and more.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        *,
        label: str = "request",
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(f"{status.value} {reason}")
        self.status = status
        self.reason = reason
        self.label = label
        self.retry_after_s = retry_after_s


def close_reason(text: str) -> bytes:
    """UTF-8 of ``text``, cut to what a close frame holds, never inside a character."""
    encoded = text.encode("utf-8", "replace")[:_MAX_CLOSE_REASON_BYTES]
    return encoded.decode("utf-8", "ignore").encode("utf-8")
