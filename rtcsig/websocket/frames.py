"""WebSocket frames as bytes (RFC 6455, 5.2): writing them, and reading the usual one.

Nearly every frame that a signalling server gets is one whole text message in
one small frame. That one is read here; whatever looks different, to the bit,
is left to Autobahn, which knows the rest of the RFC.
"""

from __future__ import annotations

import struct

__all__ = ["binary_frame", "read_text_frame", "text_frame"]

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
    """A server's frame with a whole text message."""
    length = len(payload)
    if length < _LENGTH_IN_2_BYTES:
        return _SMALL_TEXT_HEADERS[length] + payload
    if length <= _LARGEST_2_BYTE_LENGTH:
        return _pack_2_byte_header(_FINAL_TEXT, _LENGTH_IN_2_BYTES, length) + payload
    return _large_header(_FINAL_TEXT, length) + payload


def binary_frame(payload: bytes) -> bytes:
    """A server's frame with a whole binary message."""
    length = len(payload)
    if length < _LENGTH_IN_2_BYTES:
        return bytes((_FINAL_BINARY, length)) + payload
    if length <= _LARGEST_2_BYTE_LENGTH:
        return _pack_2_byte_header(_FINAL_BINARY, _LENGTH_IN_2_BYTES, length) + payload
    return _large_header(_FINAL_BINARY, length) + payload


def _large_header(first: int, length: int) -> bytes:
    return bytes((first, _LENGTH_IN_8_BYTES)) + length.to_bytes(8, "big")


def read_text_frame(data: bytes, start: int, max_bytes: int) -> tuple[bytes, int] | None:
    """Read the frame that begins at ``start``, if it is of the usual kind.

    That is: final, text, no extension, masked, at most 65535 bytes and at most
    ``max_bytes``, all of it there, length in its shortest form, valid UTF-8.
    Returns the unmasked payload and where the next frame begins; ``None`` for
    anything else.
    """
    available = len(data)
    if available < start + 2 or data[start] != _FINAL_TEXT:
        return None
    length = data[start + 1] - _MASKED
    mask_start = start + 2
    if length == _LENGTH_IN_2_BYTES:
        if available < start + 4:
            return None
        length = data[mask_start] << 8 | data[start + 3]
        mask_start = start + 4
        if length < _LENGTH_IN_2_BYTES:
            return None
    elif length < 0 or length == _LENGTH_IN_8_BYTES:
        return None
    payload_start = mask_start + _MASK_BYTES
    end = payload_start + length
    if length > max_bytes or end > available:
        return None
    # XOR with the repeated mask (RFC 6455, 5.3), as one big integer.
    masked = _from_bytes(data[payload_start:end], "little")
    key = _from_bytes((data[mask_start:payload_start] * (length // 4 + 1))[:length], "little")
    payload = (masked ^ key).to_bytes(length, "little")
    return (payload, end) if payload.isascii() or _is_utf8(payload) else None


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
