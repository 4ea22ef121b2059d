"""How many may be in: in all and from one source, counted in and out once."""

from __future__ import annotations

import pytest

from rtcsig.codes import Refusal
from rtcsig.door.talk import BURST_S
from rtcsig.door.turnstile import SourceLimits, Turnstile, source_of

ANN, BOB = "192.0.2.1", "192.0.2.2"


def turnstile_of(max_connections=1000, **limits):
    """A turnstile with these limits for a source."""
    return Turnstile(max_connections, SourceLimits(**limits))


def entered(turnstile, *sources, now_s=0.0):
    """The tickets of connections from these sources."""
    tickets = []
    for source in sources:
        ticket = turnstile.enter()
        ticket.comes_from(source, now_s)
        tickets.append(ticket)
    return tickets


def refusal_of(action, *arguments):
    """The refusal that a call raises, which says when to come back: its status and label."""
    with pytest.raises(Refusal) as caught:
        action(*arguments)
    assert caught.value.retry_after_s is not None
    assert 1 <= caught.value.retry_after_s <= 10
    return caught.value.status, caught.value.label


class TestSource:
    """Which addresses are one subscriber."""

    @pytest.mark.parametrize(
        ("host", "source"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
            ("fe80::1%eth0", "fe80::/64"),
        ],
    )
    def test_is_an_address_or_a_network_of_64_bits(self, host, source):
        """IPv4 alone, IPv6 as its network, IPv4 within IPv6 as IPv4."""
        assert source_of(host) == source

    @pytest.mark.parametrize("host", ["", "host", "192.0.2", "192.0.2.1:80", "[::1]", "unix"])
    def test_of_no_address_there_is_none(self, host):
        """What is no address is a ``ValueError``."""
        with pytest.raises(ValueError):
            source_of(host)


class TestEverybody:
    """The limits for all together."""

    def test_one_more_than_the_most_is_refused(self):
        """With 503, until somebody has left."""
        turnstile = turnstile_of(2)
        first = turnstile.enter()
        assert not turnstile.is_full
        turnstile.enter()
        assert turnstile.is_full
        assert refusal_of(turnstile.enter) == (503, "full")
        first.left()
        turnstile.enter()
        assert turnstile.connections == 2

    def test_while_the_reactor_lags_all_are_refused(self):
        """With 503, also when there is room; those who are in stay in."""
        turnstile = turnstile_of(2)
        turnstile.enter()
        turnstile.is_lagging = True
        assert refusal_of(turnstile.enter) == (503, "lagging")
        assert turnstile.connections == 1
        turnstile.is_lagging = False
        turnstile.enter()

    def test_those_refused_together_do_not_come_back_together(self):
        """Each is told another time, of one to ten seconds."""
        turnstile = turnstile_of()
        told = {turnstile.retry_after_s() for _ in range(1000)}
        assert len(told) > 1
        assert told <= set(range(1, 11))


class TestOneSource:
    """The limits for one source."""

    def test_its_connections_are_bounded(self):
        """One more is 429, until one has left; another source is let in."""
        turnstile = turnstile_of(connections=2)
        first, _ = entered(turnstile, ANN, ANN)
        ticket = turnstile.enter()
        assert refusal_of(ticket.comes_from, ANN, 0.0) == (429, "address-connections")
        entered(turnstile, BOB)
        first.left()
        entered(turnstile, ANN)

    def test_its_half_open_connections_are_bounded(self):
        """Those whose WebSocket is open do not count."""
        turnstile = turnstile_of(half_open=2)
        first, second = entered(turnstile, ANN, ANN)
        assert refusal_of(turnstile.enter().comes_from, ANN, 0.0) == (429, "address-half-open")
        first.opened()
        entered(turnstile, ANN, BOB)
        second.left()
        entered(turnstile, ANN)

    def test_its_rate_is_bounded(self):
        """Five seconds' worth at once, then so many a second, whether they stay or not."""
        turnstile = turnstile_of(connections_per_s=2)
        for _ in range(int(2 * BURST_S)):
            entered(turnstile, ANN)[0].left()
        assert refusal_of(turnstile.enter().comes_from, ANN, 0.0) == (429, "address-rate")
        entered(turnstile, BOB)
        entered(turnstile, ANN, ANN, now_s=1.0)
        assert refusal_of(turnstile.enter().comes_from, ANN, 1.0) == (429, "address-rate")

    def test_a_refused_connection_uses_up_nothing(self):
        """Who knocks too often is let in as soon as one who waited would be."""
        turnstile = turnstile_of(connections_per_s=2)
        entered(turnstile, *[ANN] * 10)
        for _ in range(100):
            ticket = turnstile.enter()
            refusal_of(ticket.comes_from, ANN, 0.0)
            ticket.left()
        entered(turnstile, ANN, now_s=0.5)
        assert turnstile.connections == 11

    def test_without_limits_nothing_is_bounded(self):
        """0 is no bound."""
        turnstile = turnstile_of()
        entered(turnstile, *[ANN] * 1000)
        assert turnstile.is_full


