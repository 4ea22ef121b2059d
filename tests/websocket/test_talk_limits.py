"""Who says too much is closed, heard no more, and costs nobody else anything."""

from __future__ import annotations

import zlib

import pytest

from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
CONTINUED = 0


def deflated(payload):
    """A payload as permessage-deflate has it (RFC 7692, 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


WAYS = {
    "the short way": (None, frame(TEXT, b"x")),
    "binary": (None, frame(BINARY, b"x")),
    "fragmented": (None, frame(TEXT, b"x", final=False) + frame(CONTINUED, b"y")),
    "compressed": (DEFLATE, frame(TEXT, deflated(b"x"), rsv=4)),
}


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
    """Make a house with settings."""

    def make(**settings):
        return house_of(clock, recording_dialect(sessions), **settings)

    return make


def received(session):
    """How many messages reached a session."""
    return sum(call[0].startswith("received") for call in session.calls)


def assert_is_deaf(peer, session):
    """Closed with 1008 and half-closed; what follows is thrown away, the session told once."""
    assert peer.close_codes() == [1008]
    assert peer.transport.ends == ["half"]
    assert peer.transport.producer is None, "Twisted keeps a connection for its producer"
    heard = list(session.calls)
    assert heard.count("closed") == 1
    assert heard[-1] == "closed"
    for data in (frame(TEXT, b"x"), frame(PING, b"x"), frame(CLOSE, b"\x03\xf0"), b"\xff" * 99):
        peer.protocol.dataReceived(data)
    session.link.send(b"late")
    assert session.calls == heard
    assert peer.frames() == []
    assert len(peer.protocol.data) == 0
    assert peer.transport.ends == ["half"]


@pytest.fixture(params=WAYS)
def way(request):
    """An extension or None, and the bytes of one message."""
    return WAYS[request.param]


@pytest.mark.parametrize("together", [True, False])
def test_messages(house, sessions, way, logged, together):
    """Five seconds' worth are taken, whichever way they come; one more ends it."""
    extension, message = way
    house = house(max_message_rate=2, compression="deflate")
    peer = MemoryPeer(house, "/x", *filter(None, [extension]))
    for data in [message * 13] if together else [message] * 11:
        peer.protocol.dataReceived(data)
    assert received(sessions[0]) == 10
    assert house.ledger.excesses == {"messages": 1}
    assert house.ledger.closes == {1008: 1}
    (line,) = logged.lines("peer sends too much")
    assert (line["fields"]["sent"], line["fields"]["per_s"]) == ("messages", 2)
    assert_is_deaf(peer, sessions[0])


def test_messages_at_the_rate(house, sessions, clock, way):
    """Who keeps to it stays, as long as it likes."""
    extension, message = way
    house = house(max_message_rate=2, compression="deflate")
    peer = MemoryPeer(house, "/x", *filter(None, [extension]))
    for _ in range(40):
        peer.protocol.dataReceived(message)
        clock.advance(0.5)
    assert received(sessions[0]) == 40
    assert peer.close_codes() == []


def test_fragments_are_one_message(house, sessions):
    """Frames are bounded by another limit."""
    peer = MemoryPeer(house(max_message_rate=2), "/x")
    peer.send_frame(TEXT, b"x", final=False)
    for _ in range(50):
        peer.send_frame(CONTINUED, b"x", final=False)
    peer.send_frame(CONTINUED, b"x")
    assert sessions[0].calls[-1] == ("received", b"x" * 52)


