"""Every connection is counted in once and counted out once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.ledger import Ledger
from rtcsig.door.life import Event, IllegalTransition, State


def moved(ledger: Ledger, *events: Event) -> State:
    """Take one connection through its life so far."""
    state = State.NEW
    for event in events:
        state = ledger.moved(state, event)
    return state


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([Event.MADE], State.HANDSHAKE),
        ([Event.MADE, Event.OPENED], State.OPEN),
        ([Event.MADE, Event.CLOSING], State.CLOSING),
        ([Event.MADE, Event.OPENED, Event.CLOSING, Event.CLOSING], State.CLOSING),
    ],
)
def test_a_connection_is_counted_where_it_is(events, state):
    """In one state only, and in the total."""
    ledger = Ledger()
    assert moved(ledger, *events) is state
    assert ledger.connections == 1
    assert {each for each, count in ledger.states.items() if count} == {state}


@pytest.mark.parametrize(
    "events",
    [
        [Event.FAILED],
        [Event.MADE, Event.LOST],
        [Event.MADE, Event.OPENED, Event.LOST],
        [Event.MADE, Event.OPENED, Event.CLOSING, Event.CLOSING, Event.LOST],
    ],
)
def test_what_has_ended_is_counted_nowhere(events):
    """However it ended, also before it was set up."""
    ledger = Ledger()
    assert moved(ledger, *events) is State.CLOSED
    assert ledger.connections == 0
    assert not any(ledger.states.values())


def test_a_mistake_counts_nothing():
    """An illegal transition is raised before any number changes."""
    ledger = Ledger()
    moved(ledger, Event.MADE)
    before = dict(ledger.states)
    with pytest.raises(IllegalTransition):
        ledger.moved(State.CLOSED, Event.LOST)
    assert ledger.states == before


def test_numbers_are_never_given_twice():
    """Each connection has a number of its own, from 1 on."""
    ledger = Ledger()
    assert [ledger.next_number() for _ in range(3)] == [1, 2, 3]
    assert ledger.numbered == 3


def test_each_server_has_its_own_books():
    """What one counts, the other does not see."""
    one, other = Ledger(), Ledger()
    moved(one, Event.MADE)
    one.refusals[403] += 1
    assert (other.connections, other.refusals[403]) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(Event)), max_size=60))
def test_whatever_happens_the_books_are_right(steps):
    """After any events of several connections, legal or not, the counts are those of the states."""
    ledger = Ledger()
    states = [State.NEW] * 5
    for number, event in steps:
        try:
            states[number] = ledger.moved(states[number], event)
        except IllegalTransition:
            continue
    live = [state for state in states if state not in {State.NEW, State.CLOSED}]
    assert ledger.connections == len(live)
    assert ledger.states == {state: live.count(state) for state in State}
