"""A peer that is silent for too long, in whichever way, is ended, and its id is free again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.peer import PING, PONG, Peer, request
from tests.support.server import ServerProcess, wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server that is in a hurry."""
    hurry = ("--open-timeout-s=0.5", "--ping-interval-s=0.5", "--pong-timeout-s=0.5")
    with ServerProcess(*hurry) as started:
        yield started


def is_free(server: ServerProcess, peer_id: str) -> bool:
    """Whether nobody is there under this id."""
    with Peer(server.port, "/seeker") as seeker:
        seeker.send({"id": peer_id, "type": "offer"})
        seeker.send({"id": "seeker", "type": "last"})
        code = seeker.receive().get("code")
        seeker.close()
    return code == "peer-not-found"


@pytest.mark.parametrize("said", [b"", request("/late")[:-2], request("/late")[:10]])
def test_a_handshake_without_end(server, connect, said):
    """It is answered 408 when its time is over, and the connection ends."""
    peer = connect(server)
    peer.socket.sendall(said)
    assert peer.http_answer()[0] == 408
    assert peer.wait_for_end() == "eof"


def test_a_handshake_by_drops(server, connect):
    """A byte now and then does not put the end off."""
    peer = connect(server)
    drops = iter(request("/drops", f"X-Long: {'a' * 10_000}"))

    def is_ended() -> bool:
        try:
            peer.socket.sendall(bytes([next(drops)]))
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    wait_until(is_ended, what="the server has enough")
    server.wait_for("status=408")


def test_no_answer_to_pings(server, connect):
    """A peer that reads and does not answer is taken for gone."""
    peer = connect(server, "/silent")
    assert not is_free(server, "silent")
    assert peer.receive_frame().opcode in {PING, 1}
    peer.wait_for_end()
    assert is_free(server, "silent")


def test_answers_to_pings(server, connect):
    """A peer that answers stays, for as many pings as there are."""
    peer = connect(server, "/alive")
    for _ in range(5):
        received = peer.receive_frame()
        assert received.opcode == PING
        peer.send_frame(PONG, received.payload)
    peer.send({"id": "alive", "type": "offer"})
    assert peer.receive() == {"id": "alive", "type": "offer"}
    peer.close()


def test_pongs_that_answer_nothing(server, connect):
    """A peer that sends whatever it likes and never reads is taken for gone too."""
    peer = connect(server, "/deaf")
    assert not is_free(server, "deaf")

    def is_ended() -> bool:
        try:
            peer.send_frame(PONG, b"unasked")
            peer.send({"id": "nobody", "type": "offer"})
        except (BrokenPipeError, ConnectionResetError):
            return True
        return False

    wait_until(is_ended, what="the server has enough")
    assert is_free(server, "deaf")
