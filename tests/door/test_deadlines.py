"""The timers of connections: each is made once, in time and in order, or cancelled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from rtcsig.door.deadlines import Deadlines


def test_calls_are_made_in_the_order_in_which_they_are_due():
    """Of those due at one time the first set is the first made."""
    clock = Clock()
    deadlines = Deadlines(clock)
    made = []
    for name, delay_s in (("late", 5), ("soon", 1), ("soon too", 1), ("at once", 0)):
        deadlines.set(delay_s, made.append, name)
    clock.advance(0)
    assert made == ["at once"]
    clock.advance(1)
    assert made == ["at once", "soon", "soon too"]
    clock.advance(4)
    assert made[3:] == ["late"]
    assert not clock.getDelayedCalls()


def test_a_cancelled_one_is_not_made():
    """Nor is it active; to cancel it again, or after it was made, does nothing."""
    clock = Clock()
    deadlines = Deadlines(clock)
    made = []
    cancelled, other = deadlines.set(1, made.append, 1), deadlines.set(1, made.append, 2)
    cancelled.cancel()
    cancelled.cancel()
    assert (cancelled.is_active, other.is_active) == (False, True)
    assert list(deadlines) == [other]
    clock.advance(1)
    other.cancel()
    assert made == [2]
    assert not other.is_active


def test_one_that_is_replaced_by_a_later_one_stays_where_it_stands():
    """A connection's timer is replaced again and again, and the heap has it once."""
    clock = Clock()
    made = []
    deadlines = Deadlines(clock)
    first = deadlines.set(2, made.append, "first")
    for delay_s in range(3, 100):
        assert deadlines.replace(first, delay_s, made.append, delay_s) is first
    assert len(deadlines._heap) == 1
    assert list(deadlines) == [first]
    clock.advance(98)
    assert not made
    clock.advance(1)
    assert made == [99]
    assert deadlines.replace(first, 1, made.append, "next") is not first
    sooner = deadlines.replace(None, 5, made.append, "later")
    assert deadlines.replace(sooner, 1, made.append, "sooner") is not sooner
    clock.advance(1)
    assert made == [99, "next", "sooner"]


def test_the_reactor_has_one_timer_and_none_when_nothing_is_due():
    """However many are set, and whatever becomes of them."""
    clock = Clock()
    deadlines = Deadlines(clock)
    waiting = [deadlines.set(delay_s, int) for delay_s in (9, 3, 6)]
    (call,) = clock.getDelayedCalls()
    assert call.getTime() == 3
    for deadline in waiting:
        deadline.cancel()
    assert not clock.getDelayedCalls()


def test_a_call_may_cancel_another_and_set_a_new_one():
    """One that it sets for now is not made in the same turn, so that no turn is endless."""
    clock = Clock()
    deadlines = Deadlines(clock)
    made = []

    def act():
        made.append("act")
        other.cancel()
        deadlines.set(0, made.append, "new")

    deadlines.set(1, act)
    other = deadlines.set(1, made.append, "other")
    deadlines._wake_up.cancel()
    clock.advance(1)
    deadlines._run()
    assert made == ["act"]
    clock.advance(0)
    assert made == ["act", "new"]


def test_one_that_raises_costs_no_other(logged):
    """It is logged: a bug of ours."""
    clock = Clock()
    deadlines = Deadlines(clock)
    made = []
    deadlines.set(1, int, "no number")
    deadlines.set(1, made.append, 1)
    clock.advance(1)
    assert made == [1]
    (error,) = logged.errors()
    assert error["log_failure"].type is ValueError


def test_cancelled_ones_are_swept():
    """Ten thousand connections that come and go leave nothing behind but the few who stay."""
    clock = Clock()
    deadlines = Deadlines(clock)
    staying = [deadlines.set(60, int) for _ in range(10)]
    for _ in range(10_000):
        deadlines.set(60, int).cancel()
    assert len(deadlines._heap) < 200
    assert set(deadlines) == set(staying)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), st.integers(0, 8)),
            st.tuples(st.just("cancel"), st.integers(0, 30)),
            st.tuples(st.just("replace"), st.integers(0, 300)),
            st.tuples(st.just("advance"), st.integers(0, 4)),
        ),
        max_size=60,
    )
)
def test_each_is_made_once_when_it_is_due_or_never(steps):
    """In any order of settings, cancellations and time; of those due together the first set."""
    clock = Clock()
    deadlines = Deadlines(clock)
    made, known, due = [], [], {}
    for step, number in steps:
        if step == "set":
            name = len(known)
            due[name] = clock.seconds() + number
            known.append(deadlines.set(number, made.append, name))
        elif step == "replace" and known:
            former, delay_s, name = number // 10 % len(known), number % 10, len(known)
            if known[former].is_active:
                del due[former]
            due[name] = clock.seconds() + delay_s
            known.append(deadlines.replace(known[former], delay_s, made.append, name))
            # It may be the same one, which then is the newer one's.
            known[former] = deadlines.set(0, int)
            known[former].cancel()
        elif step == "cancel" and known:
            name = number % len(known)
            if known[name].is_active:
                known[name].cancel()
                del due[name]
        elif step == "advance":
            clock.advance(number)
            assert sorted(made) == sorted(n for n, due_s in due.items() if due_s <= clock.seconds())
    clock.advance(10)
    assert sorted(made) == sorted(due)
    assert made == sorted(due, key=lambda name: (due[name], name))
    assert not clock.getDelayedCalls()