@pytest.mark.parametrize("together", [True, False])
def test_many_fragments(house, sessions, together):
    """A message of very many costs more than one, before it is whole."""
    house = house(max_message_rate=2, max_frames_per_message=0)
    peer = MemoryPeer(house, "/x")
    peer.send_frame(TEXT, b"x", final=False)
    taken = frame(CONTINUED, b"x", final=False) * (3 + 10 * 16 // 3)
    for data in [taken] if together else [taken[i : i + 7] for i in range(0, len(taken), 7)]:
        peer.protocol.dataReceived(data)
    assert peer.close_codes() == []
    peer.send_frame(CONTINUED, b"x", final=False)
    assert house.ledger.excesses == {"messages": 1}
    assert received(sessions[0]) == 0
    assert_is_deaf(peer, sessions[0])


def test_few_fragments_cost_nothing(house, sessions):
    """Messages in four frames each are messages."""
    peer = MemoryPeer(house(max_message_rate=2), "/x")
    data = frame(TEXT, b"x", final=False) + frame(CONTINUED, b"x", final=False) * 2
    for _ in range(10):
        peer.protocol.dataReceived(data + frame(CONTINUED, b"x"))
    assert received(sessions[0]) == 10


def test_bytes(house, sessions, way):
    """As they come from the network, with their frames, compressed or not."""
    extension, message = way
    house = house(max_byte_rate=len(message) * 2, compression="deflate")
    peer = MemoryPeer(house, "/x", *filter(None, [extension]))
    for _ in range(10):
        peer.protocol.dataReceived(message)
    assert received(sessions[0]) == 10
    peer.protocol.dataReceived(message[:1])
    assert house.ledger.excesses == {"bytes": 1}
    assert_is_deaf(peer, sessions[0])


@pytest.mark.parametrize("compression", ["off", "deflate"])
def test_bytes_of_a_message_that_is_not_all_there(house, sessions, compression):
    """They count as they come, not when the message is whole."""
    peer = MemoryPeer(house(max_byte_rate=1000, compression=compression), "/x", DEFLATE)
    data = frame(TEXT, b"a" * 60_000)
    for start in range(0, 5000, 1000):
        assert peer.close_codes() == []
        peer.protocol.dataReceived(data[start : start + 1000])
    peer.protocol.dataReceived(data[5000:5001])
    assert received(sessions[0]) == 0
    assert_is_deaf(peer, sessions[0])


def test_bytes_of_the_request_are_not_counted(house):
    """The request has a limit of its own."""
    peer = MemoryPeer(house(max_byte_rate=50), "/x")
    peer.send(b"x" * 200)
    assert peer.close_codes() == []


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest.mark.parametrize("together", [True, False])
def test_control_frames(house, sessions, opcode, together):
    """Pings and pongs; those within the bound are answered."""
    house = house(max_control_frame_rate=2)
    peer = MemoryPeer(house, "/x")
    data = frame(opcode, b"x")
    for each in [data * 13] if together else [data] * 11:
        peer.protocol.dataReceived(each)
    written = peer.frames()
    pongs = [(PONG, b"x")] * (10 if opcode == PING else 0)
    assert written[:-1] == pongs
    assert written[-1].close_code == 1008
    assert house.ledger.excesses == {"control frames": 1}
    assert peer.transport.ends == ["half"]
    assert sessions[0].calls == ["made", "opened", "closed"]


def test_pongs_that_were_asked_for_count_little(house, clock):
    """A peer that answers every ping stays below the least bound there is."""
    peer = MemoryPeer(house(max_control_frame_rate=1), "/x")
    for _ in range(1000):
        clock.advance(1)
        for asked in peer.frames():
            peer.send_frame(PONG, asked.payload)
    assert peer.transport.ends == []


def test_no_bound_is_none(house, sessions):
    """0 for each."""
    house = house(
        max_message_rate=0, max_byte_rate=0, max_control_frame_rate=0, max_frames_per_message=0
    )
    peer = MemoryPeer(house, "/x")
    peer.protocol.dataReceived(frame(TEXT, b"x") * 20_000)
    for _ in range(2000):
        peer.send_frame(PING, b"x")
    peer.protocol.dataReceived(frame(TEXT, b"", final=False) + frame(CONTINUED, final=False) * 500)
    peer.send_frame(CONTINUED, b"end")
    assert received(sessions[0]) == 20_001
    assert peer.close_codes() == []


def test_another_peer_notices_nothing(house, sessions):
    """Each has its own bound."""
    house = house(max_message_rate=1)
    loud, other = MemoryPeer(house, "/a"), MemoryPeer(house, "/b")
    loud.protocol.dataReceived(frame(TEXT, b"x") * 100)
    for _ in range(5):
        other.send(b"x")
    assert received(sessions[1]) == 5
    assert (loud.close_codes(), other.close_codes()) == ([1008], [])


def test_one_that_stays_is_cut(house, clock):
    """Whatever it goes on to say, after ``close_timeout_s``; one that goes leaves nothing."""
    house = house(max_message_rate=1)
    peer, second = MemoryPeer(house, "/x"), MemoryPeer(house, "/x")
    for each in (peer, second):
        each.protocol.dataReceived(frame(TEXT, b"x") * 10)
    second.lost()
    for _ in range(5):
        peer.protocol.dataReceived(frame(TEXT, b"x") * 10)
        clock.advance(1)
    assert peer.transport.ends == ["half", "reset"]
    peer.lost("aborted")
    house.reporter.flush()
    assert not house.connections
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("compression", ["off", "deflate"])
@pytest.mark.parametrize("payload", [b"x", b""])
def test_frames_of_a_message(house, sessions, compression, payload, logged):
    """The most is taken, one more is 1009, empty ones count; the next message begins anew."""
    house = house(max_frames_per_message=3, compression=compression)
    peer = MemoryPeer(house, "/x", DEFLATE)
    for _ in range(2):
        peer.send_frame(TEXT, payload, final=False)
        peer.send_frame(CONTINUED, payload, final=False)
        peer.send_frame(PING)
        peer.send_frame(CONTINUED, payload)
    assert sessions[0].calls[2:] == [("received", payload * 3)] * 2
    peer.frames()
    peer.send_frame(TEXT, payload, final=False)
    for _ in range(9):
        peer.send_frame(CONTINUED, payload, final=False)
    assert peer.close_codes() == [1009]
    assert house.ledger.excesses == {"frames": 1}
    assert sessions[0].calls[-1] == "closed"
    assert received(sessions[0]) == 2
    assert len(peer.protocol.message_data) <= 3
    assert len(logged.lines("peer broke the protocol")) == 1
