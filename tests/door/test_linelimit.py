"""So many lines of one kind in so many seconds, and nothing left out uncounted."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtcsig.door.linelimit import LineLimit

WINDOW_S = 10.0
steps = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 6)), max_size=60)


@pytest.fixture
def limit():
    """Two lines in ten seconds."""
    return LineLimit(2, WINDOW_S)


def test_the_first_lines_pass(limit):
    """Up to the limit lines are written, then they are left out."""
    assert [limit.admit("a", 0.0) for _ in range(4)] == [True, True, False, False]


def test_kinds_do_not_share_their_limit(limit):
    """A flood of one kind leaves the others their lines."""
    for _ in range(5):
        limit.admit("a", 0.0)
    assert limit.admit("b", 0.0)


def test_a_window_begins_with_its_first_line(limit):
    """And ends when its time is over, not before."""
    limit.admit("a", 5.0)
    assert limit.next_end_s() == 15.0
    for _ in range(4):
        limit.admit("a", 9.0)
    assert limit.ended(14.9) == {}
    assert limit.ended(15.0) == {"a": 3}


def test_after_its_end_a_kind_begins_anew(limit):
    """What was left out is told once, then lines pass again."""
    for _ in range(3):
        limit.admit("a", 0.0)
    assert limit.ended(10.0) == {"a": 1}
    assert limit.ended(10.0) == {}
    assert limit.admit("a", 10.0)


def test_a_window_with_nothing_left_out_ends_in_silence(limit):
    """Who kept to the limit is forgotten without a word."""
    limit.admit("a", 0.0)
    limit.admit("a", 0.0)
    assert limit.ended(10.0) == {}
    assert limit.next_end_s() is None


def test_the_oldest_window_ends_next(limit):
    """The timer is set for the first of several ends; without windows there is none."""
    assert limit.next_end_s() is None
    limit.admit("a", 3.0)
    limit.admit("b", 1.0)
    assert limit.next_end_s() == 11.0
    limit.ended(11.0)
    assert limit.next_end_s() == 13.0


@given(steps, st.integers(0, 3))
def test_every_line_is_written_or_counted(steps, lines):
    """Over any course of time, no kind passes its limit and no line is lost."""
    limit = LineLimit(lines, WINDOW_S)
    asked, written, counted = Counter(), Counter(), Counter()
    in_window = Counter()
    now_s = 0.0
    for kind, pause_s in steps:
        now_s += pause_s
        end_s = limit.next_end_s()
        counted.update(limit.ended(now_s))
        if end_s is not None and end_s <= now_s:
            in_window.clear()  # at least one window is over: count anew, which only asks less
        asked[kind] += 1
        if limit.admit(kind, now_s):
            written[kind] += 1
            in_window[kind] += 1
            assert in_window[kind] <= lines
    counted.update(limit.ended(now_s + WINDOW_S))
    assert limit.next_end_s() is None
    assert asked == written + counted


@given(st.floats(0, 1e6), st.floats(0.001, 1e4))
@example(0.7, 0.1)
def test_the_end_that_is_told_is_the_end(began_s, window_s):
    """A timer set for it finds the window over, whatever floats do to sums."""
    limit = LineLimit(0, window_s)
    limit.admit("a", began_s)
    assert limit.ended(limit.next_end_s()) == {"a": 1}


@given(st.lists(st.floats(0, 9.9), min_size=1, max_size=20), st.integers(0, 5))
def test_within_one_window_exactly_the_limit_passes(times, lines):
    """The first ``lines`` of a window, no more and no fewer."""
    limit = LineLimit(lines, WINDOW_S)
    admitted = [limit.admit("a", now_s) for now_s in sorted(times)]
    assert admitted == [number < lines for number in range(len(times))]
