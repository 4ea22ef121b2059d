"""The short way for usual frames and Autobahn's way come to the same."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from tests.support.memory import MemoryPeer, house_of, recording_dialect
from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame

LIMIT = 70_000
SIZES = st.sampled_from([0, 1, 124, 125, 126, 127, 65_535, 65_536, LIMIT, LIMIT + 1])
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    SIZES.map(lambda size: b"a" * size),
    SIZES.map(lambda size: b"a" * (size // 2) + b"\xff" + b"a" * (size // 2)),
)
CUTS = st.integers(0, 400) | st.integers(0, 200_000)
FRAMES = st.one_of(
    PAYLOADS.map(lambda payload: frame(TEXT, payload)),
    st.builds(
        frame,
        st.sampled_from([0, TEXT, BINARY]),
        PAYLOADS,
        final=st.booleans(),
        masked=st.sampled_from([True, True, True, False]),
        rsv=st.sampled_from([0, 0, 0, 4]),
    ),
    st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125)),
    st.just(frame(CLOSE, b"\x03\xe8")),
    st.binary(max_size=12),
)


def outcome(pieces, *, short, closing, compression="off"):
    """What the session heard, what was written and how it ended."""
    sessions = []
    dialect = recording_dialect(sessions)
    house = house_of(Clock(), dialect, max_message_bytes=LIMIT, compression=compression)
    peer = MemoryPeer(house, "/x", "Sec-WebSocket-Extensions: permessage-deflate")
    if not short:
        peer.protocol.take = lambda data: data
    if closing:
        peer.protocol.close(4500, "while frames come in")
    for piece in pieces:
        peer.protocol.dataReceived(piece)
    heard = sessions[0].calls
    return heard, peer.frames(), peer.transport.ends, peer.protocol._life


def split(data, cuts):
    """``data`` in pieces."""
    borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(borders) if start < end]


@settings(max_examples=300)
@given(
    frames=st.lists(FRAMES, max_size=6),
    cuts=st.lists(CUTS, max_size=8),
    closing=st.booleans(),
    compression=st.sampled_from(["off", "off", "off", "deflate"]),
)
def test_both_ways_come_to_the_same(frames, cuts, closing, compression):
    """For any frames, in any split, open or closing, compressed or not."""
    pieces = split(b"".join(frames), cuts)
    how = {"closing": closing, "compression": compression}
    assert outcome(pieces, short=True, **how) == outcome(pieces, short=False, **how)


def test_a_byte_at_a_time():
    """No split can hide a message."""
    data = frame(TEXT, b"one") + frame(PING, b"p") + frame(TEXT, "zwei\N{SNOWMAN}".encode())
    heard, written, _, _ = outcome(split(data, range(len(data))), short=True, closing=False)
    assert heard[2:] == [("received", b"one"), ("received", "zwei\N{SNOWMAN}".encode())]
    assert written == [(PONG, b"p")]


def test_usual_frames_do_not_reach_autobahn():
    """Three messages in one read, and nothing is left for Autobahn."""
    sessions = []
    peer = MemoryPeer(house_of(Clock(), recording_dialect(sessions)), "/x")
    peer.protocol._dataReceived = None
    peer.protocol.dataReceived(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3" * 300))
    assert sessions[0].calls[2:] == [("received", b) for b in (b"1", b"2", b"3" * 300)]


def test_a_large_message_in_several_reads_does_not_reach_autobahn():
    """What came of it waits for the rest, as long as the pieces are large."""
    sessions = []
    peer = MemoryPeer(house_of(Clock(), recording_dialect(sessions)), "/x")
    peer.protocol._dataReceived = None
    data = frame(TEXT, b"1" * 30_000) + frame(TEXT, b"2" * 30_000)
    for piece in split(data, [8192 * n for n in range(1, 8)]):
        peer.protocol.dataReceived(piece)
    assert sessions[0].calls[2:] == [("received", b * 30_000) for b in (b"1", b"2")]


def test_what_trickles_in_is_looked_at_once():
    """A large message in small pieces is left to Autobahn, which keeps its place in it."""
    sessions = []
    peer = MemoryPeer(house_of(Clock(), recording_dialect(sessions)), "/x")
    for piece in split(frame(TEXT, b"1" * 30_000), range(0, 30_000, 100)):
        peer.protocol.dataReceived(piece)
        assert len(peer.protocol.data) < 200
    assert sessions[0].calls[-1] == ("received", b"1" * 30_000)
