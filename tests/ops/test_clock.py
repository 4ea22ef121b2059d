"""Timers when the wall clock is set."""

from __future__ import annotations

import pytest
from twisted.internet.selectreactor import SelectReactor

from rtcsig.ops.clock import use_monotonic_time


@pytest.fixture
def reactor(monkeypatch):
    """A reactor of the test's own, whose wall clock the test can set."""
    monkeypatch.setattr(SelectReactor, "installWaker", lambda self: None)
    made = SelectReactor()
    made.wall_s = 1_000_000.0
    monkeypatch.setattr(made, "seconds", lambda: made.wall_s)
    return made


@pytest.mark.parametrize("jump_s", [3600, -3600])
def test_a_wall_clock_that_is_set_moves_no_timer(reactor, jump_s):
    """Neither those that are set later nor those that wait already."""
    waiting = reactor.callLater(100, lambda: None)
    use_monotonic_time(reactor)
    later = reactor.callLater(100, lambda: None)
    reactor.wall_s += jump_s
    assert abs(waiting.getTime() - later.getTime()) < 10
    assert 90 < reactor.timeout() <= 100
    waiting.reset(200)
    assert 190 < waiting.getTime() - reactor.seconds() <= 200


def test_without_it_they_move(reactor):
    """The fault is there: with Twisted's own time a jump makes timers due."""
    reactor.callLater(100, lambda: None)
    reactor.wall_s += 3600
    assert reactor.timeout() == 0
