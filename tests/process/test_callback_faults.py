"""A bug in a dialect costs the connection that met it, and tells the peer nothing of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.log import context
from tests.support.peer import CLOSE, TEXT, Peer, request
from tests.support.server import ServerProcess, wait_until

FAULT = Path(__file__).parent / "faults" / "session_raises.py"
SECRET = "secret text"


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server whose sessions fail, with two peers that must notice nothing of it."""
    with ServerProcess(patch=FAULT) as started:
        base = started.descriptors()
        with Peer(started.port, "/ann") as ann, Peer(started.port, "/bob") as bob:
            assert relays(ann, bob)
            yield started
            assert relays(ann, bob)
        wait_until(lambda: started.descriptors() == base, what="all descriptors are given back")
        assert started.stop() == 0
        failures = context(started.log, "connection failed")
        assert len(failures) == started.log.count("Traceback") == 1


def relays(ann: Peer, bob: Peer) -> bool:
    """Whether a message goes from one to the other and back."""
    ann.send({"id": "bob", "type": "offer"})
    offer = bob.receive()
    bob.send({"id": "ann", "type": "answer"})
    return (offer, ann.receive()) == (
        {"id": "ann", "type": "offer"},
        {"id": "bob", "type": "answer"},
    )


def stages(server: ServerProcess) -> list[str]:
    """At which stages connections failed, by the log, which has at least one."""
    server.wait_for("connection failed")
    return [line["stage"] for line in context(server.log, "connection failed")]


def is_told_1011(peer: Peer) -> bool:
    """Whether the peer is closed with 1011 and a reason that tells nothing."""
    received = peer.receive_frame()
    assert SECRET.encode() not in received.payload
    peer.send_frame(CLOSE, received.payload[:2])
    return received.close_code == 1011 and peer.wait_for_end() in {"eof", "reset"}


def reaches(server: ServerProcess, peer_id: str) -> bool:
    """Whether somebody is there under this id."""
    with Peer(server.port, "/seeker") as seeker:
        seeker.send({"id": peer_id, "type": "offer"})
        seeker.send({"id": "seeker", "type": "last"})
        first = seeker.receive()
        seeker.close()
    return first["type"] == "last"


def test_a_session_that_cannot_be_made(server, connect):
    """The answer is 500, and nothing in its bytes tells of the exception."""
    peer = connect(server)
    peer.socket.sendall(request("/eve/bad-made"))
    answer = b""
    while more := peer.socket.recv(65_536):
        answer += more
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert answer.endswith(b"\r\n\r\na fault of the server\n")
    assert b"secret" not in answer
    assert b"RuntimeError" not in answer
    assert stages(server) == ["admission"]


def test_a_session_that_fails_when_it_opens(server, connect):
    """The peer is closed with 1011, and its id is free again."""
    assert is_told_1011(connect(server, "/eve/bad-opened"))
    assert not reaches(server, "eve")
    assert stages(server) == ["open"]


def test_a_session_that_fails_on_a_message(server, connect):
    """The peer is closed with 1011, and its id is free again."""
    peer = connect(server, "/eve/bad-received")
    assert reaches(server, "eve")
    assert peer.receive()["id"] == "seeker"
    peer.send({"id": "bob", "type": "offer"})
    assert is_told_1011(peer)
    assert not reaches(server, "eve")
    assert stages(server) == ["message"]


def test_a_failing_message_in_fragments(server, connect):
    """A message that took the long way through the parser fails like any other."""
    peer = connect(server, "/eve/bad-received")
    peer.send_frame(TEXT, b'{"id":', final=False)
    peer.send_frame(0, b'"bob"}')
    assert is_told_1011(peer)
    assert not reaches(server, "eve")
    assert stages(server) == ["message"]


def test_a_session_that_fails_when_it_is_closed(server, connect):
    """The closing handshake is done all the same, and a new peer gets the id."""
    assert connect(server, "/eve/bad-closed").close().close_code == 1000
    assert stages(server) == ["close"]
    successor = connect(server, "/eve")
    assert reaches(server, "eve")
    assert successor.receive()["id"] == "seeker"


def test_a_session_that_fails_when_its_peer_is_gone(server, connect):
    """A reset of the peer ends in the same way: one line, and the id is a new peer's."""
    connect(server, "/eve/bad-closed").reset()
    assert stages(server) == ["close"]
    successor = connect(server, "/eve")
    assert reaches(server, "eve")
    assert successor.receive()["id"] == "seeker"
