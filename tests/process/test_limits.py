"""What one client may send is bounded, and what is beyond the bound is answered by its name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.log import unexpected
from tests.support.peer import BINARY, CLOSE, TEXT, Peer, frame, request
from tests.support.server import ServerProcess

KIB = 1024
MIB = 1024 * KIB
RSV1 = 4
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
NOTICEABLE_BYTES = 2 * MIB


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server with the default limits and no hurry."""
    with ServerProcess("--open-timeout-s=3600", "--close-timeout-s=20") as started:
        with Peer(started.port, "/first") as first:
            first.close()
        yield started


def send_all(peer: Peer, data: bytes) -> None:
    """Send, whether or not the server still wants it."""
    with suppress(BrokenPipeError, ConnectionResetError):
        peer.socket.sendall(data)


def close_code(peer: Peer) -> int:
    """The code that the server closes with; the close is answered."""
    received = peer.receive_frame()
    send_all(peer, frame(CLOSE, received.payload[:2]))
    peer.wait_for_end()
    return received.close_code


def test_a_request_head_byte_by_byte(server, connect):
    """A head that comes in single bytes is a head."""
    peer = connect(server)
    for byte in request("/slowly"):
        peer.socket.sendall(bytes([byte]))
    assert peer.http_answer()[0] == 101
    peer.close()


def test_a_request_head_that_is_too_large(server, connect):
    """Beyond 16 KiB the answer is 431, and the connection ends."""
    peer = connect(server)
    peer.socket.sendall(request("/large", f"X-Large: {'a' * 17 * KIB}")[:-4])
    assert peer.http_answer()[0] == 431
    assert peer.wait_for_end() == "eof"


def test_a_request_head_just_below_the_limit(server, connect):
    """A head of 16 KiB less a few bytes is taken."""
    peer = connect(server)
    assert peer.upgrade("/large", f"X-Large: {'a' * (16 * KIB - 400)}")[0] == 101
    peer.close()


def test_ten_megabytes_of_nothing(server, connect):
    """A flood in place of a request is answered 431 or cut, and is kept nowhere."""
    before = server.resident_bytes()
    peer = connect(server)
    send_all(peer, b"a" * 10 * MIB)
    try:
        assert peer.http_answer()[0] == 431
    except ConnectionResetError:
        server.wait_for("request refused")
    peer.socket.close()
    assert server.resident_bytes() - before < NOTICEABLE_BYTES


def test_the_largest_message(server, connect):
    """A message of exactly 64 KiB is passed on."""
    peer = connect(server, "/large")
    message = b'{"id":"large","fill":"%b"}'
    message %= b"a" * (64 * KIB - len(message) + 2)
    assert len(message) == 64 * KIB
    peer.send(message)
    assert peer.receive_raw() == message
    peer.close()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_that_is_too_large(server, connect, opcode):
    """One byte more is answered with 1009."""
    peer = connect(server, "/large")
    peer.send_frame(opcode, b"a" * (64 * KIB + 1))
    assert close_code(peer) == 1009


def test_a_length_that_is_too_large(server, connect):
    """The announcement of a message of 2^62 bytes is enough for 1009."""
    peer = connect(server, "/large")
    peer.socket.sendall(bytes([0x81, 0x80 | 127]) + (1 << 62).to_bytes(8, "big") + b"mask")
    assert peer.receive_frame().close_code == 1009


def test_a_fragmented_message_that_is_too_large(server, connect):
    """Fragments count together."""
    peer = connect(server, "/large")
    peer.send_frame(TEXT, b"a" * 40 * KIB, final=False)
    send_all(peer, frame(0, b"a" * 40 * KIB))
    assert close_code(peer) == 1009


def test_a_message_without_end(server, connect):
    """A message of which one small fragment after the other comes ends with 1009 as well."""
    before = server.resident_bytes()
    peer = connect(server, "/large")
    peer.send_frame(TEXT, b"a", final=False)
    send_all(peer, frame(0, b"a" * 100, final=False) * 10_000)
    assert close_code(peer) == 1009
    assert server.resident_bytes() - before < NOTICEABLE_BYTES


def test_a_compressed_bomb(connect):
    """A small frame that inflates to more than the limit ends with 1009, and is not inflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"a" * 50 * MIB) + packer.flush(zlib.Z_SYNC_FLUSH)
    bomb = bomb.removesuffix(b"\x00\x00\xff\xff")
    assert len(bomb) < 64 * KIB
    with ServerProcess("--compression=deflate", "--close-timeout-s=3600") as server:
        connect(server, "/first", DEFLATE).close()
        before = server.resident_bytes()
        peer = connect(server, "/bomb", DEFLATE)
        peer.send_frame(TEXT, bomb, rsv=RSV1)
        send_all(peer, frame(BINARY, b"a" * 60 * KIB) * 100)
        assert close_code(peer) == 1009
        assert server.resident_bytes() - before < NOTICEABLE_BYTES


def test_compression_that_was_not_agreed(server, connect):
    """By default permessage-deflate is not agreed to, and a compressed frame is 1002."""
    peer = connect(server)
    status, fields, _ = peer.upgrade("/plain", DEFLATE)
    assert status == 101
    assert "sec-websocket-extensions" not in fields
    peer.send_frame(TEXT, b"a", rsv=RSV1)
    assert close_code(peer) == 1002


@pytest.mark.parametrize(
    ("faulty", "code"),
    [
        (frame(TEXT, b"{}", masked=False), 1002),
        (frame(TEXT, b"{}", rsv=1), 1002),
        (frame(3), 1002),
        (frame(0, b"nothing to continue"), 1002),
        (frame(9, b"a" * 126), 1002),
        (frame(9, final=False), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, b"\xed\xa0\x80"), 1007),
        (frame(TEXT, b"\xc3", final=False) + frame(0, b"\x28"), 1007),
    ],
    ids=[
        "unmasked", "rsv", "opcode", "continuation", "long-ping", "ping-fragment",
        "close-of-one-byte", "close-1005", "utf-8", "surrogate", "utf-8-in-fragments",
    ],
)  # fmt: skip
def test_a_fault_in_the_protocol(server, connect, faulty, code):
    """A frame that the RFC forbids is answered with the code that the RFC names."""
    peer = connect(server, "/faulty")
    peer.socket.sendall(faulty)
    assert close_code(peer) == code


def test_nothing_of_this_is_an_alarm(server):
    """Faults of clients are lines of the level info, and no tracebacks."""
    assert "Traceback" not in server.log
    assert unexpected(server.log) == []
