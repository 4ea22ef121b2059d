"""The frames that are read and written here, against RFC 6455 to the bit."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtcsig.websocket.frames import binary_frame, is_part_of_text_frame, read_text_frame, text_frame

MASK = b"\x0f\xf0\x5a\x01"
NO_LIMIT = 1 << 30
# A payload's length and the bytes that say it, without the mask bit.
LENGTHS = [
    (0, b"\x00"),
    (1, b"\x01"),
    (125, b"\x7d"),
    (126, b"\x7e\x00\x7e"),
    (127, b"\x7e\x00\x7f"),
    (256, b"\x7e\x01\x00"),
    (65535, b"\x7e\xff\xff"),
    (65536, b"\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    (70000, b"\x7f\x00\x00\x00\x00\x00\x01\x11\x70"),
]
border_lengths = st.sampled_from([0, 1, 3, 4, 5, 124, 125, 126, 127, 65534, 65535, 65536, 65537])
masks = st.binary(min_size=4, max_size=4)
payloads = (
    st.binary(max_size=140)
    | st.text(max_size=140).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.builds(
        lambda byte, length: byte * length, st.sampled_from([b"x", b"\xff"]), border_lengths
    )
)


def length_bytes(length: int) -> bytes:
    """The shortest form of a length, for a masked frame."""
    if length < 126:
        return bytes([0x80 | length])
    if length < 65536:
        return b"\xfe" + length.to_bytes(2, "big")
    return b"\xff" + length.to_bytes(8, "big")


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    """A client's text frame."""
    repeated = mask * (len(payload) // 4 + 1)
    xored = bytes(a ^ b for a, b in zip(payload, repeated, strict=False))
    return b"\x81" + length_bytes(len(payload)) + mask + xored


def is_utf8(data: bytes) -> bool:
    """Whether a strict decoder takes it."""
    return data.decode("utf-8", "replace").encode() == data


@pytest.mark.parametrize(("length", "header"), LENGTHS)
def test_what_is_written_has_the_shortest_header(length, header):
    """Final, unmasked, text or binary, and the length as the RFC wants it."""
    payload = b"x" * length
    assert text_frame(payload) == b"\x81" + header + payload
    assert binary_frame(payload) == b"\x82" + header + payload


@given(payloads, masks)
@example(b"", b"\x00\x00\x00\x00")
@example("é\U0001f600".encode(), b"\xff\xff\xff\xff")
def test_a_whole_text_frame_is_read(payload, mask):
    """Its payload comes out if it is UTF-8 and not too long; else it is left alone."""
    frame = masked(payload, mask)
    usual = is_utf8(payload) and len(payload) <= 65535
    expected = (payload, len(frame)) if usual else None
    assert read_text_frame(frame, 0, NO_LIMIT) == expected


@given(payloads.filter(is_utf8), st.binary(max_size=9), st.binary(max_size=9))
def test_what_stands_around_a_frame_does_not_matter(payload, before, behind):
    """It is read from where it begins, and the next one begins where it ends."""
    frame = masked(payload)
    alone = read_text_frame(frame, 0, NO_LIMIT)
    among = read_text_frame(before + frame + behind, len(before), NO_LIMIT)
    assert (among is None) == (alone is None)
    if among is not None:
        assert among == (alone[0], len(before) + alone[1])


@pytest.mark.parametrize("length", [0, 1, 125, 126, 300])
def test_no_part_of_a_frame_is_read(length):
    """A frame that is not all there is left alone, wherever it is cut."""
    frame = masked(b"x" * length)
    for end in range(len(frame)):
        assert read_text_frame(frame[:end], 0, NO_LIMIT) is None
    assert read_text_frame(frame, len(frame), NO_LIMIT) is None


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535])
def test_the_limit_is_on_the_payload(length):
    """A message of just the limit is read; one byte more is left to be refused."""
    frame = masked(b"x" * length)
    assert read_text_frame(frame, 0, length) == (b"x" * length, len(frame))
    assert read_text_frame(frame, 0, length - 1) is None


@pytest.mark.parametrize("first", [byte for byte in range(256) if byte != 0x81])
def test_only_final_text_without_extensions_is_read(first):
    """All other first bytes mean fragments, control frames, binary, RSV bits or nonsense."""
    frame = bytes([first]) + masked(b"hello")[1:]
    assert read_text_frame(frame, 0, NO_LIMIT) is None


@pytest.mark.parametrize("length", [0, 5, 125, 126, 127, 300])
def test_a_frame_without_a_mask_is_left_alone(length):
    """Clients must mask; what does not is Autobahn's to refuse."""
    assert read_text_frame(text_frame(b"x" * length), 0, NO_LIMIT) is None


@pytest.mark.parametrize("length", [0, 1, 125])
def test_a_length_in_a_longer_form_is_left_alone(length):
    """The RFC wants the shortest form."""
    two_bytes = b"\x81\xfe" + length.to_bytes(2, "big") + bytes(4) + b"x" * length
    eight_bytes = b"\x81\xff" + length.to_bytes(8, "big") + bytes(4) + b"x" * length
    assert read_text_frame(two_bytes, 0, NO_LIMIT) is None
    assert read_text_frame(eight_bytes, 0, NO_LIMIT) is None


@pytest.mark.parametrize(
    "payload", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok\x80"]
)
def test_what_is_not_utf8_is_left_alone(payload):
    """Also overlong forms, surrogates and what is beyond Unicode."""
    assert read_text_frame(masked(payload), 0, NO_LIMIT) is None


@given(
    st.sampled_from([b"", b"\x81", b"\x81\x80", b"\x81\x83", b"\x81\xfe\x00", b"\x81\xfe\xff"]),
    st.binary(max_size=150),
    st.integers(0, 4),
)
def test_random_bytes_are_read_rightly_or_left_alone(beginning, rest, start):
    """Nothing is raised, and what is read is exactly the frame that a client would have sent."""
    data = beginning + rest
    frame = read_text_frame(data, start, NO_LIMIT)
    if frame is not None:
        payload, end = frame
        mask_start = start + 1 + len(length_bytes(len(payload)))
        assert is_utf8(payload)
        assert data[start:end] == masked(payload, data[mask_start : mask_start + 4])


@pytest.mark.parametrize(
    ("data", "is_part"),
    [
        (b"", False),
        (b"\x81", False),
        (b"\x81\x85", False),  # no payload yet
        (b"\x81\x85\0\0\0\0", False),
        (b"\x81\x85\0\0\0\0a", True),
        (b"\x81\x85\0\0\0\0\xc3", False),  # may be no UTF-8
        (b"\x01\x85\0\0\0\0a", False),
        (b"\x82\x85\0\0\0\0a", False),
        (b"\x81\x05aaaaa", False),
        (b"\x81\xfe", False),
        (b"\x81\xfe\0", False),
        (b"\x81\xfe\0\x7d\0\0\0\0a", False),  # not in its shortest form
        (b"\x81\xfe\0\x7e\0\0\0\0a", True),
        (b"\x81\xfe\x10\x01\0\0\0\0a", False),  # over the limit
        (b"\x81\xff" + bytes(13), False),
    ],
)
def test_what_can_become_a_usual_frame(data, is_part):
    """Its header is there, some of its payload is, and nothing of that can fail."""
    assert is_part_of_text_frame(data, 0, 4096) is is_part
    assert is_part_of_text_frame(b"xx" + data, 2, 4096) is is_part
    assert read_text_frame(data, 0, 4096) is None
