"""Sending everybody away: who is to be gone by when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from rtcsig.ops.drain import Drain, due

PERIODS = st.floats(0.01, 1e5)


@given(st.integers(0, 10_000), PERIODS, st.lists(st.floats(0, 2e5), min_size=2))
def test_who_is_due_only_grows(count, drain_s, moments):
    """From nobody to all, never more, and all when the time is over."""
    counts = [due(count, elapsed_s, drain_s) for elapsed_s in sorted(moments)]
    assert counts == sorted(counts)
    assert all(0 <= each <= count for each in counts)
    assert due(count, drain_s, drain_s) == count


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_who_is_due_is_the_part_of_the_time_that_has_passed(count, part):
    """To half a peer."""
    assert abs(due(count, part * 20.0, 20.0) - part * count) <= 0.5 + 1e-6


class Scene:
    """A drain of ``count`` peers, with time by hand."""

    def __init__(self, count: int, drain_s: float) -> None:
        self.clock = Clock()
        self.gone: list[int] = []
        self.are_gone = False
        self.drain = Drain(
            list(range(count)),
            drain_s,
            self.clock,
            send_away=self.gone.append,
            is_empty=lambda: self.are_gone,
        )
        self.over: list[None] = []
        self.drain.done.addCallback(self.over.append)
        self.drain.start()

    def pass_time(self, seconds: float) -> None:
        """Let time pass in small steps."""
        self.clock.pump([0.01] * round(seconds * 100))


def test_everybody_goes_evenly_and_once():
    """In an order that nobody knows."""
    scene = Scene(100, 10.0)
    for second in range(1, 11):
        scene.pass_time(1.0)
        assert abs(len(scene.gone) - 10 * second) <= 1
    scene.pass_time(0.1)
    assert sorted(scene.gone) == list(range(100))
    assert scene.gone != list(range(100))
    assert len(scene.over) == 1
    assert not scene.clock.getDelayedCalls()


def test_no_time_at_all():
    """Everybody goes at once."""
    scene = Scene(5, 0)
    assert (len(scene.gone), len(scene.over)) == (5, 1)


def test_nobody_is_there():
    """It is over before it begins."""
    assert Scene(0, 3600.0).over == [None]


def test_a_second_signal():
    """The rest goes at once; a third one changes nothing."""
    scene = Scene(100, 3600.0)
    scene.pass_time(1.0)
    assert len(scene.gone) < 10
    scene.drain.hurry()
    scene.drain.hurry()
    assert sorted(scene.gone) == list(range(100))
    assert len(scene.over) == 1
    assert not scene.clock.getDelayedCalls()


def test_all_leave_by_themselves():
    """There is nobody to wait for."""
    scene = Scene(100, 3600.0)
    scene.are_gone = True
    scene.pass_time(0.1)
    assert len(scene.over) == 1
