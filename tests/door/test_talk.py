"""How much one peer may say: bounded in the long run, with room for a burst."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.talk import BURST_S, Rates, Talk

NOW_S = 1000.0
KINDS = {
    "messages": (Rates(messages_per_s=4), lambda talk, now_s: talk.message_is_too_much(now_s)),
    "bytes": (Rates(bytes_per_s=4), lambda talk, now_s: talk.bytes_are_too_much(1, now_s)),
    "control frames": (
        Rates(control_frames_per_s=4),
        lambda talk, now_s: talk.control_frame_is_too_much(now_s),
    ),
}
BURST = int(4 * BURST_S)


@pytest.fixture(params=KINDS)
def kind(request):
    """Rates with a bound of four in a second for one kind, and how one of it is counted."""
    return KINDS[request.param]


def test_a_burst_is_taken_and_one_more_is_too_much(kind):
    """Five seconds' worth may come at once."""
    rates, one = kind
    talk = Talk(rates)
    assert [one(talk, NOW_S) for _ in range(BURST)] == [False] * BURST
    assert one(talk, NOW_S)


def test_what_was_used_comes_back_at_the_rate(kind):
    """A second after a burst there is room for a second's worth, and for no more."""
    rates, one = kind
    talk = Talk(rates)
    for _ in range(BURST):
        one(talk, NOW_S)
    assert [one(talk, NOW_S + 1) for _ in range(5)] == [False] * 4 + [True]


def test_silence_saves_up_no_more_than_a_burst(kind):
    """A peer that was quiet for an hour may say as much as a new one."""
    rates, one = kind
    talk = Talk(rates)
    one(talk, NOW_S)
    later_s = NOW_S + 3600
    assert [one(talk, later_s) for _ in range(BURST + 1)] == [False] * BURST + [True]


def test_no_rate_is_no_bound(kind):
    """0 lets everything pass."""
    _, one = kind
    talk = Talk(Rates())
    assert not any(one(talk, NOW_S) for _ in range(10_000))


def test_the_kinds_have_buckets_of_their_own():
    """Who says too much of one thing has said nothing of another."""
    talk = Talk(Rates(messages_per_s=4, bytes_per_s=4, control_frames_per_s=4))
    assert talk.bytes_are_too_much(BURST + 1, NOW_S)
    assert not talk.message_is_too_much(NOW_S)
    assert not talk.control_frame_is_too_much(NOW_S)


def test_peers_have_buckets_of_their_own():
    """What one says costs the other nothing."""
    rates = Rates(bytes_per_s=4)
    talk, other = Talk(rates), Talk(rates)
    assert talk.bytes_are_too_much(1000, NOW_S)
    assert not other.bytes_are_too_much(BURST, NOW_S)


@given(
    st.sampled_from([1, 2, 8, 64, 1024]),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 500)), min_size=1, max_size=40),
)
def test_nobody_says_more_than_rate_and_burst(per_s, steps):
    """From any moment on, what is taken fits into the burst and the time that has passed."""
    talk = Talk(Rates(bytes_per_s=per_s))
    taken = []
    now_s = NOW_S
    for pause, count in steps:
        now_s += pause / 8
        if talk.bytes_are_too_much(count, now_s):
            break
        taken.append((now_s, count))
    for first, (began_s, _) in enumerate(taken):
        for (end_s, _), total in zip(
            taken[first:], accumulate(count for _, count in taken[first:]), strict=True
        ):
            assert total <= per_s * (BURST_S + end_s - began_s)


@given(st.sampled_from([1, 2, 8, 64, 1024]), st.integers(0, 20), st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_stopped(per_s, silence_s, count):
    """Also after a pause, and for as long as it likes."""
    talk = Talk(Rates(messages_per_s=per_s))
    start_s = NOW_S + silence_s
    assert not any(talk.message_is_too_much(start_s + n / per_s) for n in range(count))
