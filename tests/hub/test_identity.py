"""Who has an id that is claimed while another has it. The numbers are those of the threads."""

from __future__ import annotations

import dataclasses

import pytest

from rtcsig.hub import InDoubt, SameId, Taken
from tests.support.hub import KEPT, Scene


def scene_of(same_id: SameId) -> Scene:
    """A namespace with this policy."""
    return Scene(dataclasses.replace(KEPT, same_id=same_id))


@pytest.fixture
def scene():
    """A namespace in which the holder is asked."""
    return scene_of(SameId.PROBE)


class Newcomer:
    """One who waits for an id, and asks again whenever that makes sense."""

    def __init__(self, scene, peer_id, token=""):
        self._scene = scene
        self._claim = peer_id, token
        self.result = None
        self.ask()

    def ask(self):
        """Ask for the id, or wait for the decision."""
        try:
            self.result = self._scene.join(*self._claim)
        except Taken:
            self.result = Taken
        except InDoubt as doubt:
            self.contest = doubt.contest
            self.contest.wait(self, self.ask)


def test_replace():
    """The newcomer has the id; the end of the older connection takes nothing from it."""
    scene = scene_of(SameId.REPLACE)
    older, newer = scene.join("a"), scene.join("a")
    assert older.is_displaced
    scene.leave(older)
    assert scene.namespace.route("a", b"1")
    assert newer.messages == [b"1"]


def test_reject():
    """The holder keeps the id, and is not even asked."""
    scene = scene_of(SameId.REJECT)
    holder = scene.join("a")
    assert Newcomer(scene, "a").result is Taken
    assert not holder.probes
    scene.leave(holder)
    assert Newcomer(scene, "a").result is not Taken


def test_a_holder_that_answers_keeps_its_id(scene):
    """The newcomer hears so as soon as the answer is there."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    assert newcomer.result is None
    (answered,) = holder.probes
    answered()
    scene.turn()
    assert newcomer.result is Taken
    assert not holder.is_displaced


def test_a_holder_that_has_just_answered_is_not_asked_again(scene):
    """Who claims an id over and over does not have its holder pinged for each."""
    holder = scene.join("a")
    first, second = Newcomer(scene, "a"), Newcomer(scene, "a")
    holder.probes[0]()
    holder.probes[0]()
    scene.turn()
    assert first.result is second.result is Newcomer(scene, "a").result is Taken
    assert len(holder.probes) == 1
    scene.clock.advance(1)
    assert Newcomer(scene, "a").result is None
    assert len(holder.probes) == 2


@pytest.mark.parametrize(
    "thread",
    [
        "peers/peerjs#224",
        "peers/peerjs#294",
        "peers/peerjs-server#4",
        "peers/peerjs-server#89",
        "EpicGames/PixelStreamingInfrastructure#912",
    ],
)
def test_a_holder_that_is_gone_does_not_keep_its_id(scene, thread):
    """In two seconds the newcomer has it, though nobody has noticed the loss by then."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    scene.clock.advance(1.9)
    assert newcomer.result is None, thread
    scene.clock.advance(0.1)
    assert scene.namespace.route("a", b"1")
    assert newcomer.result.messages == [b"1"]
    assert holder.is_displaced


def test_peerjs_server_462_a_return_is_told_though_the_record_still_exists(scene):
    """With its token the peer has its id at once, and the former connection ends."""
    holder = scene.join("a", "secret")
    newcomer = Newcomer(scene, "a", "secret")
    assert holder.is_displaced
    assert not holder.probes
    assert scene.namespace.route("a", b"1")
    assert newcomer.result.messages == [b"1"]


@pytest.mark.parametrize("token", ["", "another", "gehe\u0131m"])
def test_livekit_1755_a_wrong_token_kicks_nobody(scene, token):
    """It is worth as much as none."""
    holder = scene.join("a", "secret")
    assert Newcomer(scene, "a", token).result is None
    assert not holder.is_displaced


