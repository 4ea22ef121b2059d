"""Who wants to know of whom, and is told of each change once."""

from __future__ import annotations

from collections.abc import Iterable

from rtcsig.hub.terms import Member, State

__all__ = ["Watchers"]


class Watchers:
    """The subscriptions of one namespace: ``of`` has those for each id that is watched."""

    def __init__(self) -> None:
        self.of: dict[str, dict[Member, None]] = {}

    def add(self, peer_id: str, watcher: Member) -> None:
        """Tell ``watcher`` of changes from now on."""
        self.of.setdefault(peer_id, {})[watcher] = None

    def remove(self, peer_ids: Iterable[str], watcher: Member) -> None:
        """Tell it no more of these."""
        for peer_id in peer_ids:
            watchers = self.of.get(peer_id)
            if watchers is not None:
                watchers.pop(watcher, None)
                if not watchers:
                    del self.of[peer_id]

    def changed(self, peer_id: str, state: State) -> None:
        """Tell all who watch this peer where it is now."""
        for watcher in tuple(self.of.get(peer_id, ())):
            watcher.presence(peer_id, state)
