"""Whatever connections do in whatever order, the turnstile's counts are those of who is in."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from rtcsig.codes import Refusal
from rtcsig.door.talk import BURST_S
from rtcsig.door.turnstile import SourceLimits, Turnstile

MAX_CONNECTIONS = 6
LIMITS = SourceLimits(connections=3, half_open=2, connections_per_s=2)
SOURCES = st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::/64"])


def status_of(action, *arguments):
    """The status that a call is refused with; None when it is not."""
    try:
        action(*arguments)
    except Refusal as refusal:
        return refusal.status
    return None


class Held:
    """A ticket, and what a client of it would say that it counts for."""

    def __init__(self, ticket):
        self.ticket = ticket
        self.is_in = True
        self.source = None
        self.is_half_open = False


class Counting(RuleBasedStateMachine):
    """Tickets beside a model of them, which counts by looking at each."""

    tickets = Bundle("tickets")

    def __init__(self):
        super().__init__()
        self.turnstile = Turnstile(MAX_CONNECTIONS, LIMITS)
        self.held = []
        self.now_s = 0.0

    @rule(target=tickets)
    def enter(self):
        """Somebody comes; refused when all places are taken, and only then."""
        is_full = sum(held.is_in for held in self.held) >= MAX_CONNECTIONS
        assert self.turnstile.is_full is is_full
        if is_full:
            assert status_of(self.turnstile.enter) == 503
            return Held(None)
        held = Held(self.turnstile.enter())
        self.held.append(held)
        return held

    @rule(held=tickets, source=SOURCES)
    def comes_from(self, held, source):
        """It is known whose it is."""
        if held.ticket is None:
            return
        is_news = held.is_in and held.source is None
        status = status_of(held.ticket.comes_from, source, self.now_s)
        assert status is None or (is_news and status == 429)
        if is_news and status is None:
            held.source = source
            held.is_half_open = True

    @rule(held=tickets)
    def opened(self, held):
        """Its WebSocket is open."""
        if held.ticket is not None:
            held.ticket.opened()
            held.is_half_open = False

    @rule(held=tickets)
    def left(self, held):
        """It is gone."""
        if held.ticket is not None:
            held.ticket.left()
            held.is_in = held.is_half_open = False

    @rule(held=consumes(tickets))
    def left_for_good(self, held):
        """It is gone, and nobody speaks of it any more."""
        self.left(held)

    @rule(pause_s=st.floats(0, 2 * BURST_S))
    def time_passes(self, pause_s):
        """What sources owe is forgotten by and by."""
        self.now_s += pause_s

    @invariant()
    def counts_are_those_of_live_tickets(self):
        """In all, of each source, and half open of each source; a limit is never passed."""
        live = [held for held in self.held if held.is_in]
        assert self.turnstile.connections == len(live) <= MAX_CONNECTIONS
        of_sources = Counter(held.source for held in live if held.source)
        half_open = Counter(held.source for held in live if held.is_half_open)
        for name, source in self.turnstile._sources.items():
            assert source.connections == of_sources.pop(name, 0) <= LIMITS.connections
            assert source.half_open == half_open.pop(name, 0) <= LIMITS.half_open
        assert not of_sources
        assert not half_open

    @invariant()
    def who_is_not_there_waits_to_be_forgotten(self):
        """A source without a connection stands in the queue, and nobody stands there twice."""
        leaving = self.turnstile._leaving
        absent = {n for n, source in self.turnstile._sources.items() if not source.connections}
        assert absent <= set(leaving) <= set(self.turnstile._sources)
        assert len(leaving) == len(set(leaving))

    def teardown(self):
        """When all have left and time has passed, the next to come is the only one known."""
        for held in self.held:
            held.ticket.left()
        self.turnstile.enter().comes_from("198.51.100.1", self.now_s + BURST_S)
        assert (self.turnstile.connections, self.turnstile.sources) == (1, 1)


TestCounting = Counting.TestCase
TestCounting.settings = settings(stateful_step_count=60, deadline=None)
