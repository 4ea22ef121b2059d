"""The registrations of peers, and the way of a message from one to another.

A namespace is one mount of one dialect: peers of different mounts never see
each other. The rule that everything here serves: *an id belongs to its newest
claim, and the end of an older claim takes nothing from the newer one.* Whether a
claim may be made while another has the id is asked before (``admit``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hmac import compare_digest

from rtcsig.hub.contest import Contest, InDoubt, Taken
from rtcsig.hub.keeping import Keeping, WaitingRoom
from rtcsig.hub.presence import Watchers
from rtcsig.hub.terms import Code, Member, SameId, State, Terms, Timers

__all__ = ["Hub", "Namespace"]


class Namespace:
    """The peers of one mount: look-up, claim and release are O(1)."""

    __slots__ = ("_contests", "_keeping", "_members", "_room", "_watchers", "name")

    def __init__(self, name: str, keeping: Keeping | None = None) -> None:
        self.name = name
        self._keeping = keeping or Keeping(Terms())
        self._members: dict[str, Member] = {}
        self._contests: dict[str, Contest] = {}
        self._watchers = Watchers()
        self._room = WaitingRoom(self._keeping, self._members, self._grace_is_over)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._members

    @property
    def away(self) -> int:
        """How many peers were lost and may come back."""
        return self._room.away

    @property
    def resume_grace_s(self) -> float:
        """For how long a peer that is lost may come back."""
        return self._keeping.terms.resume_grace_s

    # -- who has an id --------------------------------------------------------------

    def recognises(self, peer_id: str, token: str) -> bool:
        """Whether ``token`` proves that its bearer is the peer with this id, here or away."""
        holder = self._members.get(peer_id)
        expected = self._room.token_of(peer_id) if holder is None else holder.token
        # What is shown comes from a URL, and need not be ASCII.
        return bool(expected) and compare_digest(expected.encode(), token.encode())

    def admit(self, peer_id: str, token: str = "") -> None:
        """Find out whether a claim may be made now.

        Raises ``Taken`` when it may not, ``InDoubt`` when that has to be waited for.
        """
        holder = self._members.get(peer_id)
        if holder is None:
            return
        same_id = self._keeping.terms.same_id
        if same_id is SameId.REPLACE or self.recognises(peer_id, token):
            return
        if same_id is SameId.REJECT:
            raise Taken
        contest = self._contests.get(peer_id)
        if contest is None:
            contest = self._contests[peer_id] = self._contest(peer_id, holder)
            contest.ask()
            if peer_id not in self._members:
                return
        if contest.is_won_by_holder:
            raise Taken
        raise InDoubt(contest)

    def _contest(self, peer_id: str, holder: Member) -> Contest:
        def silent(holder: Member) -> None:
            self._remove(peer_id, holder, is_lost=True)
            holder.displaced()

        def over() -> None:
            del self._contests[peer_id]

        keeping = self._keeping
        return Contest(holder, keeping.timers, keeping.terms.probe_s, silent, over)

    def claim(self, peer_id: str, member: Member) -> None:
        """Give ``peer_id`` to ``member``, which gets what was held for the peer.

        A former holder is told that it lost the id.
        """
        former = self._members.get(peer_id)
        self._members[peer_id] = member
        if former is not None and former is not member:
            former.displaced()
        if former is None:
            self._tell(peer_id, State.HERE)
        self._room.came(peer_id, member)
        if self._contests:
            self._end_contest(peer_id)

    def release(self, peer_id: str, member: Member, *, lost: bool = False) -> None:
        """End the registration of ``member``, if it is still the holder of ``peer_id``.

        One that is ``lost`` may come back within its grace time.
        """
        if self._remove(peer_id, member, is_lost=lost) and self._contests:
            self._end_contest(peer_id)

    def _remove(self, peer_id: str, member: Member, *, is_lost: bool) -> bool:
        if self._members.get(peer_id) is not member:
            return False
        del self._members[peer_id]
        if is_lost and self._room.lost(peer_id, member.token):
            self._tell(peer_id, State.AWAY)
        else:
            self._room.left(peer_id)
            self._tell(peer_id, State.ABSENT)
        return True

    def _grace_is_over(self, peer_id: str) -> None:
        self._tell(peer_id, State.ABSENT)

    def _tell(self, peer_id: str, state: State) -> None:
        if peer_id in self._watchers.of:
            self._watchers.changed(peer_id, state)

    def _end_contest(self, peer_id: str) -> None:
        contest = self._contests.pop(peer_id, None)
        if contest is not None:
            contest.end()

    # -- messages -------------------------------------------------------------------

    def route(self, peer_id: str, message: bytes) -> bool:
        """Hand ``message`` to the holder of ``peer_id``; False when nobody holds it (any more)."""
        member = self._members.get(peer_id)
        return member is not None and member.deliver(message)

    def acknowledges(self, peer_id: str) -> bool:
        """Whether the holder of this id tells senders itself what has arrived."""
        member = self._members.get(peer_id)
        return member is None or member.acknowledges

    def hold(
        self, destination: str, message: bytes, sender: str, receipt: object = None
    ) -> Code | None:
        """Keep a message for a peer that is not here; returns why not, if it is not kept.

        The sender hears by ``Member.outcome``, with the ``receipt``, what became of it.
        """
        return self._room.hold(destination, message, sender, receipt)

    # -- presence -------------------------------------------------------------------

    def watch(self, peer_id: str, watcher: Member) -> State:
        """Tell ``watcher`` of changes from now on; returns where the peer is now."""
        self._watchers.add(peer_id, watcher)
        if peer_id in self._members:
            return State.HERE
        return State.AWAY if self._room.is_away(peer_id) else State.ABSENT

    def unwatch(self, peer_ids: Iterable[str], watcher: Member) -> None:
        """Tell it no more of these."""
        self._watchers.remove(peer_ids, watcher)

    def end(self) -> None:
        """Hold nothing from now on."""
        self._room.end()


class Hub:
    """All namespaces of one server, and what is kept in them together."""

    def __init__(self, terms: Terms | None = None, timers: Timers | None = None) -> None:
        self.keeping = Keeping(terms or Terms(), timers)
        self._namespaces: dict[str, Namespace] = {}

    def __iter__(self) -> Iterator[Namespace]:
        return iter(self._namespaces.values())

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name, made when it is asked for first."""
        return self._namespaces.setdefault(name, Namespace(name, self.keeping))

    def end(self) -> None:
        """Hold nothing from now on: the server ends, and who wrote to the absent is told so."""
        self.keeping.is_over = True
        for namespace in self:
            namespace.end()
