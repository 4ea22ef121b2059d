"""Peers as the hub sees them, and time that passes by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock

from rtcsig.door.deadlines import Deadlines
from rtcsig.hub import Code, Hub, Namespace, SameId, State, Terms

__all__ = ["KEPT", "Recorder", "Scene"]

# What the server does by default, but that the newest claim has the id.
KEPT = Terms(
    same_id=SameId.REPLACE,
    resume_grace_s=30,
    hold_absent_s=5,
    max_held_messages=4,
    max_held_bytes=1 << 12,
    max_kept_bytes=1 << 16,
)


class Recorder:
    """A member that keeps what it gets, and gives its id back when it is displaced."""

    def __init__(
        self, namespace: Namespace, peer_id: str, token: str = "", *, acknowledges: bool = False
    ) -> None:
        self.peer_id = peer_id
        self.token = token
        self.acknowledges = acknowledges
        self.messages: list[bytes] = []
        self.outcomes: list[tuple[str, Any, Code]] = []
        self.presences: list[tuple[str, State]] = []
        self.probes: list[Callable[[], None]] = []
        self.is_displaced = False
        self.is_lost = False
        self.loses_at: bytes | None = None
        self.loses_at_outcome = False
        self._namespace = namespace

    def deliver(self, message: bytes) -> bool:
        """Keep a message, or lose the connection for it."""
        if message == self.loses_at:
            return self._lose()
        self.messages.append(message)
        return True

    def _lose(self) -> bool:
        self.is_lost = True
        self._namespace.release(self.peer_id, self, lost=True)
        return False

    def displaced(self) -> None:
        """Leave, as connections do."""
        self.is_displaced = True
        self._namespace.release(self.peer_id, self)

    def probe(self, answered: Callable[[], None]) -> None:
        """Keep who wants to know."""
        self.probes.append(answered)

    def outcome(self, destination: str, receipt: object, code: Code) -> bool:
        """Keep what became of a message, or lose the connection for it."""
        if self.loses_at_outcome:
            return self._lose()
        self.outcomes.append((destination, receipt, code))
        return True

    def presence(self, peer_id: str, state: State) -> None:
        """Keep where a watched peer is."""
        self.presences.append((peer_id, state))


class Scene:
    """One namespace on its terms, with a clock."""

    def __init__(self, terms: Terms = KEPT) -> None:
        self.clock = Clock()
        self.hub = Hub(terms, Deadlines(self.clock))
        self.namespace = self.hub.namespace("/")

    def join(self, peer_id: str, token: str = "", *, acknowledges: bool = False) -> Recorder:
        """A peer that is let in and claims its id."""
        self.namespace.admit(peer_id, token)
        member = Recorder(self.namespace, peer_id, token, acknowledges=acknowledges)
        self.namespace.claim(peer_id, member)
        return member

    def turn(self) -> None:
        """Let those be called who wait for a decision that is made."""
        self.clock.advance(0)

    def lose(self, member: Recorder) -> None:
        """The member's connection is lost."""
        self.namespace.release(member.peer_id, member, lost=True)

    def leave(self, member: Recorder) -> None:
        """The member's peer says good-bye."""
        self.namespace.release(member.peer_id, member)

    def send(self, sender: Recorder, destination: str, message: bytes) -> Code | None:
        """Send a message as a session does, with itself as receipt; why it is not kept."""
        if self.namespace.route(destination, message):
            return None
        return self.namespace.hold(destination, message, sender.peer_id, message)
