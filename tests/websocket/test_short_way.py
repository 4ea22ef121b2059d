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
)
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


def outcome(pieces, *, short, closing):
    """What the session heard, what was written and how it ended."""
    sessions = []
    house = house_of(Clock(), recording_dialect(sessions), max_message_bytes=LIMIT)
    peer = MemoryPeer(house, "/x")
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
    cuts=st.lists(st.integers(0, 400), max_size=8),
    closing=st.booleans(),
)
def test_both_ways_come_to_the_same(frames, cuts, closing):
    """For any frames, in any split, open or closing."""
    pieces = split(b"".join(frames), cuts)
    short = outcome(pieces, short=True, closing=closing)
    assert short == outcome(pieces, short=False, closing=closing)


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
