"""The usual request is read as Autobahn reads it, and everything else is left to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from rtcsig.websocket import opening
from rtcsig.websocket.opening import read_usual_request, upgrade_answer
from tests.support.memory import MemoryPeer, house_of, recording_dialect
from tests.support.peer import TEXT, frame

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LINE = "GET /ada?x=1 HTTP/1.1"
FIELDS = {
    "Host": "127.0.0.1:8000",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
CHROMIUM = FIELDS | {
    "Pragma": "no-cache",
    "Cache-Control": "no-cache",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    "Origin": "http://localhost:8080",
    "Accept-Encoding": "gzip, deflate, br",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
}
FIREFOX = CHROMIUM | {
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Extensions": "permessage-deflate",
    "Sec-WebSocket-Protocol": "spoken",
}
LINES = st.sampled_from(
    [
        LINE,
        "GET / HTTP/1.1",
        "GET //ada HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a%20b HTTP/1.1",
        "GET http://localhost/ada HTTP/1.1",
        "POST /ada HTTP/1.1",
        "GET /ada HTTP/1.0",
        "GET  /ada HTTP/1.1",
        "GET /ada  HTTP/1.1",
        "GET /a\x85b HTTP/1.1",
        "GET /[a HTTP/1.1",
        " GET /ada HTTP/1.1",
        "GET /ada",
        "",
        "GET /a;b=c&d=%zz HTTP/1.1",
        "get /ada HTTP/1.1",
    ]
)
VALUES = {
    "Host": [
        "localhost",
        "localhost:",
        "localhost:a",
        "[::1]:80",
        "[::1]",
        "a b",
        "",
        "::1",
        ":80",
    ],
    "Upgrade": ["WebSocket", "websocket, h2c", "h2c", "", "websocket,"],
    "Connection": [
        "upgrade",
        "keep-alive, Upgrade",
        "keep-alive,upgrade",
        "close",
        "Upgrade, x",
        "",
    ],
    "Sec-WebSocket-Key": ["", KEY + "=", KEY[:-1], "a" * 24, "=" * 24, KEY.replace("d", "-")],
    "Sec-WebSocket-Version": ["8", "13, 8", "", "013", "+13", "x", " 13 "],
    "Origin": [
        "http://localhost:8080",
        "null",
        "file://",
        "https://example.org",
        "app://",
        "http://a:99999",
        "http://a:6553",
        "http://",
        "",
        "HTTP://a",
        "http://a, http://b",
        "http://[::1",
    ],
    "Sec-WebSocket-Protocol": [
        "spoken",
        "other, spoken",
        "spoken, spoken",
        "",
        ",",
        "also-spoken,spoken",
        "a b",
    ],
    "Sec-WebSocket-Extensions": [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "x",
        "",
        ";",
        ",",
        "permessage-deflate;",
        "permessage-deflate; client_max_window_bits=99",
        "permessage-deflate, permessage-deflate",
    ],
    "X": ["", "y", "a:b", "\x85Upgrade: x", "\x0bOrigin: null"],
}
SPELLINGS = st.sampled_from([str, str, str, str.lower, str.upper, "{} ".format, " {}".format])
SEPARATORS = st.sampled_from([": ", ": ", ": ", ":", ":  ", ":\t", " : ", ""])
ENDS = st.sampled_from(["\r\n"] * 8 + ["\n", "\r", "\r\n ", "\x1c"])


@st.composite
def heads(draw):
    """A head that is usual but for some changes."""
    fields = list(draw(st.sampled_from([FIELDS, CHROMIUM, FIREFOX])).items())
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(VALUES)))
        value = draw(st.sampled_from(VALUES[name]))
        place = draw(st.integers(0, len(fields)))
        if draw(st.booleans()):
            fields = [field for field in fields if field[0] != name]
        if draw(st.integers(0, 3)):
            fields.insert(place, (name, value))
    odd = draw(st.integers(-3, len(fields)))
    lines = []
    for number, (name, value) in enumerate(fields):
        if number == odd:
            name = draw(SPELLINGS)(name) + draw(SEPARATORS)  # noqa: PLW2901 it is odd
            lines.append(name + value + draw(ENDS))
        else:
            lines.append(f"{name}: {value}\r\n")
    line = draw(LINES) if draw(st.integers(0, 3)) == 0 else LINE
    return (line + "\r\n" + "".join(lines) + "\r\n").encode("latin-1")


def outcome(pieces, compression, *, short):
    """What was answered, what the session heard, and where the connection is."""
    sessions = []
    house = house_of(Clock(), recording_dialect(sessions), compression=compression)
    peer = MemoryPeer(house)
    if not short:
        peer.protocol._take_request = lambda data: data
    peer.connect()
    for piece in pieces:
        peer.protocol.dataReceived(piece)
    heard = [(session.link.path, session.link.query, session.calls) for session in sessions]
    written = peer.transport.value()
    refusals = {status: count for (status, _), count in house.ledger.refusals.items()}
    return written, heard, peer.protocol._life, peer.transport.ends, refusals


@settings(max_examples=600)
@given(
    head=heads(),
    rest=st.sampled_from([b"", frame(TEXT, b"hello"), frame(TEXT, b"hello")[:4]]),
    cut=st.integers(0, 400) | st.none(),
    compression=st.sampled_from(["off", "deflate"]),
)
def test_both_ways_come_to_the_same(head, rest, cut, compression):
    """For any head, whole or in two pieces, with the first message behind it or not."""
    data = head + rest
    pieces = [data] if cut is None else [piece for piece in (data[:cut], data[cut:]) if piece]
    short = outcome(pieces, compression, short=True)
    assert short == outcome(pieces, compression, short=False)


@pytest.mark.parametrize("fields", [FIELDS, CHROMIUM, FIREFOX])
def test_usual_requests_do_not_reach_autobahn(fields):
    """Those of browsers and of libraries."""
    sessions = []
    peer = MemoryPeer(house_of(Clock(), recording_dialect(sessions)))
    peer.protocol._dataReceived = None
    peer.connect()
    head = [LINE, *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    peer.protocol.dataReceived("\r\n".join(head).encode() + frame(TEXT, b"hello"))
    assert sessions[0].calls == ["made", "opened", ("received", b"hello")]
    assert peer.http_answer()[0] == 101


def test_what_is_read():
    """Everything that somebody asks for later."""
    head = "\r\n".join([LINE, *(f"{name}: {value}" for name, value in FIREFOX.items())]).encode()
    request = read_usual_request(head)
    assert request == (head, "/ada?x=1", "http://localhost:8080", ("spoken",), KEY.encode(), True)


def head_with(*lines):
    """A usual head with these lines as well."""
    usual = [LINE, *(f"{name}: {value}" for name, value in FIELDS.items() if name != "Host")]
    return "\r\n".join([*usual, *lines]).encode()


def test_a_known_line_counts_twice_when_it_is_there_twice():
    """That it was read before makes no second one of it usual."""
    assert read_usual_request(head_with("Host: a")) is not None
    assert read_usual_request(head_with("Host: a", "Host: a")) is None
    assert read_usual_request(head_with("Host: a", "host: a")) is None


def test_what_is_remembered_is_bounded_and_nobodys_secret():
    """Whatever comes: no more than so many short lines, and neither keys, cookies nor tokens."""
    opening._remembered.clear()
    secrets = ("Cookie: session=1", "Authorization: 2", "Sec-WebSocket-Protocol: token-3")
    assert read_usual_request(head_with("Host: a", *secrets)) is not None
    assert opening._remembered.keys() == {
        b"Host: a",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
    }
    for number in range(opening._MAX_REMEMBERED):
        assert read_usual_request(head_with(f"Host: peer-{number}")) is not None
        assert len(opening._remembered) <= opening._MAX_REMEMBERED
    long = "Host: " + "a" * opening._MAX_REMEMBERED_BYTES
    assert read_usual_request(head_with(long)) is not None
    assert long.encode() not in opening._remembered


def test_the_answer_of_the_rfc():
    """RFC 6455, 1.3."""
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in upgrade_answer(
        KEY.encode(), None
    )
    assert b"Sec-WebSocket-Protocol: chat\r\n" in upgrade_answer(KEY.encode(), "chat")
