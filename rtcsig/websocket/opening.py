"""The usual request for an upgrade, read without Autobahn.

Browsers and libraries all ask for a WebSocket in nearly the same words. What
is written like that is read here; whatever looks different, to the byte, is left
to Autobahn, which knows what else HTTP allows and refuses what is wrong. So
nothing is ever refused here.
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha1
from typing import NamedTuple

__all__ = ["Request", "read_usual_request", "upgrade_answer"]


class Request(NamedTuple):
    """What was asked for."""

    head: bytes
    target: str
    origin: str | None
    protocols: tuple[str, ...]
    key: bytes
    offers_deflate: bool = False


_PRINTABLE = bytes(range(0x20, 0x7F))
_REQUEST_LINE = re.compile(rb"GET (/(?!/)[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*) HTTP/1\.1")
_HOST = re.compile(rb"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
_ORIGIN = re.compile(rb"https?://[A-Za-z0-9.-]+(?::[0-9]{1,4})?")
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
# One; of several, none may be there twice.
_PROTOCOL = re.compile(rb"[A-Za-z0-9._-]+")
_VALUES = {
    b"host": _HOST,
    b"upgrade": re.compile(rb"(?i:websocket)"),
    b"connection": re.compile(rb"(?i:(?:keep-alive, ?)?upgrade)"),
    b"sec-websocket-version": re.compile(rb"13"),
    b"sec-websocket-key": _KEY,
    b"origin": _ORIGIN,
    b"sec-websocket-protocol": _PROTOCOL,
    b"sec-websocket-extensions": re.compile(rb"permessage-deflate(?:; ?client_max_window_bits)?"),
}
_REQUIRED = {b"host", b"upgrade", b"connection", b"sec-websocket-version", b"sec-websocket-key"}
# Of what matters nearly all lines are the same in nearly all requests. Read once, they are known.
_REMEMBERED_NAMES = _VALUES.keys() - {b"sec-websocket-key", b"sec-websocket-protocol"}
_MAX_REMEMBERED = 256
_MAX_REMEMBERED_BYTES = 128
_remembered: dict[bytes, tuple[bytes, bytes]] = {}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def read_usual_request(head: bytes) -> Request | None:
    """Read a request head, without the empty line behind it, if it is of the usual kind.

    That is: printable ASCII, lines that end in CRLF, every known field once and
    with a value that leaves nothing to ask, all required ones there. ``None`` for anything else.
    """
    lines = head.split(b"\r\n")
    if head.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        return None
    request_line = _REQUEST_LINE.fullmatch(lines[0])
    fields = _usual_fields(lines[1:])
    if request_line is None or fields is None:
        return None
    protocols = fields.get(b"sec-websocket-protocol", b"").decode("ascii")
    origin = fields.get(b"origin")
    return Request(
        head,
        request_line[1].decode("ascii"),
        None if origin is None else origin.decode("ascii"),
        (protocols,) if protocols else (),
        fields[b"sec-websocket-key"],
        b"sec-websocket-extensions" in fields,
    )


def _usual_fields(lines: list[bytes]) -> dict[bytes, bytes] | None:
    """The values of the fields that matter, by their names in small letters."""
    fields: dict[bytes, bytes] = {}
    for line in lines:
        field = _remembered.get(line) or _usual_field(line)
        if field is None:
            return None
        name, value = field
        if name in _VALUES:
            if name in fields:
                return None
            fields[name] = value
    return fields if fields.keys() >= _REQUIRED else None


def _usual_field(line: bytes) -> tuple[bytes, bytes] | None:
    """The name of a field in small letters, and its value, if it is of the usual kind."""
    name, colon, value = line.partition(b":")
    if not colon or b" " in name:
        return None
    name = name.lower()
    value = value.strip()
    pattern = _VALUES.get(name)
    if pattern is not None:
        if pattern.fullmatch(value) is None:
            return None
        # What does not matter may be somebody's cookie, and no key is ever the same again.
        if name in _REMEMBERED_NAMES and len(line) <= _MAX_REMEMBERED_BYTES:
            if len(_remembered) >= _MAX_REMEMBERED:
                _remembered.clear()
            _remembered[line] = name, value
    return name, value


def upgrade_answer(key: bytes, protocol: str | None) -> bytes:
    """The answer that opens the WebSocket (RFC 6455, 4.2.2), as Autobahn writes it."""
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    chosen = b"" if protocol is None else b"Sec-WebSocket-Protocol: %b\r\n" % protocol.encode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        b"%bSec-WebSocket-Accept: %b\r\n\r\n" % (chosen, accept)
    )