def test_no_token_fits_one_who_has_none(scene):
    """Nothing shown is nothing proven."""
    scene.join("a")
    assert not scene.namespace.recognises("a", "")
    assert not scene.namespace.recognises("b", "")
    assert Newcomer(scene, "a").result is None


def test_the_token_holds_while_the_peer_is_away(scene):
    """And ends with its grace."""
    scene.lose(scene.join("a", "secret"))
    assert scene.namespace.recognises("a", "secret")
    scene.clock.advance(30)
    assert not scene.namespace.recognises("a", "secret")


@pytest.mark.parametrize("end", ["lose", "leave"])
def test_a_holder_that_goes_while_it_is_asked(scene, end):
    """The newcomer has the id at once, and one who waited as well has to ask the newcomer."""
    holder = scene.join("a")
    first, second = Newcomer(scene, "a"), Newcomer(scene, "a")
    getattr(scene, end)(holder)
    scene.turn()
    assert second.result is None
    first.result.probes[0]()
    scene.turn()
    assert second.result is Taken
    scene.clock.advance(60)
    assert not first.result.is_displaced


def test_a_holder_that_resumes_while_it_is_asked(scene):
    """Is asked anew on its new connection."""
    scene.join("a", "secret")
    newcomer = Newcomer(scene, "a")
    back = Newcomer(scene, "a", "secret").result
    scene.turn()
    assert newcomer.result is None
    back.probes[0]()
    scene.turn()
    assert newcomer.result is Taken


def test_a_newcomer_that_goes_costs_the_holder_nothing(scene):
    """Nobody waits for the answer any more, so its absence proves nothing."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    newcomer.contest.leave(newcomer)
    scene.clock.advance(2)
    assert not holder.is_displaced
    assert newcomer.result is None
    assert Newcomer(scene, "a").result is None
    assert len(holder.probes) == 2


def test_an_answer_counts_also_when_the_one_who_asked_is_gone(scene):
    """Another may have come meanwhile."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    newcomer.contest.leave(newcomer)
    holder.probes[0]()
    assert Newcomer(scene, "a").result is Taken


def test_an_answer_that_comes_after_the_decision_is_none(scene):
    """It neither keeps the question alive nor disturbs the next one."""
    holder = scene.join("a")
    first = Newcomer(scene, "a")
    first.contest.leave(first)
    scene.clock.advance(2.0)
    holder.probes[0]()
    scene.clock.advance(0.9)
    newcomer = Newcomer(scene, "a")
    scene.clock.advance(0.2)
    assert newcomer.result is None
    scene.clock.advance(1.85)
    assert newcomer.result.peer_id == "a"
    assert holder.is_displaced


def test_one_who_leaves_between_the_decision_and_its_turn_is_not_called(scene):
    """Its connection is gone."""
    holder = scene.join("a")
    newcomer, other = Newcomer(scene, "a"), Newcomer(scene, "a")
    scene.leave(holder)
    newcomer.contest.leave(newcomer)
    scene.turn()
    assert newcomer.result is None
    assert other.result.peer_id == "a"


@pytest.mark.parametrize("stood_still_s", [2.2, 3.0, 3600.0])
def test_a_process_that_stood_still_looks_at_the_answer_first(scene, stood_still_s):
    """The timer is due before what waits in the kernel was read: the holder may have answered."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    scene.clock.rightNow += stood_still_s
    scene.turn()
    assert not holder.is_displaced
    holder.probes[0]()
    scene.turn()
    assert newcomer.result is Taken


def test_it_looks_once_more_only(scene):
    """However late the second time is."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    for _ in range(2):
        scene.clock.rightNow += 3.0
        scene.turn()
    scene.turn()
    assert holder.is_displaced
    assert newcomer.result.peer_id == "a"


def test_the_answer_may_come_in_the_last_turn(scene):
    """What the kernel has is read after the timers, and before those that they set."""
    holder = scene.join("a")
    newcomer = Newcomer(scene, "a")
    contest = newcomer.contest
    contest._timer.cancel()
    scene.clock.rightNow += 2.0
    contest._no_answer()
    holder.probes[0]()
    scene.turn()
    assert newcomer.result is Taken
    assert not holder.is_displaced
