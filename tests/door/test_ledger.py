"""Every connection is counted in once and counted out once."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.ledger import Ledger, Reading, Traffic
from rtcsig.door.life import Event, IllegalTransition, State

COUNTERS = {
    "opened": ["dialect"],
    "accept_errors": ["error"],
    "accept_pauses": ["reason"],
    "set_up_failures": ["stage", "error"],
    "callback_failures": ["stage", "error"],
    "refusals": ["status", "reason"],
    "closes": ["code"],
    "timeouts": ["reason"],
    "excesses": ["reason"],
    "dropped_messages": ["reason"],
    "dropped_log_lines": ["reason"],
}


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
    one.refusals[403, "origin"] += 1
    assert (other.connections, other.refusals[403, "origin"]) == (0, 0)


def test_what_is_not_known_is_not_read():
    """New books have the states, the lag and the number of connections so far, all 0."""
    assert list(Ledger().readings()) == [
        Reading("connections", {"state": "handshake", "dialect": ""}, 0),
        Reading("connections", {"state": "http", "dialect": ""}, 0),
        Reading("connections", {"state": "closing", "dialect": ""}, 0),
        Reading("lag_s", {}, 0.0),
        Reading("numbered", {}, 0),
    ]


def test_gauges_are_read_when_they_are_known():
    """Each with its name and no labels; 0 is known, too."""
    ledger = Ledger()
    ledger.max_connections, ledger.descriptors, ledger.descriptor_limit = 900, 0, 1024
    ledger.lag_s = 0.25
    ledger.next_number()
    moved(ledger, Event.MADE, Event.OPENED)
    moved(ledger, Event.MADE, Event.ASKED)
    ledger.has_opened("echo")
    assert {(r.name, *r.labels.values()): r.value for r in ledger.readings()} == {
        ("connections", "handshake", ""): 0,
        ("connections", "http", ""): 1,
        ("connections", "open", "echo"): 1,
        ("connections", "closing", ""): 0,
        ("opened", "echo"): 1,
        ("max_connections",): 900,
        ("descriptors",): 0,
        ("descriptor_limit",): 1024,
        ("lag_s",): 0.25,
        ("numbered",): 1,
    }


@pytest.mark.parametrize(("name", "labels"), COUNTERS.items())
def test_a_counter_is_read_by_its_reasons(name, labels):
    """One number for each reason, with the reason's name and its text."""
    ledger = Ledger()
    before = len(list(ledger.readings()))
    for reason, count in ((1013, 2), ("why", 3)):
        reasons = reason if len(labels) == 1 else ("stage", reason)
        getattr(ledger, name)[reasons] += count
    assert list(ledger.readings())[before:] == [
        Reading(name, dict(zip(labels, (*("stage",) * (len(labels) - 1), text), strict=True)), n)
        for text, n in (("1013", 2), ("why", 3))
    ]


def test_a_line_that_is_counted_meanwhile_disturbs_nobody():
    """The log's thread may find a new reason while the numbers are read."""
    ledger = Ledger()
    ledger.dropped_log_lines.update({"full": 1, "queue": 2})
    read = []
    for reading in ledger.readings():
        if reading.name == "dropped_log_lines":
            ledger.dropped_log_lines["ENOSPC"] += 1
            read.append(reading.value)
    assert read == [1, 2]


def test_every_counter_is_read():
    """One that is added to the books must get its row above."""
    counters = {name for name, value in vars(Ledger()).items() if isinstance(value, Counter)}
    assert counters - {"open"} == set(COUNTERS)


def test_what_was_said_stays_when_a_connection_ends():
    """The sum of all that are gone, by dialect; the number that are open goes down."""
    ledger = Ledger()
    for messages in (1, 2):
        said = Traffic()
        said.messages_in, said.bytes_out = messages, 10 * messages
        ledger.has_opened("echo")
        ledger.has_ended("echo", said)
    assert (ledger.open["echo"], ledger.opened["echo"]) == (0, 2)
    total = ledger.traffic["echo"]
    assert (total.messages_in, total.bytes_in) == (3, 0)
    assert (total.messages_out, total.bytes_out) == (0, 30)


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
