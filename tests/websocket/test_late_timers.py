"""A process that stood still does not hold that against its peers."""

from __future__ import annotations

import pytest

from rtcsig.codes import CloseCode
from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import CLOSE, PING, PONG, request

PONG_TIMEOUT_S = 10.0
OPEN_TIMEOUT_S = 5.0
SLOW_READER_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0


@pytest.fixture
def clock():
    """Time by hand."""
    return SteadyClock()


@pytest.fixture
def sessions():
    """The sessions that were made."""
    return []


@pytest.fixture
def house(clock, sessions):
    """A house with a dialect that records."""
    return house_of(clock, recording_dialect(sessions))


@pytest.fixture
def asked(house, clock):
    """A peer that has been pinged, and the payload of the ping."""
    peer = MemoryPeer(house, "/x")
    for _ in range(250):
        clock.advance(0.1)
        pings = [received.payload for received in peer.frames() if received.opcode == PING]
        if pings:
            return peer, pings[0]
    raise AssertionError("no ping came")


class TestPong:
    """The time for a pong."""

    def test_that_is_read_late_counts(self, asked, house, clock):
        """What the peer said while the process stood still is read first."""
        peer, payload = asked
        clock.leap(PONG_TIMEOUT_S + 60)
        peer.send_frame(PONG, payload)
        clock.advance(19)
        assert peer.transport.ends == []
        assert not house.ledger.timeouts
        clock.advance(7)
        assert [received.opcode for received in peer.frames()] == [PING]

    def test_of_a_silent_peer_ends_a_second_later(self, asked, house, clock, sessions):
        """It is dropped all the same."""
        peer, _ = asked
        clock.leap(PONG_TIMEOUT_S + 60)
        clock.advance(0.99)
        assert peer.transport.ends == []
        clock.advance(0.01)
        assert peer.transport.ends == ["reset"]
        assert house.ledger.timeouts == {"pong": 1}
        assert sessions[0].calls[-1] == "closed"

    def test_there_is_one_second_chance(self, asked, clock):
        """Also when the process stands still again: no peer is waited for without end."""
        peer, _ = asked
        clock.leap(PONG_TIMEOUT_S + 60)
        clock.leap(60)
        assert peer.transport.ends == ["reset"]

    def test_the_next_ping_has_its_own(self, asked, clock):
        """A second chance that was used is not the last of the connection."""
        peer, payload = asked
        for _ in range(3):
            clock.leap(PONG_TIMEOUT_S + 60)
            peer.send_frame(PONG, payload)
            clock.advance(26)
            ((_, payload),) = peer.frames()
        assert peer.transport.ends == []

    def test_a_little_late_is_in_time(self, asked, clock):
        """Timers are never exact: half a second gives no second chance."""
        peer, _ = asked
        clock.leap(PONG_TIMEOUT_S + 0.3)
        assert peer.transport.ends == ["reset"]


def test_a_ping_that_is_late_comes_all_the_same(house, clock):
    """And its pong has the whole time."""
    peer = MemoryPeer(house, "/x")
    clock.leap(600)
    clock.advance(1)
    ((opcode, payload),) = peer.frames()
    assert opcode == PING
    clock.advance(PONG_TIMEOUT_S - 0.1)
    peer.send_frame(PONG, payload)
    clock.advance(19)
    assert peer.transport.ends == []


class TestRequest:
    """The deadline for the request."""

    def test_that_is_read_late_is_served(self, house, clock, sessions):
        """It was there in time."""
        peer = MemoryPeer(house)
        peer.connect()
        clock.leap(OPEN_TIMEOUT_S + 60)
        assert peer.upgrade("/x")[0] == 101
        clock.advance(1)
        assert sessions[0].calls == ["made", "opened"]
        assert peer.transport.ends == []

    @pytest.mark.parametrize("part", [0, 20])
    def test_that_does_not_come_is_408_a_second_later(self, house, clock, part):
        """Nothing of it, or a part."""
        peer = MemoryPeer(house)
        peer.connect()
        clock.leap(OPEN_TIMEOUT_S + 60)
        peer.protocol.dataReceived(request("/x")[:part])
        clock.advance(0.99)
        assert peer.transport.value() == b""
        clock.advance(0.01)
        assert peer.http_answer()[0] == 408
        assert house.ledger.timeouts == {"open": 1}


class TestSlowReader:
    """The time that a queue may stay full."""

    @pytest.fixture
    def peer(self, house, sessions):
        """A peer whose queue is full."""
        peer = MemoryPeer(house, "/x")
        peer.transport.stalled = True
        sessions[0].link.send(b"a" * 100_000)
        return peer

    def test_begins_anew_for_one_that_could_read_nothing(self, peer, clock):
        """While the process stood still nothing was written; one that reads then stays."""
        clock.leap(SLOW_READER_TIMEOUT_S + 60)
        clock.advance(SLOW_READER_TIMEOUT_S - 0.1)
        peer.transport.drain()
        clock.advance(SLOW_READER_TIMEOUT_S)
        assert CLOSE not in [received.opcode for received in peer.frames()]

    def test_ends_for_one_that_reads_nothing_afterwards(self, peer, house, clock):
        """After the whole time again, once."""
        clock.leap(SLOW_READER_TIMEOUT_S + 1)
        clock.advance(SLOW_READER_TIMEOUT_S - 0.1)
        assert not house.ledger.timeouts
        clock.advance(0.1)
        assert peer.close_codes() == [1013]
        assert house.ledger.timeouts == {"slow-reader": 1}

    def test_of_one_that_has_gone_leaves_no_timer(self, peer, house, clock):
        """Also when it has begun anew."""
        clock.leap(SLOW_READER_TIMEOUT_S + 1)
        peer.lost()
        house.reporter.flush()
        assert not clock.getDelayedCalls()


class TestHardEnd:
    """What no peer can put off."""

    @pytest.mark.parametrize("leap_s", [CLOSE_TIMEOUT_S, CLOSE_TIMEOUT_S + 60])
    def test_has_no_second_chance(self, house, sessions, clock, leap_s):
        """The peer was told to go, and whatever it said then means nothing."""
        peer = MemoryPeer(house, "/x")
        sessions[0].link.close(CloseCode.NORMAL, "")
        clock.leap(leap_s)
        assert peer.transport.ends == ["reset"]
        assert house.ledger.timeouts == {"close": 1}

    def test_of_a_refused_request_has_none(self, house, clock):
        """Nor has one that got an HTTP answer."""
        peer = MemoryPeer(house)
        peer.connect()
        peer.protocol.dataReceived(b"nonsense\r\n\r\n")
        clock.leap(CLOSE_TIMEOUT_S + 60)
        assert peer.transport.ends == ["half", "reset"]
