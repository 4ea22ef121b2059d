"""How much one peer may say: bounded in the long run, with room for a burst."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.talk import BURST_S, IN_ADVANCE_S, Rates, Talk

KINDS = {
    "messages": (Rates(messages_per_s=4), Talk.message_is_too_much),
    "bytes": (Rates(bytes_per_s=4), lambda talk: talk.bytes_are_too_much(1)),
    "control frames": (Rates(control_frames_per_s=4), Talk.control_frame_is_too_much),
}
BURST = int(4 * BURST_S)


class Time:
    """A clock that is set by hand; it counts how often it is read."""

    def __init__(self):
        self.now_s = 1000.0
        self.readings = 0

    def __call__(self):
        self.readings += 1
        return self.now_s


@pytest.fixture(params=KINDS)
def kind(request):
    """Rates with a bound of four in a second for one kind, and how one of it is counted."""
    return KINDS[request.param]


def test_a_burst_is_taken_and_one_more_is_too_much(kind):
    """Five seconds' worth may come at once."""
    rates, one = kind
    talk = Talk(rates, Time())
    assert [one(talk) for _ in range(BURST)] == [False] * BURST
    assert one(talk)


def test_what_was_used_comes_back_at_the_rate(kind):
    """A second after a burst there is room for a second's worth, and for no more."""
    rates, one = kind
    time = Time()
    talk = Talk(rates, time)
    for _ in range(BURST):
        one(talk)
    time.now_s += 1
    assert [one(talk) for _ in range(5)] == [False] * 4 + [True]


def test_silence_saves_up_no_more_than_a_burst(kind):
    """A peer that was quiet for an hour may say as much as a new one."""
    rates, one = kind
    time = Time()
    talk = Talk(rates, time)
    one(talk)
    time.now_s += 3600
    assert [one(talk) for _ in range(BURST + 1)] == [False] * BURST + [True]


def test_some_five_fragments_cost_as_much_as_a_message():
    """Both are taken from one bucket, to the last fragment."""
    talk = Talk(Rates(messages_per_s=4), Time())
    assert [talk.message_is_too_much() for _ in range(BURST - 1)] == [False] * (BURST - 1)
    assert [talk.fragment_is_too_much() for _ in range(5)] == [False] * 5
    assert talk.fragment_is_too_much()


def test_no_rate_is_no_bound(kind):
    """0 lets everything pass."""
    _, one = kind
    talk = Talk(Rates(), Time())
    assert not any(one(talk) for _ in range(10_000))


def test_the_kinds_have_buckets_of_their_own():
    """Who says too much of one thing has said nothing of another."""
    talk = Talk(Rates(messages_per_s=4, bytes_per_s=4, control_frames_per_s=4), Time())
    assert talk.bytes_are_too_much(BURST + 1)
    assert not talk.message_is_too_much()
    assert not talk.control_frame_is_too_much()


def test_peers_have_buckets_of_their_own():
    """What one says costs the other nothing."""
    rates = Rates(bytes_per_s=4)
    talk, other = Talk(rates, Time()), Talk(rates, Time())
    assert talk.bytes_are_too_much(1000)
    assert not other.bytes_are_too_much(BURST)


def test_the_clock_is_read_now_and_then():
    """Not for every message: those of 50 ms are charged at once."""
    time = Time()
    talk = Talk(Rates(messages_per_s=1000, bytes_per_s=1000), time)
    for _ in range(1000):
        assert not talk.message_is_too_much()
        assert not talk.bytes_are_too_much(1)
    assert time.readings < 50


def test_what_was_charged_in_advance_needs_no_look_at_the_clock():
    """A message within it counts as any other; one that is not within is not counted at all."""
    time = Time()
    talk = Talk(Rates(messages_per_s=100, bytes_per_s=1000), time)
    assert not talk.is_within(1)
    talk.message_is_too_much()
    talk.bytes_are_too_much(1)
    readings = time.readings
    assert [talk.is_within(10) for _ in range(6)] == [True] * 5 + [False]
    assert not talk.is_within(1)
    assert time.readings == readings
    assert Talk(Rates(), time).is_within(1 << 40)


@given(
    st.sampled_from([1, 2, 8, 64, 1024]),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 500)), min_size=1, max_size=40),
)
def test_nobody_says_more_than_rate_and_burst(per_s, steps):
    """From any moment on, what is taken fits into the burst and the time that has passed."""
    time = Time()
    talk = Talk(Rates(bytes_per_s=per_s), time)
    taken = []
    for pause, count in steps:
        time.now_s += pause / 8
        if talk.bytes_are_too_much(count):
            break
        taken.append((time.now_s, count))
    for first, (began_s, _) in enumerate(taken):
        for (end_s, _), total in zip(
            taken[first:], accumulate(count for _, count in taken[first:]), strict=True
        ):
            assert total <= per_s * (BURST_S + IN_ADVANCE_S + end_s - began_s)


@given(st.sampled_from([1, 2, 8, 64, 1024]), st.integers(0, 20), st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_stopped(per_s, silence_s, count):
    """Also after a pause, and for as long as it likes."""
    time = Time()
    talk = Talk(Rates(messages_per_s=per_s, bytes_per_s=per_s), time)
    time.now_s += silence_s
    for _ in range(count):
        assert not talk.message_is_too_much()
        assert not talk.bytes_are_too_much(1)
        time.now_s += 1 / per_s


@pytest.mark.parametrize("rates", [Rates(), Rates(10, 1000, 10)])
def test_what_was_said_is_counted(rates):
    """Messages and bytes, in whichever way they came, and since when; also without a bound."""
    talk = Talk(rates, lambda: 7.0)
    talk.message_is_too_much()
    talk.bytes_are_too_much(10)
    counted = talk.is_within(5)
    assert (talk.messages, talk.bytes) == ((2, 15) if counted else (1, 10))
    talk.fragment_is_too_much()
    talk.control_frame_is_too_much()
    assert talk.messages == 1 + counted
    assert talk.since_s == 7.0
