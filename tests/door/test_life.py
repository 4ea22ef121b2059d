"""The states of a connection: what may follow what."""

from __future__ import annotations

from itertools import product

import pytest

from rtcsig.door.life import Event, IllegalTransition, State, after

FOLLOWS = {
    ("NEW", "MADE"): "HANDSHAKE",
    ("NEW", "FAILED"): "CLOSED",
    ("HANDSHAKE", "OPENED"): "OPEN",
    ("HANDSHAKE", "ASKED"): "HTTP",
    ("HANDSHAKE", "CLOSING"): "CLOSING",
    ("HANDSHAKE", "LOST"): "CLOSED",
    ("HTTP", "CLOSING"): "CLOSING",
    ("HTTP", "LOST"): "CLOSED",
    ("OPEN", "CLOSING"): "CLOSING",
    ("OPEN", "LOST"): "CLOSED",
    ("CLOSING", "CLOSING"): "CLOSING",
    ("CLOSING", "LOST"): "CLOSED",
}
PAIRS = list(product(State, Event))


def name_of(member: State | Event) -> str:
    """How a state or an event is called in the name of a test."""
    return member.name


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=name_of)
def test_each_pair_has_its_state_or_is_illegal(state, event):
    """The table above is all there is."""
    following = FOLLOWS.get((state.name, event.name))
    if following is None:
        with pytest.raises(IllegalTransition) as caught:
            after(state, event)
        assert str(caught.value) == f"{event.name} in {state.name}"
    else:
        assert after(state, event) is State[following]


def test_the_table_speaks_of_all_states_and_events():
    """A state or an event that is added must get its rows here."""
    assert {state for state, _ in FOLLOWS} | set(FOLLOWS.values()) == set(State.__members__)
    assert {event for _, event in FOLLOWS} == set(Event.__members__)


def test_every_life_can_end():
    """From each state that was counted in, the loss of the transport counts it out."""
    counted = [state for state in State if state not in {State.NEW, State.CLOSED}]
    assert [after(state, Event.LOST) for state in counted] == [State.CLOSED] * 4
