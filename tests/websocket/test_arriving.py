"""Who a connection belongs to, and whether there is room for it; bytes in memory."""

from __future__ import annotations

import re

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from rtcsig.codes import CloseCode
from rtcsig.door.descriptors import MAX_BEYOND
from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import CLOSE, request

ANN = IPv4Address("TCP", "203.0.113.1", 40_001)
BOB = IPv4Address("TCP", "203.0.113.2", 40_002)
UNIX = UNIXAddress(None)


@pytest.fixture
def clock():
    """Time by hand."""
    return SteadyClock()


@pytest.fixture
def house(clock):
    """Make a house with settings and a dialect that fails when it is told something."""

    def make(**settings):
        return house_of(clock, recording_dialect([], "received"), **settings)

    return make


def arrive(house, address=ANN, *lines):
    """A peer that has asked for the upgrade, and the status and head of its answer."""
    peer = MemoryPeer(house)
    peer.transport.peerAddr = address
    peer.connect()
    if not peer.transport.ends:
        peer.protocol.dataReceived(request("/x", *lines))
    status, head, _ = peer.http_answer()
    return peer, status, head


def status_of(house, address=ANN):
    """What the next from this address is answered."""
    return arrive(house, address)[1]


def asks_to_come_back(head):
    """Whether the answer says when, in one to ten seconds."""
    found = re.search(r"\r\nRetry-After: (\d+)(\r\n|$)", head)
    return found is not None and 1 <= int(found[1]) <= 10


class TestRoom:
    """The limits for all together."""

    def test_one_too_many_is_503(self, house, logged):
        """Asked to come back, before a byte of its request is read; when one has gone it fits."""
        house = house(max_connections=2)
        first, _, _ = arrive(house)
        assert status_of(house, BOB) == 101
        refused, status, head = arrive(house, BOB)
        assert status == 503
        assert asks_to_come_back(head)
        assert refused.transport.ends == ["half"]
        first.lost()
        refused.lost()
        assert status_of(house) == 101
        assert house.ledger.refusals == {(503, "full"): 1}
        (line,) = logged.lines("server is full")
        assert line["fields"]["max_connections"] == 2
        assert "--max-connections" in line["fields"]["remedy"]

    def test_a_full_server_fills_no_log(self, house, logged):
        """A flood is a few lines, and every refusal is counted."""
        house = house(max_connections=1)
        arrive(house)
        for _ in range(50):
            arrive(house)[0].lost()
        assert len(logged.lines("server is full")) < 10
        assert house.ledger.refusals == {(503, "full"): 50}

    def test_while_the_reactor_lags_it_is_503(self, house):
        """Asked to come back; those who are in are served on."""
        house = house()
        inside, _, _ = arrive(house)
        house.turnstile.is_lagging = True
        _, status, head = arrive(house)
        assert status == 503
        assert asks_to_come_back(head)
        inside.send_frame(9, b"x")
        assert inside.frames() == [(10, b"x")]

    def test_a_server_that_stops_asks_to_come_back(self, house):
        """Those whose request has not come yet get a 503, too."""
        house = house()
        peer = MemoryPeer(house)
        peer.connect()
        house.close_all(CloseCode.GOING_AWAY, "the server stops")
        status, head, _ = peer.http_answer()
        assert status == 503
        assert asks_to_come_back(head)


class TestOneAddress:
    """The limits for one source."""

    @pytest.mark.parametrize(
        ("limit", "what"),
        [
            ("max_connections_per_address", "connections"),
            ("max_half_open_per_address", "half-open"),
        ],
    )
    def test_one_too_many_is_429(self, house, limit, what):
        """Asked to come back; another address is served."""
        house = house(**{limit: 2})
        for _ in range(2):
            waiting = MemoryPeer(house)
            waiting.transport.peerAddr = ANN
            waiting.connect()
        _, status, head = arrive(house)
        assert status == 429
        assert asks_to_come_back(head)
        assert status_of(house, BOB) == 101
        assert house.ledger.refusals == {(429, f"address-{what}"): 1}
        waiting.lost()
        assert status_of(house) == 101

    def test_open_connections_are_not_half_open(self, house):
        """That limit is for those who connect and say nothing."""
        house = house(max_half_open_per_address=1)
        assert [status_of(house) for _ in range(5)] == [101] * 5

    def test_too_many_in_a_time_are_429(self, house, clock):
        """Five seconds' worth at once, whether they stay or not; then as many as the rate."""
        house = house(max_connection_rate_per_address=1)
        for _ in range(5):
            arrive(house)[0].lost()
        assert status_of(house) == 429
        assert status_of(house, BOB) == 101
        clock.advance(1)
        assert [status_of(house), status_of(house)] == [101, 429]
        assert house.ledger.refusals == {(429, "address-rate"): 2}

    def test_an_ipv6_network_is_one_address(self, house):
        """Of 64 bits; IPv4 within IPv6 is the IPv4 address."""
        house = house(max_connections_per_address=1)

        def from_host(host):
            return status_of(house, IPv6Address("TCP", host, 1))

        assert from_host("2001:db8:1:2::1") == 101
        assert from_host("2001:db8:1:2:ffff::9") == 429
        assert from_host("2001:db8:1:3::1") == 101
        assert from_host("fe80::1%lo") == 101
        assert [status_of(house), from_host("::ffff:203.0.113.1")] == [101, 429]

    def test_behind_a_unix_socket_there_is_none(self, house):
        """Its peers are bounded together only."""
        house = house(max_connections_per_address=1, max_connections=3)
        assert [status_of(house, UNIX) for _ in range(4)] == [101, 101, 101, 503]
        assert house.turnstile.sources == 0