class TestTicket:
    """One place, given back once."""

    def test_counts_once_whatever_is_said_twice(self):
        """Every method again is no news."""
        turnstile = turnstile_of(connections=1, half_open=1)
        (ticket,) = entered(turnstile, ANN)
        ticket.comes_from(ANN, 0.0)
        ticket.comes_from(BOB, 0.0)
        for _ in range(2):
            ticket.opened()
        for _ in range(2):
            ticket.left()
        assert turnstile.connections == 0
        entered(turnstile, ANN, BOB)
        for name in (ANN, BOB):
            assert refusal_of(turnstile.enter().comes_from, name, 0.0)[0] == 429

    def test_of_no_known_source_is_given_back(self):
        """A connection may go before it has said whose it is; later it is too late to say so."""
        turnstile = turnstile_of(connections=1)
        ticket = turnstile.enter()
        ticket.opened()
        ticket.left()
        ticket.comes_from(ANN, 0.0)
        ticket.opened()
        assert (turnstile.connections, turnstile.sources) == (0, 0)

    def test_of_a_refused_source_is_given_back(self):
        """What was refused takes nothing from its source when it goes."""
        turnstile = turnstile_of(connections=1)
        (first,) = entered(turnstile, ANN)
        second = turnstile.enter()
        refusal_of(second.comes_from, ANN, 0.0)
        second.left()
        assert turnstile.connections == 1
        assert refusal_of(turnstile.enter().comes_from, ANN, 0.0)[0] == 429
        first.left()
        entered(turnstile, ANN)


class TestForgetting:
    """Sources that came and went."""

    @pytest.mark.parametrize("per_s", [0, 1, 1000])
    def test_leaves_nothing_behind(self, per_s):
        """Of ten thousand, each who comes when their rate is forgotten takes some away."""
        turnstile = turnstile_of(connections=5, connections_per_s=per_s)
        for number in range(10_000):
            entered(turnstile, f"source-{number}", now_s=1.0)[0].left()
        for number in range(1000):
            entered(turnstile, ANN, now_s=1.0 + BURST_S + number)[0].left()
        assert turnstile.sources == 1

    def test_keeps_up_with_those_who_come(self):
        """Over a long time no more are known than came within the burst."""
        turnstile = turnstile_of(connections_per_s=1)
        most = 0
        for number in range(10_000):
            entered(turnstile, f"source-{number}", now_s=number / 10)[0].left()
            most = max(most, turnstile.sources)
        assert most <= 10 * BURST_S + 1

    def test_waits_while_a_source_owes(self):
        """To leave and come back does not make the rate new."""
        turnstile = turnstile_of(connections_per_s=2)
        for _ in range(10):
            entered(turnstile, ANN)[0].left()
        entered(turnstile, BOB, now_s=0.25)
        assert refusal_of(turnstile.enter().comes_from, ANN, 0.25) == (429, "address-rate")

    def test_spares_a_source_that_came_back(self):
        """One that is there again is known, and forgotten after it has left again."""
        turnstile = turnstile_of(connections=1)
        entered(turnstile, ANN)[0].left()
        (again,) = entered(turnstile, ANN)
        entered(turnstile, BOB)
        assert turnstile.sources == 2
        assert refusal_of(turnstile.enter().comes_from, ANN, 0.0) == (429, "address-connections")
        again.left()
        entered(turnstile, "192.0.2.3")
        assert turnstile.sources == 2

    def test_is_held_up_by_nobody_who_is_there(self):
        """A source that left once, came back and goes on coming keeps no others known."""
        turnstile = turnstile_of(connections_per_s=1)
        entered(turnstile, ANN, now_s=1.0)[0].left()
        for number in range(100):
            entered(turnstile, ANN, now_s=1.0 + number)
            entered(turnstile, f"source-{number}", now_s=1.0 + number)[0].left()
        assert turnstile.sources <= BURST_S + 1

    def test_is_held_up_by_nobody_who_owes(self):
        """A source that comes and goes and always owes keeps no others known."""
        turnstile = turnstile_of(connections_per_s=2)
        for _ in range(6):
            entered(turnstile, ANN, now_s=1.0)[0].left()
        for number in range(1000):
            now_s = 1.0 + number / 2
            entered(turnstile, ANN, now_s=now_s)[0].left()
            entered(turnstile, f"source-{number}", now_s=now_s + 0.25)[0].left()
        assert turnstile.sources <= 2 * BURST_S

    def test_keeps_each_turn_short(self):
        """However many owe, few of them are looked at for each who comes."""
        turnstile = turnstile_of(connections_per_s=1)
        for number in range(1000):
            entered(turnstile, f"source-{number}")[0].left()
        before = list(turnstile._leaving)
        entered(turnstile, BOB)
        assert list(turnstile._leaving) == before[10:] + before[:10]

    def test_one_that_left_twice_waits_once(self):
        """A source that comes and goes while it owes takes one place among those who left."""
        turnstile = turnstile_of(connections_per_s=2)
        for _ in range(5):
            entered(turnstile, ANN)[0].left()
        assert list(turnstile._leaving) == [ANN]


def test_reasons_why_nobody_is_let_in():
    """Each with its word and its sentence; the gravest is what a newcomer is told."""
    turnstile = Turnstile(1, SourceLimits())
    assert turnstile.reasons() == []
    turnstile.enter()
    turnstile.is_lagging = turnstile.is_draining = True
    assert [word for word, _ in turnstile.reasons()] == ["draining", "lagging", "full"]
    with pytest.raises(Refusal) as refused:
        turnstile.enter()
    assert (refused.value.status, refused.value.label) == (503, "draining")
    assert refused.value.reason == turnstile.reasons()[0][1]
