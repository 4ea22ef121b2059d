"""Once and in order, or told: over a channel that loses, repeats and breaks."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.client import delivery
from rtcsig.client.delivery import MAX_UNSENT, WINDOW, Incoming, Outgoing
from rtcsig.client.errors import TooMuchWaiting


def outgoing_with(count: int) -> Outgoing:
    """A stream to ``b`` with so many messages, whose tickets are their numbers."""
    outgoing = Outgoing("b", "s")
    for n in range(1, count + 1):
        outgoing.add({"text": str(n)}, n)
    return outgoing


def numbers(messages) -> list[int]:
    """The numbers of messages."""
    return [message["rtcsig"]["n"] for message in messages]


class TestOutgoing:
    """What one sender does."""

    def test_the_form_of_a_message(self):
        """The program's members, the destination, and the number."""
        (message,) = outgoing_with(1).messages(0)
        number = {"stream": "s", "n": 1, "base": 1}
        assert message == {"text": "1", "id": "b", "rtcsig": number}

    def test_each_is_sent_once(self):
        """Until there is a reason to send it again."""
        outgoing = outgoing_with(2)
        assert numbers(outgoing.messages(0)) == [1, 2]
        assert outgoing.messages(0) == []

    def test_a_window(self):
        """The rest waits until there is room."""
        outgoing = outgoing_with(WINDOW + 2)
        assert len(outgoing.messages(0)) == WINDOW
        assert outgoing.acknowledged(1, 0) == [1]
        assert numbers(outgoing.messages(0)) == [WINDOW + 1]

    def test_a_bound(self):
        """What is under way does not count: it is on its way."""
        outgoing = outgoing_with(MAX_UNSENT)
        with pytest.raises(TooMuchWaiting):
            outgoing.add({}, None)
        outgoing.messages(0)
        for _ in range(WINDOW):
            outgoing.add({}, None)
        with pytest.raises(TooMuchWaiting):
            outgoing.add({}, None)
        assert len(outgoing) == MAX_UNSENT + WINDOW

    def test_acknowledgements_are_for_all_up_to_a_number(self):
        """Twice is as good as once, and what was never sent cannot have arrived."""
        outgoing = outgoing_with(3)
        assert outgoing.acknowledged(3, 0) == []
        outgoing.messages(0)
        assert outgoing.acknowledged(2, 0) == [1, 2]
        assert outgoing.acknowledged(99, 0) == [3]
        assert outgoing.acknowledged(99, 0) == []
        assert outgoing.due_s is None

    def test_a_gap_goes_back_at_once_but_not_for_each_sign_of_it(self):
        """The receiver says again how far it got."""
        outgoing = outgoing_with(3)
        outgoing.messages(0)
        outgoing.acknowledged(1, 0)
        outgoing.acknowledged(1, 0.1)
        assert numbers(outgoing.messages(0.1)) == [2, 3]
        outgoing.acknowledged(1, 0.2)
        assert outgoing.messages(0.2) == []
        outgoing.acknowledged(1, 0.6)
        assert numbers(outgoing.messages(0.6)) == [2, 3]

    def test_silence_goes_back_with_growing_patience(self):
        """After 3, 6, 12, 24, 30, 30 seconds; progress makes it impatient again."""
        outgoing = outgoing_with(2)
        now_s, patience_s = 0.0, []
        for _ in range(6):
            assert numbers(outgoing.messages(now_s)) == [1, 2]
            patience_s.append(outgoing.due_s - now_s)
            outgoing.overdue(outgoing.due_s - 0.1)
            assert outgoing.messages(now_s) == []
            now_s = outgoing.due_s
            outgoing.overdue(now_s)
        assert patience_s == [3, 6, 12, 24, 30, 30]
        outgoing.messages(now_s)
        outgoing.acknowledged(1, now_s)
        outgoing.messages(now_s)
        assert outgoing.due_s == now_s + 3

    def test_a_new_connection_gets_all_of_it_again(self):
        """In order, from the first that is not acknowledged."""
        outgoing = outgoing_with(3)
        outgoing.messages(0)
        outgoing.acknowledged(1, 0)
        outgoing.disconnected()
        assert outgoing.due_s is None
        again = outgoing.messages(9)
        assert numbers(again) == [2, 3]
        assert [message["rtcsig"]["base"] for message in again] == [2, 2]

    def test_a_server_that_ends_gets_nothing_more(self):
        """The next one does."""
        outgoing = outgoing_with(2)
        outgoing.messages(0)
        outgoing.postpone()
        assert (outgoing.messages(0), outgoing.due_s) == ([], None)
        outgoing.disconnected()
        assert numbers(outgoing.messages(0)) == [1, 2]

    def test_what_is_given_up_is_passed_over(self):
        """Those behind it stay, and say that it is not to be waited for."""
        outgoing = outgoing_with(3)
        outgoing.messages(0)
        assert outgoing.given_up(1) == [1]
        assert outgoing.given_up(1) == []
        outgoing.disconnected()
        assert outgoing.given_up(2) == []
        assert [message["rtcsig"]["base"] for message in outgoing.messages(0)] == [2, 2]

    def test_the_end(self):
        """Everything is given up."""
        outgoing = outgoing_with(2)
        outgoing.messages(0)
        assert outgoing.end() == [1, 2]
        assert (len(outgoing), outgoing.due_s, outgoing.messages(0)) == (0, None, [])


