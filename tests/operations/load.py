"""Peers in pairs that exchange messages until they are told to stop."""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from types import TracebackType

from tests.support.peer import Peer

__all__ = ["NO_ID", "Load", "refused"]

# An id that no peer may have: it is a control character.
NO_ID = "/%00"
_SEED = 1
# It ends by itself, whatever becomes of the test.
_MAX_ROUNDS = 5000
_PAUSE_S = 0.02
_REFUSED_EVERY = 10
_JOIN_TIMEOUT_S = 30.0


def refused(port: int) -> None:
    """Ask for a WebSocket that is not given."""
    with Peer(port) as peer:
        status, _, _ = peer.upgrade(NO_ID)
        assert status == 400, status


class Load:
    """``pairs`` pairs of peers, of which some exchange a message in each round.

    Every message is awaited where it is to arrive, and every tenth round has a
    request that is refused. Used as a context manager; leaving it closes the
    peers, and raises what went wrong meanwhile.
    """

    def __init__(self, port: int, pairs: int) -> None:
        self.peers = 2 * pairs
        self.rounds = 0
        self._port = port
        self._pairs: list[tuple[Peer, Peer]] = []
        self._told_to_stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._stack = ExitStack()
        self._random = random.Random(_SEED)

    def __enter__(self) -> Load:
        with ExitStack() as stack:
            for number in range(self.peers // 2):
                names = (f"/ann-{number}", f"/bob-{number}")
                ann, bob = (stack.enter_context(Peer(self._port, name)) for name in names)
                self._pairs.append((ann, bob))
            self._stack = stack.pop_all()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            self._told_to_stop.set()
            self._thread.join(_JOIN_TIMEOUT_S)
            assert not self._thread.is_alive()
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        try:
            while self.rounds < _MAX_ROUNDS and not self._told_to_stop.wait(_PAUSE_S):
                self._round()
                self.rounds += 1
            for peer in [peer for pair in self._pairs for peer in pair]:
                peer.close()
        except Exception as error:  # noqa: BLE001 the test's thread raises it
            self._error = error

    def _round(self) -> None:
        if self.rounds % _REFUSED_EVERY == 0:
            refused(self._port)
        talking = self._random.randint(1, len(self._pairs))
        # Each pair reads often enough to answer its pings.
        for number in self._random.sample(range(len(self._pairs)), talking):
            ann, bob = self._pairs[number]
            _pass(ann, bob, f"bob-{number}")
            _pass(bob, ann, f"ann-{number}")


def _pass(sender: Peer, receiver: Peer, receiver_id: str) -> None:
    sender.send({"id": receiver_id, "type": "candidate"})
    assert receiver.receive()["type"] == "candidate"
