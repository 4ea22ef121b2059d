"""A peer that does not read costs bounded memory, and slows nobody who writes to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.log import context
from tests.support.peer import CLOSE, Peer
from tests.support.server import ServerProcess, wait_until

KIB = 1024
MIB = 1024 * KIB
MESSAGE = {"id": "slow", "fill": "a" * 60 * KIB}
OWN = {"id": "flooder", "type": "own"}
NOT_FOUND = "peer-not-found"


@pytest.fixture
def slow_socket() -> Iterator[socket.socket]:
    """A socket with a small receive buffer."""
    with socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        yield small


def slow_peer(server: ServerProcess, small: socket.socket) -> Peer:
    """A peer with the id ``slow`` that will not read."""
    small.connect(("127.0.0.1", server.port))
    peer = Peer.over(small)
    assert peer.upgrade("/slow")[0] == 101
    return peer


def flood(flooder: Peer, times: int) -> bool:
    """Send to the slow peer; whether it was there until the end.

    After each message the flooder sends one to itself: that this comes back
    is what "not slowed" means.
    """
    for _ in range(times):
        flooder.send(MESSAGE)
        flooder.send(OWN)
        answer = flooder.receive()
        if answer.get("code") == NOT_FOUND:
            assert flooder.receive() == OWN
            return False
        assert answer == OWN
    return True


def why_too_slow(server: ServerProcess) -> list[str]:
    """What the log says of slow peers."""
    return [line["bound"] for line in context(server.log, "peer is too slow")]


def test_a_full_queue(connect, slow_socket):
    """Beyond --max-backlog-bytes the slow peer is ended, long before its time is over."""
    flags = ("--slow-reader-timeout-s=3600", "--close-timeout-s=0.2")
    with ServerProcess(*flags) as server:
        slow_peer(server, slow_socket)
        flooder = connect(server, "/flooder")
        before = server.resident_bytes()
        assert not flood(flooder, times=1000)
        assert server.resident_bytes() - before < 8 * MIB
        wait_until(lambda: why_too_slow(server) == ["bytes"], what="the peer is found too slow")
        assert Peer.over(slow_socket).wait_for_end() == "reset"
        flooder.close()


def test_a_queue_that_stays_full(connect, slow_socket):
    """After --slow-reader-timeout-s the slow peer is ended, however much it may be sent."""
    flags = (
        "--slow-reader-timeout-s=0.5", "--max-backlog-bytes=1073741824", "--close-timeout-s=0.2",
    )  # fmt: skip
    with ServerProcess(*flags) as server:
        slow_peer(server, slow_socket)
        flooder = connect(server, "/flooder")
        flood(flooder, times=200)
        wait_until(lambda: why_too_slow(server) == ["time"], what="the peer is found too slow")
        assert not flood(flooder, times=1)
        flooder.close()


def test_a_slow_peer_that_catches_up(connect, slow_socket):
    """Reading in time empties the queue: every message arrives, and the peer stays."""
    with ServerProcess("--slow-reader-timeout-s=3600", "--max-backlog-bytes=1073741824") as server:
        slow = slow_peer(server, slow_socket)
        flooder = connect(server, "/flooder")
        assert flood(flooder, times=200)
        for _ in range(200):
            assert slow.receive() == MESSAGE | {"id": "flooder"}
        slow.send(OWN)
        assert flooder.receive()["id"] == "slow"
        slow.send_frame(CLOSE)
        slow.wait_for_end()
        flooder.close()
        assert why_too_slow(server) == []
