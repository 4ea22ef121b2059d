"""The HTTP side of an upgrade: its head, its target, and the answer when it is refused."""

from __future__ import annotations

import re
from http import HTTPStatus
from urllib.parse import quote

from rtcsig.codes import Refusal

__all__ = [
    "END_OF_HEAD",
    "explanation",
    "field_values",
    "head_is_too_large",
    "http_answer",
    "page_path",
    "target_of",
]

_ASCII = "".join(map(chr, range(128)))
END_OF_HEAD = b"\r\n\r\n"
_SCHEME_AND_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_QUOTED_BY_AUTOBAHN = re.compile(r"""["':<(]""")
_EXPLANATIONS = {
    HTTPStatus.UPGRADE_REQUIRED: "the request must be an upgrade to websocket, version 13",
    HTTPStatus.METHOD_NOT_ALLOWED: "the method must be GET",
    HTTPStatus.HTTP_VERSION_NOT_SUPPORTED: "the version must be HTTP/1.1",
}
_READING = ("GET", "HEAD")
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
# Header fields without which these answers are not valid (RFC 9110, 15.5.6 and 15.5.22).
_REQUIRED_HEADERS = {
    HTTPStatus.METHOD_NOT_ALLOWED: (("Allow", "GET"),),
    HTTPStatus.UPGRADE_REQUIRED: (("Upgrade", "websocket"),),
}


def head_is_too_large(before: bytes, more: bytes, max_bytes: int) -> bool:
    """Whether a request head that came as ``before`` and ``more`` passes ``max_bytes``.

    Only what the border between the two can hide is searched again.
    """
    if len(before) + len(more) <= max_bytes:
        return False
    border = max(0, len(before) - len(END_OF_HEAD) + 1)
    end = (before[border:] + more).find(END_OF_HEAD)
    return end < 0 or border + end + len(END_OF_HEAD) > max_bytes


def field_values(head: bytes, name: str) -> list[str]:
    """The values of a header field, one for each line of it, in their order.

    Lines end at CRLF only. Autobahn ends them at whatever Unicode takes for a
    line's end as well, so that a client could put a line of its own behind
    those of its proxy; which is why fields that a proxy writes are read here.
    """
    start = f"{name}:".encode("ascii")
    if start not in head.lower():
        return []
    return [
        line[len(start) :].strip().decode("latin-1")
        for line in head.split(b"\r\n")[1:]
        if line[: len(start)].lower() == start
    ]


def page_path(head: bytes) -> str | None:
    """The path of a request that could be for a web page; None for any other.

    It reads, has no body that would have to be taken, and is no upgrade to a WebSocket;
    one to anything else may be passed over (RFC 9110, 7.8).
    """
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    target, _, version = rest.partition(" ")
    if method not in _READING or version not in _VERSIONS:
        return None
    if field_values(head, "transfer-encoding") or any(
        "websocket" in upgrade.lower() for upgrade in field_values(head, "upgrade")
    ):
        return None
    if any(length.strip() != "0" for length in field_values(head, "content-length")):
        return None
    return target_of(target)[0]


def target_of(request_target: str) -> tuple[str, str]:
    """Path and query of a request target (RFC 9112, 3.2), both as they were sent.

    The absolute form, which a proxy may send, counts without its scheme and
    authority. The path always begins with ``/``. Bytes that are not ASCII, which
    a URI cannot have but clients send, are percent-encoded; ``request_target``
    has them as latin-1, as the head was decoded.
    """
    absolute = _SCHEME_AND_AUTHORITY.match(request_target)
    if absolute is not None:
        request_target = request_target[absolute.end() :]
    if not request_target.isascii():
        request_target = quote(request_target, safe=_ASCII, encoding="latin-1")
    path, _, query = request_target.partition("?")
    return path if path.startswith("/") else f"/{path}", query


def explanation(reason: str, status: int) -> str:
    """Why Autobahn refuses: its reason up to where it may begin to quote the client, or ours."""
    if status in _EXPLANATIONS:
        return _EXPLANATIONS[HTTPStatus(status)]
    text = _QUOTED_BY_AUTOBAHN.split(reason, maxsplit=1)[0].strip()
    return text or "the request cannot be served"


def http_answer(refusal: Refusal, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    """An HTTP response that says why, in the body: a status line holds no free text."""
    status = refusal.status
    body = f"{refusal.reason}\n".encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Connection: {'close, Upgrade' if status == HTTPStatus.UPGRADE_REQUIRED else 'close'}",
        *(f"{name}: {value}" for name, value in (*headers, *_REQUIRED_HEADERS.get(status, ()))),
        *([f"Retry-After: {refusal.retry_after_s}"] if refusal.retry_after_s is not None else []),
        "",
        "",
    ]
    return "\r\n".join(lines).encode("latin-1") + body