class TestIncoming:
    """What one receiver does."""

    def test_order(self):
        """The next one is new; one before it is not, one behind it is too early."""
        incoming = Incoming()
        assert incoming.take("a", "s", 1, 1) == (True, 1, False)
        assert incoming.take("a", "s", 1, 1) == (False, 1, True)
        assert incoming.take("a", "s", 3, 1) == (False, 1, True)
        assert incoming.take("a", "s", 2, 1) == (True, 2, False)

    def test_what_was_given_up_is_not_waited_for(self):
        """The base says so."""
        incoming = Incoming()
        incoming.take("a", "s", 1, 1)
        assert incoming.take("a", "s", 4, 4) == (True, 4, False)

    def test_one_who_comes_late_begins_where_the_sender_is(self):
        """What was before was acknowledged by another."""
        incoming = Incoming()
        assert incoming.take("a", "s", 18, 17) == (False, 16, True)
        assert incoming.take("a", "s", 17, 17) == (True, 17, False)

    def test_streams_are_apart(self):
        """Of one sender two are remembered."""
        incoming = Incoming()
        assert incoming.take("a", "s", 1, 1).is_new
        assert incoming.take("a", "t", 1, 1).is_new
        assert incoming.take("b", "s", 1, 1).is_new
        assert not incoming.take("a", "s", 1, 1).is_new
        assert incoming.take("a", "u", 1, 1).is_new
        assert not incoming.take("a", "s", 1, 1).is_new
        assert incoming.take("a", "t", 1, 1).is_new

    def test_what_is_remembered_is_bounded(self, monkeypatch):
        """Those who wrote last are."""
        monkeypatch.setattr(delivery, "_MAX_SENDERS", 2)
        incoming = Incoming()
        for sender in "abac":
            incoming.take(sender, "s", 1, 1)
        assert len(incoming) == 2
        assert not incoming.take("a", "s", 1, 1).is_new
        assert incoming.take("b", "s", 1, 1).is_new


class Channel:
    """Both ends, and what is on the way between them, which is lost, repeated and given up."""

    def __init__(self) -> None:
        self.outgoing, self.incoming = Outgoing("b", "s"), Incoming()
        self.there: deque = deque()
        self.back: deque = deque()
        self.arrived: list[int] = []
        self.done: list[int] = []
        self.told: list[int] = []
        self.sent = 0
        self.now_s = 0.0

    def do(self, step: str) -> None:
        """Do a step, then send what may be sent."""
        getattr(self, step)()
        messages = self.outgoing.messages(self.now_s)
        self.there.extend(message["rtcsig"] for message in messages)

    def send(self) -> None:
        """The program sends a message."""
        self.sent += 1
        self.outgoing.add({}, self.sent)

    def carry(self) -> None:
        """Something arrives: a message, or else an acknowledgement."""
        if self.there:
            number = self.there.popleft()
            taken = self.incoming.take("a", number["stream"], number["n"], number["base"])
            self.arrived.extend([number["n"]] * taken.is_new)
            self.back.append(taken.acknowledge)
        elif self.back:
            self.done.extend(self.outgoing.acknowledged(self.back.popleft(), self.now_s))

    def lose(self) -> None:
        """The same does not arrive."""
        (self.there or self.back or deque([0])).popleft()

    def repeat(self) -> None:
        """A message comes again, later."""
        self.there.extend(list(self.there)[:1])

    def interrupt(self) -> None:
        """The connection is lost with all that is on the way, and there is another."""
        self.there.clear()
        self.back.clear()
        self.outgoing.disconnected()

    def give_up(self) -> None:
        """The server gives a message up."""
        if self.there:
            self.told.extend(self.outgoing.given_up(self.there.popleft()["n"]))

    def wait(self) -> None:
        """Time passes."""
        self.now_s += 3
        self.outgoing.overdue(self.now_s)


STEPS = st.sampled_from(
    ["send", "carry", "carry", "lose", "repeat", "interrupt", "give_up", "wait"]
)


@given(st.lists(STEPS, max_size=60))
def test_whatever_the_channel_does(steps):
    """In the end each message has arrived once and in order, or its sender was told."""
    channel = Channel()
    for step in [*steps, "interrupt"]:
        channel.do(step)
    while channel.there or channel.back:
        channel.do("carry")
    everything = list(range(1, channel.sent + 1))
    assert channel.arrived == sorted(set(channel.arrived))
    assert sorted(channel.done + channel.told) == everything
    assert set(channel.done) <= set(channel.arrived)
    assert set(channel.arrived) | set(channel.told) == set(everything)
