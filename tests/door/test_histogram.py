"""Distributions as counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.histogram import Histogram


def test_nothing_was_counted_yet():
    """All is 0."""
    empty = Histogram(0.1, 1.0)
    assert (empty.up_to(), empty.count, empty.sum) == ([0, 0], 0, 0.0)


def test_a_bound_belongs_to_what_is_below_it():
    """As Prometheus has it: le, less or equal."""
    histogram = Histogram(0.1, 1.0)
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.add(value)
    assert histogram.up_to() == [2, 4]
    assert histogram.count == 5
    assert histogram.sum == 0.05 + 0.1 + 0.5 + 1.0 + 7.0


@given(st.lists(st.integers(0, 100)), st.lists(st.integers(0, 100), unique=True))
def test_each_value_is_in_every_bucket_that_holds_it(values, bounds):
    """Whatever the bounds are."""
    histogram = Histogram(*sorted(bounds))
    for value in values:
        histogram.add(value)
    wanted = [sum(value <= bound for value in values) for bound in sorted(bounds)]
    assert histogram.up_to() == wanted
    assert (histogram.count, histogram.sum) == (len(values), sum(values))
