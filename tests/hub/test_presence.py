"""Who of the watched is here, arrives, goes away and leaves: once each."""

from __future__ import annotations

import pytest

from rtcsig.hub import State
from tests.support.hub import Scene


@pytest.fixture
def scene():
    """A namespace."""
    return Scene()


def test_where_each_is_now(scene):
    """Is the answer to the subscription."""
    ann = scene.join("a")
    scene.join("b")
    scene.lose(scene.join("c"))
    states = [scene.namespace.watch(peer_id, ann) for peer_id in "bcd"]
    assert states == [State.HERE, State.AWAY, State.ABSENT]
    assert not ann.presences


def test_each_change_is_told_once(scene):
    """Arrives, is lost, is back, is replaced (no change), is lost, does not come back, leaves."""
    ann = scene.join("a")
    scene.namespace.watch("b", ann)
    scene.namespace.watch("b", ann)
    scene.lose(scene.join("b"))
    scene.join("b")
    scene.lose(scene.join("b"))
    scene.clock.advance(30)
    scene.leave(scene.join("b"))
    states = [state for _, state in ann.presences]
    here, away, absent = State.HERE, State.AWAY, State.ABSENT
    assert states == [here, away, here, away, absent, here, absent]
    assert {peer_id for peer_id, _ in ann.presences} == {"b"}


def test_matchbox_479_a_disconnect_is_told(scene):
    """A peer that was lost is told of at once, not when its place is given to another."""
    ann, bob = scene.join("a"), scene.join("b")
    scene.namespace.watch("b", ann)
    scene.lose(bob)
    assert ann.presences == [("b", State.AWAY)]


def test_who_unsubscribes_hears_nothing(scene):
    """And costs nothing any more."""
    ann, cid = scene.join("a"), scene.join("c")
    for watcher in (ann, cid):
        scene.namespace.watch("b", watcher)
    scene.namespace.unwatch(["b", "x"], ann)
    scene.namespace.unwatch(["b"], ann)
    scene.join("b")
    assert (ann.presences, cid.presences) == ([], [("b", State.HERE)])
    scene.namespace.unwatch(["b"], cid)
    assert not scene.namespace._watchers.of


def test_one_who_is_lost_while_it_gets_what_was_held(scene):
    """Was here for a moment, which is told too."""
    ann, bob = scene.join("a"), scene.join("b")
    scene.lose(bob)
    scene.send(ann, "b", b"1")
    scene.namespace.watch("b", ann)
    bob.loses_at = b"1"
    scene.namespace.claim("b", bob)
    assert ann.presences == [("b", State.HERE), ("b", State.AWAY)]
