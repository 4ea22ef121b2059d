"""Clients that reset their connections cost nothing: no alarm in the log, no descriptor."""

from __future__ import annotations

import json
import random

from tests.support.log import unexpected
from tests.support.peer import TEXT, Peer, frame, request
from tests.support.server import ServerProcess, wait_until

_SEED = 20


def serves(server: ServerProcess) -> bool:
    """Whether a new client is served."""
    with Peer(server.port, "/next") as peer:
        peer.send({"id": "next", "type": "offer"})
        return peer.receive() == {"id": "next", "type": "offer"}


def test_a_thousand_resets_before_accept():
    """Clients that are gone when they are accepted are no news, and the next one is served."""
    with ServerProcess() as server:
        base = server.descriptors()
        with server.frozen():
            for _ in range(1000):
                Peer(server.port).reset()
        assert serves(server)
        wait_until(lambda: server.descriptors() == base, what="all descriptors are given back")
        assert server.stop() == 0
        assert unexpected(server.log) == []


def reset_at_random(server: ServerProcess, chance: random.Random) -> None:
    """One client that resets within its request, behind it, or within a message."""
    peer = Peer(server.port)
    said = request(f"/peer-{chance.randrange(20)}")
    if chance.random() < 0.5:
        said = said[: chance.randrange(len(said) + 1)]
    peer.socket.sendall(said)
    if said.endswith(b"\r\n\r\n") and chance.random() < 0.7:
        assert peer.http_answer()[0] == 101
        message = json.dumps({"id": f"peer-{chance.randrange(20)}", "type": "offer"}).encode()
        frames = frame(TEXT, message) * 3
        peer.socket.sendall(frames[: chance.randrange(len(frames) + 1)])
    peer.reset()


def test_resets_at_random_points():
    """Wherever in its life a connection is reset, nothing of it stays behind."""
    chance = random.Random(_SEED)
    with ServerProcess() as server:
        base = server.descriptors()
        for _ in range(200):
            reset_at_random(server, chance)
        assert serves(server)
        wait_until(lambda: server.descriptors() == base, what="all descriptors are given back")
        assert server.stop() == 0
        assert unexpected(server.log) == []
