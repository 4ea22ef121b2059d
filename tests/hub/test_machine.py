"""Claims, losses, returns, leaves, messages and time in any order: what always holds."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from rtcsig.hub import Code, InDoubt, SameId, Taken, Terms
from tests.support.hub import Recorder, Scene

IDS = "abc"
ABSENT = "xy"
TERMS = Terms(
    same_id=SameId.PROBE,
    resume_grace_s=30,
    hold_absent_s=5,
    max_held_messages=3,
    max_held_bytes=2500,
    max_kept_bytes=9000,
)


class Waiting:
    """One who claims an id, and waits for the decision."""

    def __init__(self, machine: HubMachine, peer_id: str, token: str) -> None:
        self._machine = machine
        self._claim = peer_id, token
        self._contest = None
        self.ask()

    def ask(self) -> None:
        """Claim the id, if that may be, or wait."""
        self.leave()
        try:
            self._machine.admit(*self._claim)
        except Taken:
            pass
        except InDoubt as doubt:
            self._contest = doubt.contest
            self._contest.wait(self, self.ask)
            self._machine.waiting.append(self)

    def leave(self) -> None:
        """Wait no longer."""
        if self._contest is not None:
            self._contest.leave(self)
            self._contest = None
            self._machine.waiting.remove(self)


class HubMachine(RuleBasedStateMachine):
    """Peers of three ids, some of which tell what has arrived, and messages with a number."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene(TERMS)
        self.members: list[Recorder] = []
        self.waiting: list[Waiting] = []
        self.ended: set[Recorder] = set()
        self.numbers = itertools.count(1)
        self.sent: list[tuple[bytes, str, str]] = []
        self.refused: set[bytes] = set()

    def admit(self, peer_id: str, token: str) -> None:
        """Claim an id as the server does; one with a token tells what has arrived."""
        self.scene.namespace.admit(peer_id, token)
        member = Recorder(self.scene.namespace, peer_id, token, acknowledges=bool(token))
        self.members.append(member)
        self.scene.namespace.claim(peer_id, member)

    def here(self) -> list[Recorder]:
        """Those who are connected, as they know it themselves."""
        return [
            member
            for member in self.members
            if not member.is_displaced and not member.is_lost and member not in self.ended
        ]

    @rule(peer_id=st.sampled_from(IDS), token=st.sampled_from(["", "secret"]))
    def claim(self, peer_id, token):
        """Somebody wants an id."""
        Waiting(self, peer_id, token)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave_waiting(self, data):
        """One who waits for an id goes."""
        data.draw(st.sampled_from(self.waiting)).leave()

    @precondition(lambda self: self.here())
    @rule(data=st.data())
    def answer(self, data):
        """A peer that was pinged answers, also long ago."""
        for answered in data.draw(st.sampled_from(self.here())).probes:
            answered()

    @precondition(lambda self: self.here())
    @rule(data=st.data())
    def be_full(self, data):
        """A peer takes nothing any more: the next outcome ends its connection."""
        data.draw(st.sampled_from(self.here())).loses_at_outcome = True

    @precondition(lambda self: self.here())
    @rule(data=st.data(), lost=st.booleans())
    def end(self, data, lost):
        """A connection ends."""
        member = data.draw(st.sampled_from(self.here()))
        self.ended.add(member)
        self.scene.namespace.release(member.peer_id, member, lost=lost)

    @rule(data=st.data(), lost=st.booleans())
    def end_again(self, data, lost):
        """The end of a connection that is over already changes nothing."""
        gone = [member for member in self.members if member not in self.here()]
        if gone:
            member = data.draw(st.sampled_from(gone))
            self.scene.namespace.release(member.peer_id, member, lost=lost)

    @precondition(lambda self: self.here())
    @rule(
        data=st.data(),
        destination=st.sampled_from(IDS + ABSENT),
        size=st.sampled_from([8, 900]),
        breaks=st.booleans(),
    )
    def send(self, data, destination, size, breaks):
        """A peer sends a message, for which its receiver may be lost."""
        sender = data.draw(st.sampled_from(self.here()))
        message = b"%0*d" % (size, next(self.numbers))
        for receiver in self.here():
            if breaks and receiver.peer_id == destination:
                receiver.loses_at = message
        self.sent.append((message, sender.peer_id, destination))
        if self.scene.send(sender, destination, message) is not None:
            self.refused.add(message)

    @rule()
    def send_again(self):
        """All who have not left send again what is held of them: it stays held once."""
        held = self.scene.hub.keeping.messages
        hold = self.scene.namespace.hold
        for slot in tuple(self.scene.namespace._room._slots.values()):
            for each in tuple(slot.held):
                if not each.sender.has_left:
                    why_not = hold(slot.peer_id, each.message, each.sender.peer_id, each.receipt)
                    assert why_not is None
        assert self.scene.hub.keeping.messages == held

    @rule(delay_s=st.sampled_from([0, 0.5, 2, 5, 31]), leap=st.booleans())
    def wait(self, delay_s, leap):
        """Time passes, or has passed while the process stood still."""
        if leap:
            self.scene.clock.rightNow += delay_s
            delay_s = 0
        self.scene.clock.advance(delay_s)

    @invariant()
    def one_owner_for_each_id(self):
        """Of those who think that they are connected, each id has one, and the hub knows it."""
        owners = Counter(member.peer_id for member in self.here())
        assert all(count == 1 for count in owners.values()), owners
        assert {peer_id for peer_id in IDS if peer_id in self.scene.namespace} == owners.keys()

    @invariant()
    def bounds_are_kept(self):
        """All in all and for each place."""
        keeping = self.scene.hub.keeping
        assert 0 <= keeping.bytes <= TERMS.max_kept_bytes
        for slot in self.scene.namespace._room._slots.values():
            assert len(slot.held) <= TERMS.max_held_messages
            assert slot.sent_messages <= TERMS.max_held_messages
            assert 0 <= slot.held_bytes <= TERMS.max_held_bytes
            assert 0 <= slot.sent_bytes <= TERMS.max_held_bytes

    @invariant()
    def order_is_kept(self):
        """From each sender, over all connections of the receiver."""
        senders = {message: sender for message, sender, _ in self.sent}
        for peer_id in IDS:
            last: dict[str, int] = {}
            for message in self.delivered(peer_id):
                sender = senders[message]
                assert last.get(sender, 0) < int(message)
                last[sender] = int(message)

    def delivered(self, peer_id: str) -> list[bytes]:
        """What the connections of one id got, in the order of the connections."""
        return [
            message
            for member in self.members
            if member.peer_id == peer_id
            for message in member.messages
        ]

    def teardown(self):
        """When all is over each message had one end, told to its sender or counted."""
        for member in self.members:
            member.loses_at_outcome = False
        self.scene.clock.advance(100)
        delivered = Counter(message for peer_id in IDS for message in self.delivered(peer_id))
        told = Counter(
            (receipt, code) for member in self.members for _, receipt, code in member.outcomes
        )
        assert all(count == 1 for count in (*delivered.values(), *told.values()))
        failed = {message for message, code in told if code is not Code.DELIVERED} | self.refused
        assert not failed & delivered.keys()
        assert {message for message, code in told if code is Code.DELIVERED} <= delivered.keys()
        missing = {message for message, *_ in self.sent} - failed - delivered.keys()
        assert len(missing) <= self.scene.hub.keeping.unheard_outcomes
        keeping = self.scene.hub.keeping
        assert (keeping.bytes, keeping.messages, self.scene.namespace.away) == (0, 0, 0)


HubMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHub = HubMachine.TestCase
