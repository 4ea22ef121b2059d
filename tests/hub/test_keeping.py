"""Messages for peers who are not there: kept in bounds, and each has one outcome."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc

import pytest

from rtcsig.hub import Code, Hub, State, Terms
from rtcsig.hub.keeping import HELD_BYTES, away_bytes, slot_bytes
from tests.support.hub import KEPT, Recorder, Scene

MESSAGES = [b"1", b"2", b"3", b"4"]


@pytest.fixture
def scene():
    """A namespace that keeps four messages for each peer."""
    return Scene()


@pytest.fixture
def ann(scene):
    """A peer that is there."""
    return scene.join("a")


def away(scene, peer_id="b", **options) -> Recorder:
    """A peer whose connection was lost."""
    member = scene.join(peer_id, **options)
    scene.lose(member)
    return member


def assert_nothing_is_kept(scene):
    """Every byte was counted out."""
    keeping = scene.hub.keeping
    assert (keeping.bytes, keeping.messages, scene.namespace.away) == (0, 0, 0)


class TestAway:
    """Peers whose connection was lost."""

    def test_what_is_held_comes_first_and_in_order(self, scene, ann):
        """And the sender hears that it was delivered, once each."""
        away(scene)
        for message in MESSAGES:
            assert scene.send(ann, "b", message) is None
        assert not ann.outcomes
        bob = scene.join("b")
        scene.send(ann, "b", b"5")
        assert bob.messages == [*MESSAGES, b"5"]
        assert ann.outcomes == [("b", message, Code.DELIVERED) for message in MESSAGES]
        assert_nothing_is_kept(scene)

    def test_one_who_acknowledges_itself_is_not_spoken_for(self, scene, ann):
        """What was handed over may still be lost on its way."""
        away(scene)
        scene.send(ann, "b", b"1")
        bob = Recorder(scene.namespace, "b", acknowledges=True)
        scene.namespace.claim("b", bob)
        assert (bob.messages, ann.outcomes) == ([b"1"], [])
        assert_nothing_is_kept(scene)

    def test_without_a_message_too(self, scene):
        """A place that nobody wrote to is given back with the return."""
        away(scene)
        assert scene.namespace.away == 1
        scene.join("b")
        scene.clock.advance(60)
        assert_nothing_is_kept(scene)

    def test_after_the_grace_the_senders_are_told(self, scene, ann):
        """Nobody who comes later gets what was held."""
        away(scene)
        scene.send(ann, "b", b"1")
        scene.clock.advance(29.9)
        assert not ann.outcomes
        scene.clock.advance(0.1)
        assert ann.outcomes == [("b", b"1", Code.PEER_NOT_FOUND)]
        assert scene.join("b").messages == []
        assert_nothing_is_kept(scene)

    def test_one_too_many_is_told_at_once(self, scene, ann):
        """Those before it stay."""
        away(scene)
        results = [scene.send(ann, "b", message) for message in [*MESSAGES, b"5"]]
        assert results == [None, None, None, None, Code.NOT_HELD]
        assert scene.join("b").messages == MESSAGES

    def test_too_many_bytes(self, scene, ann):
        """A message that is larger than the rest of the room is not held, a smaller one is."""
        away(scene)
        large = b"." * ((1 << 12) - 2 * HELD_BYTES)
        assert scene.send(ann, "b", b"1") is None
        assert scene.send(ann, "b", large) is Code.NOT_HELD
        assert scene.send(ann, "b", large[1:]) is None

    def test_one_sender_cannot_fill_the_places_of_all(self, scene, ann):
        """The bounds for one peer hold for what is held of it, too."""
        for peer_id in "bcdef":
            away(scene, peer_id)
        results = [scene.send(ann, peer_id, b"1") for peer_id in "bcdef"]
        assert results == [None, None, None, None, Code.NOT_HELD]

    def test_an_outcome_waits_for_a_sender_that_is_away(self, scene, ann):
        """It is told when it is back, and what was for it comes before."""
        bob = away(scene)
        scene.send(ann, "b", b"1")
        scene.lose(ann)
        scene.namespace.claim("b", bob)
        scene.send(bob, "a", b"2")
        assert not ann.outcomes
        back = scene.join("a")
        assert (back.messages, back.outcomes) == ([b"2"], [("b", b"1", Code.DELIVERED)])
        assert_nothing_is_kept(scene)

    def test_an_outcome_that_nobody_can_hear_is_counted(self, scene, ann):
        """Of a sender that left, and of one that did not come back."""
        away(scene)
        scene.send(ann, "b", b"1")
        scene.leave(ann)
        cid = scene.join("c")
        scene.send(cid, "b", b"2")
        scene.lose(cid)
        scene.join("b")
        scene.clock.advance(30)
        assert scene.hub.keeping.unheard_outcomes == 2
        assert_nothing_is_kept(scene)

    def test_another_with_the_senders_id_hears_nothing_of_it(self, scene, ann):
        """Who left has no outcomes any more, whoever has the id."""
        away(scene)
        scene.send(ann, "b", b"1")
        scene.leave(ann)
        other = scene.join("a")
        scene.join("b")
        assert not other.outcomes

    @pytest.mark.parametrize("thread", ["peers/peerjs#1289", "centricular/gstwebrtc-demos#156"])
    def test_a_message_for_one_who_is_just_reconnecting_is_not_lost(self, scene, ann, thread):
        """It would have been, or would have been refused, a moment ago."""
        away(scene)
        scene.send(ann, "b", b"offer")
        assert scene.join("b").messages == [b"offer"], thread

    def test_who_is_lost_again_for_a_message_gets_it_when_it_is_back(self, scene, ann):
        """And all behind it, in order."""
        away(scene)
        for message in MESSAGES:
            scene.send(ann, "b", message)
        bob = Recorder(scene.namespace, "b")
        bob.loses_at = b"2"
        scene.namespace.claim("b", bob)
        assert scene.join("b").messages == [b"2", b"3", b"4"]
        assert [code for *_, code in ann.outcomes] == [Code.DELIVERED] * 4

    def test_a_message_for_which_its_receiver_is_lost_is_held(self, scene, ann):
        """It was not sent any more, and is the first when the peer is back."""
        bob = scene.join("b")
        bob.loses_at = b"2"
        for message in MESSAGES:
            assert scene.send(ann, "b", message) is None
        assert bob.messages == [b"1"]
        assert scene.join("b").messages == [b"2", b"3", b"4"]

    def test_an_outcome_for_which_its_sender_is_lost_waits(self, scene, ann):
        """It was not told, and is when the sender is back."""
        away(scene)
        scene.send(ann, "b", b"1")
        ann.loses_at_outcome = True
        scene.join("b")
        assert not ann.outcomes
        assert scene.join("a").outcomes == [("b", b"1", Code.DELIVERED)]
        assert_nothing_is_kept(scene)

    def test_an_outcome_for_which_its_sender_is_lost_again_waits_on(self, scene, ann):
        """With all behind it."""
        away(scene)
        for message in MESSAGES:
            scene.send(ann, "b", message)
        scene.lose(ann)
        scene.join("b")
        short = Recorder(scene.namespace, "a")
        short.loses_at_outcome = True
        scene.namespace.claim("a", short)
        assert scene.join("a").outcomes == [("b", message, Code.DELIVERED) for message in MESSAGES]
        assert_nothing_is_kept(scene)

    def test_an_outcome_for_which_its_sender_is_lost_for_good_is_counted(self, scene, ann):
        """Where no place can be kept for it."""
        away(scene)
        scene.send(ann, "b", b"1")
        scene.hub.keeping.terms = dataclasses.replace(KEPT, resume_grace_s=0)
        ann.loses_at_outcome = True
        scene.join("b")
        assert scene.hub.keeping.unheard_outcomes == 1
        assert_nothing_is_kept(scene)

    def test_what_is_sent_once_more_is_held_once(self, scene, ann):
        """A client sends again what it has not heard of: it has one outcome, when the first has."""
        away(scene)
        cid = scene.join("c")
        for _ in range(10):
            assert scene.send(ann, "b", b"1") is None
            assert scene.send(ann, "d", b"1") is None
            scene.clock.advance(0.1)
        assert scene.send(cid, "b", b"1") is None
        scene.clock.advance(4)
        assert ann.outcomes == [("d", b"1", Code.PEER_NOT_FOUND)]
        assert scene.join("b").messages == [b"1", b"1"]
        assert ann.outcomes[1:] == cid.outcomes == [("b", b"1", Code.DELIVERED)]

    def test_what_has_no_number_is_held_each_time(self, scene, ann):
        """Nobody can tell whether it is the same."""
        away(scene)
        for _ in range(2):
            assert scene.namespace.hold("b", b"1", "a") is None
        assert scene.join("b").messages == [b"1", b"1"]

    def test_who_is_lost_for_good_for_a_message(self, scene, ann):
        """Where no place can be kept for it, the sender is told of all that is left."""
        away(scene)
        scene.send(ann, "b", b"1")
        scene.send(ann, "b", b"2")
        scene.hub.keeping.terms = dataclasses.replace(KEPT, resume_grace_s=0)
        bob = Recorder(scene.namespace, "b")
        bob.loses_at = b"1"
        scene.namespace.claim("b", bob)
        assert ann.outcomes == [
            ("b", b"2", Code.PEER_NOT_FOUND),
            ("b", b"1", Code.PEER_NOT_FOUND),
        ]
        assert_nothing_is_kept(scene)

    def test_a_return_that_is_lost_keeps_the_outcomes_for_the_next(self, scene, ann):
        """One who was lost again while it got what was held has not heard of anything yet."""
        bob = away(scene)
        scene.send(ann, "b", b"1")
        scene.lose(ann)
        scene.namespace.claim("b", bob)
        scene.send(bob, "a", b"2")
        short = Recorder(scene.namespace, "a")
        short.loses_at = b"2"
        scene.namespace.claim("a", short)
        assert not short.outcomes
        assert scene.join("a").outcomes == [("b", b"1", Code.DELIVERED)]

    def test_each_has_its_own_grace(self, scene, ann):
        """Though one timer serves them all."""
        scene.namespace.watch("b", ann)
        scene.namespace.watch("c", ann)
        away(scene, "b")
        scene.clock.advance(10)
        away(scene, "c")
        ann.presences.clear()
        scene.clock.advance(20)
        assert ann.presences == [("b", State.ABSENT)]
        scene.clock.advance(10)
        assert ann.presences[1:] == [("c", State.ABSENT)]
        assert not scene.clock.getDelayedCalls()

    def test_the_outcomes_of_one_who_does_not_come_back(self, scene, ann):
        """Are given back with its place, and counted."""
        bob = away(scene)
        scene.send(ann, "b", b"1")
        scene.lose(ann)
        scene.namespace.claim("b", bob)
        scene.clock.advance(30)
        assert scene.hub.keeping.unheard_outcomes == 1
        assert_nothing_is_kept(scene)

    def test_without_grace_a_loss_is_a_leave(self):
        """And costs nothing."""
        scene = Scene(dataclasses.replace(KEPT, resume_grace_s=0))
        away(scene)
        assert_nothing_is_kept(scene)


class TestAbsent:
    """Peers who never were there."""

    def test_one_who_comes_in_time_gets_it(self, scene, ann):
        """An offer may be a little earlier than the one it is for."""
        scene.send(ann, "b", b"1")
        scene.clock.advance(4.9)
        assert scene.join("b").messages == [b"1"]
        scene.clock.advance(60)
        assert ann.outcomes == [("b", b"1", Code.DELIVERED)]
        assert_nothing_is_kept(scene)

    def test_each_message_has_its_own_time(self, scene, ann):
        """The sender is told of each when it is over."""
        scene.send(ann, "b", b"1")
        scene.clock.advance(2)
        scene.send(ann, "b", b"2")
        scene.clock.advance(3)
        assert ann.outcomes == [("b", b"1", Code.PEER_NOT_FOUND)]
        scene.clock.advance(2)
        assert ann.outcomes[1:] == [("b", b"2", Code.PEER_NOT_FOUND)]
        assert_nothing_is_kept(scene)

    def test_without_time_it_is_told_at_once(self, ann):
        """As it always was."""
        scene = Scene(dataclasses.replace(KEPT, hold_absent_s=0))
        assert scene.send(scene.join("a"), "b", b"1") is Code.PEER_NOT_FOUND
        assert_nothing_is_kept(scene)

    def test_one_too_many_is_told_at_once(self, scene, ann):
        """As if there were no time."""
        results = [scene.send(ann, "b", message) for message in [*MESSAGES, b"5"]]
        assert results == [None, None, None, None, Code.PEER_NOT_FOUND]


class TestBoundOfTheServer:
    """What is kept in all."""

    @pytest.mark.parametrize(
        ("kept_bytes", "is_kept"),
        [
            (0, False),
            (slot_bytes("a"), False),
            (slot_bytes("a") + slot_bytes("b"), False),
            (slot_bytes("a") + slot_bytes("b") + HELD_BYTES, False),
            (slot_bytes("a") + slot_bytes("b") + HELD_BYTES + 1, True),
        ],
    )
    def test_the_last_byte(self, kept_bytes, is_kept):
        """Places of both and the message are counted; what does not fit leaves nothing behind."""
        scene = Scene(dataclasses.replace(KEPT, max_kept_bytes=kept_bytes))
        ann = scene.join("a")
        assert (scene.send(ann, "b", b"1") is None) is is_kept
        assert scene.hub.keeping.bytes == (kept_bytes if is_kept else 0)

    def test_peerjs_server_f6_a_flood_to_absent_names_costs_what_is_stated(self):
        """10^5 names: no more memory is taken than is counted, no more counted than the bound."""
        bound_bytes = 1 << 22
        scene = Scene(
            dataclasses.replace(KEPT, max_held_messages=1 << 20, max_held_bytes=1 << 30,
                                max_kept_bytes=bound_bytes)
        )  # fmt: skip
        ann = scene.join("a")
        gc.collect()
        tracemalloc.start()
        before_bytes = tracemalloc.get_traced_memory()[0]
        kept = 0
        for number in range(100_000):
            kept += scene.send(ann, f"absent-{number:0121}", b"%0100d" % number) is None
        taken_bytes = tracemalloc.get_traced_memory()[1] - before_bytes
        tracemalloc.stop()
        assert 0 < kept == scene.hub.keeping.messages
        assert bound_bytes / 2 < scene.hub.keeping.bytes <= bound_bytes
        assert taken_bytes <= bound_bytes
        scene.clock.advance(5)
        assert len(ann.outcomes) == kept
        assert_nothing_is_kept(scene)

    def test_a_place_in_many_byte_characters(self):
        """Is counted for what it takes: four bytes for each character."""
        bound_bytes = 1 << 20
        scene = Scene(dataclasses.replace(KEPT, max_kept_bytes=bound_bytes))
        gc.collect()
        tracemalloc.start()
        before_bytes = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            away(scene, "\N{ROCKET}" * 120 + f"{number:08}")
        taken_bytes = tracemalloc.get_traced_memory()[1] - before_bytes
        tracemalloc.stop()
        assert 100 < scene.namespace.away < 2000
        assert taken_bytes <= bound_bytes

    def test_who_is_lost_when_there_is_no_room_has_left(self):
        """Nobody is thrown out for it."""
        scene = Scene(dataclasses.replace(KEPT, max_kept_bytes=away_bytes("b")))
        away(scene, "b")
        away(scene, "c")
        assert scene.namespace.away == 1

    def test_all_namespaces_share_it(self):
        """It is the server's."""
        scene = Scene(dataclasses.replace(KEPT, max_kept_bytes=away_bytes("b")))
        away(scene)
        other = scene.hub.namespace("/other")
        member = Recorder(other, "b")
        other.claim("b", member)
        other.release("b", member, lost=True)
        assert (scene.namespace.away, other.away) == (1, 0)


