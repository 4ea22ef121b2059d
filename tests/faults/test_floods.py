"""Peers that say too much."""

from __future__ import annotations

from contextlib import suppress

from tests.faults.trial import Trial
from tests.support.peer import CLOSE, PING, TEXT, Peer, frame

KIB = 1024
MAX_GROWTH_BYTES = 16 * 1024 * KIB


def close_code(peer: Peer) -> int:
    """The code of the close frame, behind whatever answers there are; then the peer goes."""
    while (received := peer.receive_frame()).opcode != CLOSE:
        pass
    peer.reset()
    return received.close_code


def flood(run: Trial, data: bytes, name: str) -> Peer:
    """A peer that has sent this, or as much as the server took; it has read nothing."""
    peer = run.connected(f"/{name}")
    with suppress(BrokenPipeError, ConnectionResetError):
        peer.socket.sendall(data)
    return peer


def test_a_flood_of_messages(trial):
    """1008 when more than five seconds' worth have come at once."""
    how = "10,000 messages at once, to a peer that is not there"
    with trial("19.1", how, "--max-message-rate=1000") as run:
        messages = frame(TEXT, b'{"id":"nobody"}') * 10_000
        with run.fault():
            for _ in run.repeat():
                assert close_code(flood(run, messages, "flooder")) == 1008
        assert run.count("excesses", reason="messages") == run.repetitions
        run.seen = "1008 for each"


def test_a_flood_of_bytes(trial):
    """The same for bytes."""
    with trial("19.2", "messages of 32 KiB to oneself", "--max-byte-rate=65536") as run:
        message = b'{"id":"flooder","fill":"%b"}' % (b"a" * 32 * KIB)
        messages = frame(TEXT, message) * 20
        with run.fault():
            for _ in run.repeat():
                assert close_code(flood(run, messages, "flooder")) == 1008
        assert run.count("excesses", reason="bytes") == run.repetitions
        run.seen = "1008 for each"


def test_a_flood_of_pings(trial):
    """1008 for pings whose answers are not read, and no answers are piled up."""
    with trial("20", "10,000 pings at once") as run:
        resident_bytes = run.server.resident_bytes()
        pings = frame(PING, b"a" * 125) * 10_000
        with run.fault():
            for _ in run.repeat():
                assert close_code(flood(run, pings, "flooder")) == 1008
        grown_bytes = run.server.resident_bytes() - resident_bytes
        assert grown_bytes < MAX_GROWTH_BYTES
        assert run.count("excesses", reason="control frames") == run.repetitions
        run.seen = f"1008 for each; the server grew by {grown_bytes / KIB:.0f} KiB in all"