def aborted(peer, clock):
    """The request comes never."""
    clock.advance(5)
    clock.advance(5)
    peer.lost("aborted")


def malformed(peer, clock):
    """The request is none."""
    peer.protocol.dataReceived(b"nonsense\r\n\r\n")
    peer.lost()


def closed_by_the_peer(peer, clock):
    """The WebSocket closes as it should."""
    peer.upgrade("/x")
    peer.send_frame(CLOSE, b"\x03\xe8")
    peer.lost()


def closed_by_us(peer, clock):
    """The peer does not answer our close."""
    peer.upgrade("/x")
    peer.protocol.close(CloseCode.NORMAL, "")
    clock.advance(5)
    peer.lost("aborted")


def failed(peer, clock):
    """The session raises."""
    peer.upgrade("/x")
    peer.send(b"x")
    peer.lost("reset")


def lost_twice(peer, clock):
    """The transport says twice that it is gone."""
    peer.upgrade("/x")
    peer.lost()
    peer.lost()


@pytest.mark.parametrize(
    "end",
    [
        lambda peer, clock: peer.lost(),
        aborted,
        malformed,
        closed_by_the_peer,
        closed_by_us,
        failed,
        lost_twice,
    ],
)
def test_its_place_is_given_back(house, clock, logged, end):
    """Once, however the connection ends: the next one fits, and only one."""
    house = house(max_connections=2, max_connections_per_address=1, max_half_open_per_address=1)
    peer = MemoryPeer(house)
    peer.transport.peerAddr = ANN
    peer.connect()
    assert house.turnstile.connections == 1
    end(peer, clock)
    assert house.turnstile.connections == 0
    assert [status_of(house), status_of(house)] == [101, 429]
    assert house.turnstile.connections == 1
    logged.errors()


def test_a_refused_connection_gives_its_place_back(house):
    """At once: nobody keeps others out by being refused."""
    house = house(max_connections=2, max_connections_per_address=1)
    peers = [arrive(house)[0] for _ in range(4)]
    assert house.turnstile.connections == 1
    assert house.ledger.refusals == {(429, "address-connections"): 3}
    for peer in peers:
        peer.lost()
    assert house.turnstile.connections == 0
    assert status_of(house) == 101


def test_those_who_are_refused_linger_in_bounded_number(house):
    """So many may take their time to go; beyond that an answer is followed by the end."""
    house = house(max_connections_per_address=1)
    first, *refused = [arrive(house)[0] for _ in range(MAX_BEYOND + 10)]
    ends = [peer.transport.ends for peer in refused]
    assert first.transport.ends == []
    assert ends == [["half"]] * MAX_BEYOND + [["fin"]] * 9


def test_a_failed_set_up_takes_no_place(house, logged):
    """It was never counted in."""
    house = house(max_connections=1)
    peer = MemoryPeer(house)
    peer.transport.getPeer = None
    peer.connect()
    assert logged.errors()
    assert house.turnstile.connections == 0
    assert status_of(house) == 101


def raising(*args):
    """Fail as a bug of ours would."""
    raise RuntimeError("secret text")


def test_a_failing_arrival_is_500(house, logged):
    """One traceback, nothing of it for the client, and its place is given back."""
    house = house(max_connections=1)
    peer = MemoryPeer(house)
    peer.protocol._belongs_to = raising
    peer.connect()
    status, head, body = peer.http_answer()
    assert status == 500
    assert "secret" not in head + body
    assert len(logged.errors()) == 1
    assert house.ledger.callback_failures == {("arrival", "RuntimeError"): 1}
    peer.lost()
    assert status_of(house) == 101


def test_a_failing_count_keeps_no_connection(house, logged):
    """The house forgets it all the same: a stop would wait for it."""
    house = house()
    peer, _, _ = arrive(house)
    peer.protocol.gone = raising
    peer.lost()
    assert not house.connections
    assert house.ledger.callback_failures == {("gone", "RuntimeError"): 1}
    assert len(logged.errors()) == 1
