"""A queue is bounded as well when its transport says only once that something is queued."""

from __future__ import annotations

import pytest

from tests.support.memory import (
    MemoryPeer,
    MemoryTransport,
    SteadyClock,
    house_of,
    recording_dialect,
)
from tests.support.peer import CLOSE, PING, PONG

ONE_READ_BYTES = 8192
FULL_BYTES = 65_536
SLOW_READER_TIMEOUT_S = 5.0


class OnceTransport(MemoryTransport):
    """Says that more is queued than one read, and no more until the queue was empty: as TLS."""

    def __init__(self) -> None:
        super().__init__()
        self.stalled = True
        self._has_said_so = False

    def write(self, data: bytes) -> None:
        self.io.write(data)
        self.dataBuffer += data
        is_long = len(self.dataBuffer) > ONE_READ_BYTES
        if is_long and self.producer is not None and not self._has_said_so:
            self._has_said_so = True
            self.producer.pauseProducing()

    def drain(self) -> None:
        self._has_said_so = False
        super().drain()


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
    """A house that pings nobody during these tests."""
    return house_of(clock, recording_dialect(sessions), ping_interval_s=3600.0)


@pytest.fixture
def peer(house):
    """A peer that does not read."""
    return MemoryPeer(house, "/x", transport=OnceTransport())


@pytest.fixture
def link(peer, sessions):
    """What that peer is sent by."""
    return sessions[0].link


def test_in_bytes(house, peer, link):
    """Many small messages as well as few large ones end it with 1013."""
    for _ in range(20_000):
        link.send(b"a" * 100)
    assert peer.transport.value().count(b"a") <= (1 << 20)
    assert peer.frames()[-1].close_code == 1013
    assert house.ledger.timeouts == {"slow-reader": 1}


def test_in_bytes_when_they_are_binary(peer, link):
    """The other kind of message has the same bound."""
    for _ in range(200):
        link.send_binary(b"a" * 10_000)
    assert len(peer.transport.value()) <= (1 << 20) + 20_000
    assert peer.frames()[-1].close_code == 1013


def test_in_time(clock, peer, link):
    """The clock starts with the first message for one whose queue is full."""
    for _ in range(9):
        link.send(b"a" * 10_000)
    clock.advance(SLOW_READER_TIMEOUT_S - 0.1)
    assert peer.close_codes() == []
    clock.advance(0.1)
    assert peer.close_codes() == [1013]


def test_in_pongs(peer):
    """What is sent for the peer's own sake is queued like anything else."""
    peer.transport.write(b"a" * (ONE_READ_BYTES + 1))
    peer.transport.dataBuffer = b"a" * (1 << 20)
    peer.frames()
    peer.send_frame(PING, b"a" * 125)
    peer.send_frame(PING, b"a" * 125)
    assert [received.opcode for received in peer.frames()] == [PONG, CLOSE]


def test_one_that_is_never_quite_empty_is_watched_on(clock, peer, link):
    """It was short enough when the time was over; filled again, it has the same time again."""
    for _ in range(9):
        link.send(b"a" * 10_000)
    peer.transport.dataBuffer = b"a" * FULL_BYTES
    clock.advance(SLOW_READER_TIMEOUT_S)
    assert peer.close_codes() == []
    for _ in range(2):
        link.send(b"a")
    clock.advance(SLOW_READER_TIMEOUT_S - 0.1)
    assert peer.close_codes() == []
    clock.advance(0.1)
    assert peer.close_codes() == [1013]


def test_one_that_is_short_starts_no_clock(clock, house, peer, link):
    """A few messages may wait as long as the peer answers pings."""
    before = len(list(house.deadlines))
    for _ in range(6):
        link.send(b"a" * 10_000)
    assert len(list(house.deadlines)) == before
    clock.advance(10 * SLOW_READER_TIMEOUT_S)
    assert peer.close_codes() == []


def test_one_that_was_read_counts_from_the_beginning(clock, house, peer, link):
    """In time and in bytes; and while it is empty there is no clock."""
    before = len(list(house.deadlines))
    for _ in range(5):
        for _ in range(60):
            link.send(b"a" * 10_000)
        assert len(list(house.deadlines)) == before + 1
        clock.advance(SLOW_READER_TIMEOUT_S - 1)
        peer.transport.drain()
        assert len(list(house.deadlines)) == before
    assert peer.close_codes() == []