def test_the_end_of_the_server(scene, ann):
    """Nothing is held any more, and whoever wrote to the absent is told that it is over."""
    away(scene)
    scene.send(ann, "b", b"1")
    scene.send(ann, "c", b"2")
    scene.hub.end()
    assert sorted(ann.outcomes) == [("b", b"1", Code.STOPPING), ("c", b"2", Code.STOPPING)]
    assert scene.send(ann, "b", b"3") is Code.STOPPING
    scene.lose(ann)
    assert_nothing_is_kept(scene)
    assert not scene.clock.getDelayedCalls()


def test_terms_that_keep_nothing_need_no_time():
    """And others do."""
    keeping = Hub().keeping
    with pytest.raises(RuntimeError):
        keeping.timers.now_s()
    with pytest.raises(RuntimeError):
        keeping.timers.set(1, print)
    assert Terms().resume_grace_s == Terms().hold_absent_s == 0


def test_new_terms_hold_for_what_comes(scene, ann):
    """What is kept already keeps its time."""
    scene.send(ann, "b", b"1")
    scene.hub.keeping.terms = dataclasses.replace(KEPT, hold_absent_s=1)
    scene.send(ann, "b", b"2")
    scene.clock.advance(4)
    assert not ann.outcomes
    scene.clock.advance(1)
    assert [receipt for _, receipt, _ in ann.outcomes] == [b"1", b"2"]
