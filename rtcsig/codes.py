"""Every close code and HTTP status that a client can get, in one place.

A client decides by the code whether coming back makes sense, so the answer
stands beside the code: ``CloseCode.X.retry``.
"""

from __future__ import annotations

from enum import IntEnum
from http import HTTPStatus

__all__ = ["COMES_BACK", "STATUS_ADVICE", "CloseCode", "Refusal", "close_reason"]

# Codes of ours after which one comes back, whoever closed.
COMES_BACK = range(4000, 4500)
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
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    ID_TAKEN = 4409
    REPLACED = 4500

    @property
    def retry(self) -> bool:
        """Whether the same client may connect again and expect to be served."""
        return self in _RETRY

    @property
    def advice(self) -> str:
        """What it means, and what a client should do: a line for docs/operations.md."""
        return _ADVICE[self]


_RETRY = frozenset(
    {
        CloseCode.NORMAL,
        CloseCode.GOING_AWAY,
        CloseCode.INTERNAL_ERROR,
        CloseCode.SERVICE_RESTART,
        CloseCode.TRY_AGAIN_LATER,
        CloseCode.ID_TAKEN,
    }
)


_ADVICE = {
    CloseCode.NORMAL: "You closed, and this is the answer. Nothing to do.",
    CloseCode.GOING_AWAY: "The server stops. Come back after a random time of some seconds.",
    CloseCode.PROTOCOL_ERROR: "You broke RFC 6455. Mend the client.",
    CloseCode.INVALID_PAYLOAD: "A text message was no UTF-8, or not to be inflated. "
    "Mend the client.",
    CloseCode.POLICY_VIOLATION: "You sent more than a rate allows; the reason names it. Send less.",
    CloseCode.MESSAGE_TOO_BIG: "A message is larger than --max-message-bytes, or in more frames "
    "than --max-frames-per-message. Send smaller ones.",
    CloseCode.INTERNAL_ERROR: "A fault of the server, which has a traceback of it. Come back "
    "after a random time of some seconds.",
    CloseCode.SERVICE_RESTART: "The server restarts. Come back after the seconds that the reason "
    "has behind retry_after_s=.",
    CloseCode.TRY_AGAIN_LATER: "You read too slowly, and too much was queued for you. Come back, "
    "and read.",
    CloseCode.ID_TAKEN: "A peer with your id is connected; only who asks for it with "
    "refuse=close gets this in place of 409. Come back later, or with another id.",
    CloseCode.REPLACED: "A newer connection has your id. Do not come back, or the two will "
    "replace each other for ever.",
}

# What each HTTP status of this server means, and what a client should do.
STATUS_ADVICE = {
    HTTPStatus.BAD_REQUEST: "The request cannot be understood, or the peer id in its path cannot "
    "be used; the body says what. Mend the client.",
    HTTPStatus.FORBIDDEN: "The origin may not connect, the port is for known proxies only, or a "
    "page about the server may not be read from here. Change the server's settings.",
    HTTPStatus.NOT_FOUND: "Nothing is mounted under the path. Mend the URL.",
    HTTPStatus.METHOD_NOT_ALLOWED: "An upgrade must be a GET.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not come within --open-timeout-s. Try again.",
    HTTPStatus.CONFLICT: "A peer with your id is connected. Come back later, or with another id; "
    "--same-id says whether a newer one replaces it.",
    HTTPStatus.UPGRADE_REQUIRED: "The request is no upgrade to WebSocket, version 13.",
    HTTPStatus.TOO_MANY_REQUESTS: "Your address has too many connections, or makes them too "
    "fast. Come back after the seconds in Retry-After.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The request head is larger than "
    "--max-request-head-bytes. Send less.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of the server, which has a traceback of it.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The server is full, busy, or stops. Come back after the "
    "seconds in Retry-After.",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "The request must be HTTP/1.1.",
}


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
