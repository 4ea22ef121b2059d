"""Pauses before a server is started again."""

from __future__ import annotations

from rtcsig.ops.restarts import Restarts


def test_pauses_double_up_to_their_bound():
    """The first time it is at once: most ends are accidents."""
    restarts = Restarts(3.0)
    assert [restarts.pause_s(1.0) for _ in range(7)] == [0, 0.25, 0.5, 1, 2, 3, 3]
    assert restarts.count == 7


def test_a_good_run_is_a_new_beginning():
    """A minute, and its end has nothing to do with those before."""
    restarts = Restarts(30.0)
    for _ in range(4):
        restarts.pause_s(59.9)
    assert restarts.pause_s(60.0) == 0
    assert restarts.pause_s(59.9) == 0.25
    assert restarts.count == 6


def test_years_of_it():
    """No number gets too large."""
    restarts = Restarts(30.0)
    assert {restarts.pause_s(0) for _ in range(5000)} == {0, 0.25, 0.5, 1, 2, 4, 8, 16, 30}


def test_no_pauses_at_all():
    """If the settings want it so."""
    restarts = Restarts(0)
    assert [restarts.pause_s(0) for _ in range(4)] == [0, 0, 0, 0]
