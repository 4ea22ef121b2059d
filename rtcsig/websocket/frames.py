"""WebSocket frames as bytes (RFC 6455, 5.2): writing them, and reading the usual one.

Nearly every frame that a signalling server gets is one whole text message in
one small frame. That one is read here; whatever looks different, to the bit,
is left to Autobahn, which knows the rest of the RFC.
"""

from __future__ import annotations

import struct

__all__ = ["binary_frame", "is_part_of_text_frame", "read_text_frame", "text_frame"]

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82
_MASKED = 0x80
_LENGTH_IN_2_BYTES = 126
_LENGTH_IN_8_BYTES = 127
_LARGEST_2_BYTE_LENGTH = 0xFFFF
_MASK_BYTES = 4
_SMALL_TEXT_HEADERS = [bytes((_FINAL_TEXT, length)) for length in range(_LENGTH_IN_2_BYTES)]
_pack_2_byte_header = struct.Struct(">BBH").pack
_from_bytes = int.from_bytes


def text_frame(payload: bytes) -> bytes:
    """A server's frame with a whole text message; sent so often that short ones save the call."""
    length = len(payload)
    if length < _LENGTH_IN_2_BYTES:
        return _SMALL_TEXT_HEADERS[length] + payload
    if length <= _LARGEST_2_BYTE_LENGTH:
        return _pack_2_byte_header(_FINAL_TEXT, _LENGTH_IN_2_BYTES, length) + payload
    return _header(_FINAL_TEXT, length) + payload


def binary_frame(payload: bytes) -> bytes:
    """A server's frame with a whole binary message."""
    return _header(_FINAL_BINARY, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length < _LENGTH_IN_2_BYTES:
        return bytes((first, length))
    if length <= _LARGEST_2_BYTE_LENGTH:
        return _pack_2_byte_header(first, _LENGTH_IN_2_BYTES, length)
    return bytes((first, _LENGTH_IN_8_BYTES)) + length.to_bytes(8, "big")


def read_text_frame(data: bytes, start: int, max_bytes: int) -> tuple[bytes, int] | None:
    """Read the frame that begins at ``start``, if it is of the usual kind.

    That is: final, text, no extension, masked, at most 65535 bytes and at most
    ``max_bytes``, all of it there, length in its shortest form, valid UTF-8.
    Returns the unmasked payload and where the next frame begins; ``None`` for
    anything else.
    """
    # What `_find_payload` does, without the call: this is done for each message.
    available = len(data)
    if available < start + 4 or data[start] != _FINAL_TEXT:
        return None
    length = data[start + 1] - _MASKED
    payload_start = start + 2 + _MASK_BYTES
    if length == _LENGTH_IN_2_BYTES:
        length = data[start + 2] << 8 | data[start + 3]
        payload_start += 2
        if length < _LENGTH_IN_2_BYTES:
            return None
    elif length < 0 or length == _LENGTH_IN_8_BYTES:
        return None
    end = payload_start + length
    if end > available or length > max_bytes:
        return None
    # XOR with the repeated mask (RFC 6455, 5.3), as one big integer; `_unmasked` without the call.
    mask = data[payload_start - _MASK_BYTES : payload_start]
    key = _from_bytes((mask * (length // _MASK_BYTES + 1))[:length], "little")
    masked = _from_bytes(data[payload_start:end], "little")
    payload = (masked ^ key).to_bytes(length, "little")
    return (payload, end) if payload.isascii() or _is_utf8(payload) else None


def is_part_of_text_frame(data: bytes, start: int, max_bytes: int) -> bool:
    """Whether what stands from ``start`` on can become a frame of the usual kind.

    Of the payload there is some, and it is ASCII: what is no UTF-8 fails when it comes, as
    it does with Autobahn, and not when the frame is whole.
    """
    found = _find_payload(data, start, max_bytes)
    if found is None or found[0] >= len(data):
        return False
    return _unmasked(data, found[0], len(data)).isascii()


def _find_payload(data: bytes, start: int, max_bytes: int) -> tuple[int, int] | None:
    """Where the payload of a usual frame begins, and its length, by a header that is all there."""
    available = len(data)
    if available < start + 2 or data[start] != _FINAL_TEXT:
        return None
    length = data[start + 1] - _MASKED
    payload_start = start + 2 + _MASK_BYTES
    if length == _LENGTH_IN_2_BYTES:
        if available < start + 4:
            return None
        length = data[start + 2] << 8 | data[start + 3]
        payload_start += 2
        if length < _LENGTH_IN_2_BYTES:
            return None
    elif length < 0 or length == _LENGTH_IN_8_BYTES:
        return None
    return (payload_start, length) if length <= max_bytes else None


def _unmasked(data: bytes, start: int, end: int) -> bytes:
    """What is masked from ``start`` to ``end``, with the mask before it."""
    length = end - start
    mask = data[start - _MASK_BYTES : start]
    key = _from_bytes((mask * (length // _MASK_BYTES + 1))[:length], "little")
    return (_from_bytes(data[start:end], "little") ^ key).to_bytes(length, "little")


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
