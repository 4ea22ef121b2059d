"""Bytes that are too many, not allowed, or end in the middle."""

from __future__ import annotations

import random
import socket
import zlib
from contextlib import suppress

from tests.faults.trial import Trial
from tests.support.peer import BINARY, CLOSE, PING, TEXT, Peer, frame, request

KIB = 1024
MIB = 1024 * KIB
RSV1 = 4
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
MAX_GROWTH_BYTES = 16 * MIB
DOCUMENTED = {1000, 1001, 1002, 1007, 1008, 1009, 1011, 1013, 4500}
CONVERSATIONS = 20


def send_all(peer: Peer, data: bytes) -> None:
    """Send, whether or not the server still wants it."""
    with suppress(BrokenPipeError, ConnectionResetError):
        peer.socket.sendall(data)


def close_code(peer: Peer, *, answers: bool = True) -> int:
    """The code that the server closes with, whatever comes before; the close is answered."""
    while (received := peer.receive_frame()).opcode != CLOSE:
        pass
    if not answers:
        peer.reset()
        return received.close_code
    send_all(peer, frame(CLOSE, received.payload[:2]))
    peer.wait_for_end()
    peer.socket.close()
    return received.close_code


def test_a_head_without_end(trial):
    """431 or a cut, and nothing of it is kept."""
    with trial("12", "up to 10 MB of `a`") as run:
        resident_bytes = run.server.resident_bytes()
        with run.fault():
            for _ in run.repeat():
                peer = run.connected()
                send_all(peer, b"a" * run.random.randrange(32 * KIB, 10 * MIB))
                with suppress(ConnectionResetError):
                    assert peer.http_answer()[0] == 431
                peer.socket.close()
        grown_bytes = run.server.resident_bytes() - resident_bytes
        assert grown_bytes < MAX_GROWTH_BYTES
        assert run.count("refusals", status="431") == run.repetitions
        run.seen = f"431 for each; the server grew by {grown_bytes / MIB:.1f} MiB in all"


def conversation(chance: random.Random) -> bytes:
    """What a peer says in its life."""
    name = f"peer-{chance.randrange(CONVERSATIONS)}"
    messages = [
        b'{"id":"peer-%d","type":"offer","fill":"%b"}'
        % (chance.randrange(CONVERSATIONS), b"a" * chance.randrange(2000))
        for _ in range(chance.randrange(1, 5))
    ]
    frames = [frame(TEXT, message) for message in messages]
    return request(f"/{name}") + b"".join(frames) + frame(PING) + frame(CLOSE, b"\x03\xe8")


def end_somewhere(run: Trial, ends: list[str]) -> None:
    """Say a part of a conversation and end it in one of three ways."""
    peer = run.connected()
    said = conversation(run.random)
    send_all(peer, said[: run.random.randrange(len(said) + 1)])
    if run.random.random() < 0.5:
        # Let the server answer first, if there is an answer.
        peer.socket.settimeout(0.01)
        with suppress(TimeoutError, ConnectionResetError):
            peer.socket.recv(65_536)
    how = run.random.choice(("reset", "FIN", "half-close"))
    ends.append(how)
    if how == "reset":
        peer.reset()
    elif how == "half-close":
        with suppress(OSError):
            peer.socket.shutdown(socket.SHUT_WR)
        peer.socket.settimeout(15)
        peer.wait_for_end()
    peer.socket.close()


def test_an_end_in_the_middle(trial):
    """Wherever a connection ends, and however, it is cleaned up once."""
    with trial("16", "a conversation that stops at a random byte") as run:
        ends: list[str] = []
        with run.fault():
            for _ in run.repeat(20 * CONVERSATIONS):
                end_somewhere(run, ends)
        counts = ", ".join(f"{ends.count(how)} {how}" for how in sorted(set(ends)))
        assert not run.count("callback_failures")
        run.seen = f"all cleaned up, no traceback ({counts})"


def bomb() -> bytes:
    """A few dozen kilobytes that inflate to 50 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(b"a" * 50 * MIB) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(b"\x00\x00\xff\xff")


def test_too_large(trial):
    """1009, before the rest has come and before anything is inflated."""
    announced = bytes([0x81, 0x80 | 127]) + (1 << 62).to_bytes(8, "big") + b"mask"
    fragments = frame(TEXT, b"a", final=False) + frame(0, b"a" * 100, final=False) * 10_000
    packed = frame(TEXT, bomb(), rsv=RSV1)
    with trial("17", "each of the four", "--compression=deflate") as run:
        # The first use of zlib and of large buffers.
        assert close_code(oversized(run, packed, DEFLATE)) == 1009
        resident_bytes = run.server.resident_bytes()
        with run.fault():
            for _ in run.repeat():
                large = frame(run.random.choice((TEXT, BINARY)), b"a" * 65_537)
                assert close_code(oversized(run, large)) == 1009
                # An answer would stand within the frame that was announced.
                assert close_code(oversized(run, announced), answers=False) == 1009
                assert close_code(oversized(run, fragments)) == 1009
                assert close_code(oversized(run, packed, DEFLATE)) == 1009
        grown_bytes = run.server.resident_bytes() - resident_bytes
        assert grown_bytes < MAX_GROWTH_BYTES
        run.seen = (
            f"1009 for all {4 * run.repetitions}; the server grew by {grown_bytes / MIB:.1f} MiB"
        )


def oversized(run: Trial, data: bytes, *lines: str) -> Peer:
    """A peer that has sent this."""
    peer = run.connected("/large", *lines)
    send_all(peer, data)
    return peer


FORBIDDEN = {
    "unmasked": (frame(TEXT, b"{}", masked=False), 1002),
    "rsv": (frame(TEXT, b"{}", rsv=1), 1002),
    "opcode": (frame(3), 1002),
    "continuation": (frame(0, b"nothing to continue"), 1002),
    "long ping": (frame(PING, b"a" * 126), 1002),
    "ping in fragments": (frame(PING, final=False), 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close 1005": (frame(CLOSE, (1005).to_bytes(2, "big")), 1002),
    "utf-8": (frame(TEXT, b"\xff"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
}
NO_JSON = (b"", b"{", b"[" * 10_000, b'{"id":', b"nul", b'{"a":1}', b'{"id":null}', b'"id"')


def assert_answered(run: Trial) -> None:
    """What is no message of the dialect is answered, and the peer stays."""
    with run.connected("/clumsy") as peer:
        for text in run.random.sample(NO_JSON, len(NO_JSON)):
            peer.send(text)
            assert peer.receive()["type"] == "error"
        peer.close()


def fuzz(run: Trial) -> int | None:
    """Send random bytes; the close code, or None when there was no close frame."""
    peer = run.connected("/fuzz")
    peer.socket.sendall(run.random.randbytes(run.random.randrange(1, 2000)))
    peer.socket.shutdown(socket.SHUT_WR)
    try:
        return close_code(peer)
    except (EOFError, ConnectionResetError):
        peer.socket.close()
        return None


def test_what_is_forbidden(trial):
    """The code that the RFC names, and none that is not documented for whatever else comes."""
    how = "ten breaches of the RFC, eight messages that are none, random bytes"
    with trial("18", how) as run:
        codes = set()
        with run.fault():
            for _ in run.repeat():
                for name in run.random.sample(list(FORBIDDEN), len(FORBIDDEN)):
                    data, code = FORBIDDEN[name]
                    assert close_code(oversized(run, data)) == code, name
                assert_answered(run)
                codes.add(fuzz(run))
        assert codes - {None} <= DOCUMENTED
        run.seen = "1002 or 1007; an answer with the error; only documented codes"
