"""The registrations of peers, and the way of a message from one to another.

A namespace is one mount of one dialect: peers of different mounts never see
each other. The rule that everything here serves: *an id belongs to its newest
claim, and the end of an older claim takes nothing from the newer one.*
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["Hub", "Member", "Namespace"]


class Member(Protocol):
    """What the hub asks of the session that holds an id. Neither call may raise."""

    def deliver(self, message: bytes) -> None:
        """Take a message that is for this member."""

    def displaced(self) -> None:
        """A newer claim has the id now; this member holds it no longer."""


class Namespace:
    """The peers of one mount: look-up, claim and release are O(1)."""

    __slots__ = ("_members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._members: dict[str, Member] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._members

    def claim(self, peer_id: str, member: Member) -> None:
        """Give ``peer_id`` to ``member``; a former holder is told that it lost the id."""
        former = self._members.get(peer_id)
        self._members[peer_id] = member
        if former is not None and former is not member:
            former.displaced()

    def release(self, peer_id: str, member: Member) -> None:
        """End the registration of ``member``, if it is still the holder of ``peer_id``."""
        if self._members.get(peer_id) is member:
            del self._members[peer_id]

    def route(self, peer_id: str, message: bytes) -> bool:
        """Hand ``message`` to the holder of ``peer_id``; False when nobody holds it."""
        member = self._members.get(peer_id)
        if member is None:
            return False
        member.deliver(message)
        return True


class Hub:
    """All namespaces of one server."""

    def __init__(self) -> None:
        self._namespaces: dict[str, Namespace] = {}

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._namespaces.values())

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name, made when it is asked for first."""
        return self._namespaces.setdefault(name, Namespace(name))
