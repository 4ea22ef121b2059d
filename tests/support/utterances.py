"""What peers say, right and wrong, by name: request heads and frames."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame, request

__all__ = ["FRAMES", "HEADS", "pieces_of"]

# Nothing is random: what is said again is the same to the byte.
_MASK = b"\x37\xfa\x21\x3d"
_KEY = re.compile(rb"(Sec-WebSocket-Key: )\S+")
_CONTINUATION = 0
_DEFLATED = 4


def _head(path: str, *lines: str) -> bytes:
    return _KEY.sub(rb"\1dGhlIHNhbXBsZSBub25jZQ==", request(path, *lines))


HEADS: dict[str, Callable[[str], bytes]] = {
    "right": _head,
    "deflate": lambda path: _head(path, "Sec-WebSocket-Extensions: permessage-deflate"),
    "useless extension": lambda path: _head(path, "Sec-WebSocket-Extensions: permessage-deflate;x"),
    "right origin": lambda path: _head(path, "Origin: https://good.example"),
    "wrong origin": lambda path: _head(path, "Origin: https://bad.example"),
    "no mount": lambda path: _head(f"/nowhere{path}"),
    "no peer id": lambda path: _head(path.rpartition("/")[0] + "/"),
    "bad peer id": lambda path: _head(path.rpartition("/")[0] + "/%ff"),
    "old version": lambda path: _head(path).replace(b"Version: 13", b"Version: 8"),
    "no upgrade": lambda path: f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    "post": lambda path: f"POST {path} HTTP/1.1\r\n\r\n".encode(),
    "garbage": lambda path: b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "endless": lambda path: b"GET / HTTP/1.1\r\nX: " + b"a" * 1100,
    "two heads": lambda path: _head(path) * 2,
}


def _frame(opcode: int, payload: bytes = b"", **faults: Any) -> bytes:
    return frame(opcode, payload, mask=_MASK, **faults)


def _message(to: str, size: int = 0) -> bytes:
    return json.dumps({"id": to, "type": "candidate", "candidate": "c" * size}).encode()


def _deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


# Each takes the id of the peer that is spoken to and the payload of the server's last ping.
FRAMES: dict[str, Callable[[str, bytes], bytes]] = {
    "text": lambda to, ping: _frame(TEXT, _message(to)),
    "large text": lambda to, ping: _frame(TEXT, _message(to, 15_000)),
    "text to nobody": lambda to, ping: _frame(TEXT, _message("nobody")),
    "no json": lambda to, ping: _frame(TEXT, b"{"),
    "no utf-8": lambda to, ping: _frame(TEXT, b"\xff"),
    "binary": lambda to, ping: _frame(BINARY, _message(to)),
    "binary, no json": lambda to, ping: _frame(BINARY, b"\x00\xff"),
    "first fragment": lambda to, ping: _frame(TEXT, _message(to)[:9], final=False),
    "next fragment": lambda to, ping: _frame(_CONTINUATION, b"", final=False),
    "large fragment": lambda to, ping: _frame(_CONTINUATION, b"c" * 15_000, final=False),
    "last fragment": lambda to, ping: _frame(_CONTINUATION, _message(to)[9:]),
    "ping": lambda to, ping: _frame(PING, b"there?"),
    "right pong": lambda to, ping: _frame(PONG, ping),
    "wrong pong": lambda to, ping: _frame(PONG, b"here"),
    "close": lambda to, ping: _frame(CLOSE, b"\x03\xe8"),
    "close without a code": lambda to, ping: _frame(CLOSE),
    "close with a bad code": lambda to, ping: _frame(CLOSE, b"\x03\xed"),
    "close with half a code": lambda to, ping: _frame(CLOSE, b"\x03"),
    "close, no utf-8": lambda to, ping: _frame(CLOSE, b"\x03\xe8\xff"),
    "unmasked": lambda to, ping: _frame(TEXT, _message(to), masked=False),
    "reserved bit": lambda to, ping: _frame(TEXT, _message(to), rsv=1),
    "reserved opcode": lambda to, ping: _frame(3, b"?"),
    "fragmented ping": lambda to, ping: _frame(PING, b"", final=False),
    "long ping": lambda to, ping: _frame(PING, b"p" * 126),
    "too large": lambda to, ping: _frame(TEXT, b"c" * 20_001),
    "huge": lambda to, ping: b"\x81\xff" + (1 << 40).to_bytes(8, "big") + _MASK,
    "deflated": lambda to, ping: _frame(TEXT, _deflated(_message(to)), rsv=_DEFLATED),
    "bomb": lambda to, ping: _frame(TEXT, _deflated(b"c" * 100_000), rsv=_DEFLATED),
    "wrongly deflated": lambda to, ping: _frame(TEXT, b"\xff\xff\xff", rsv=_DEFLATED),
    "noise": lambda to, ping: b"\x00\x81\xfe\x7f\xff",
}


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """``data`` cut at the places named, which count from its end when they are negative."""
    places = sorted({max(0, min(len(data), cut if cut >= 0 else len(data) + cut)) for cut in cuts})
    return [data[start:end] for start, end in pairwise([0, *places, len(data)]) if start < end]
