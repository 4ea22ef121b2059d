"""WebSocket frames as bytes (RFC 6455, 5.2): writing them, and reading the usual one.

Nearly every frame that a signalling server gets is one whole text message in
one small frame. That one is read here; whatever looks different, to the bit,
is left to Autobahn, which knows the rest of the RFC.
"""

from __future__ import annotations

__all__ = ["binary_frame", "read_text_frame", "text_frame"]

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82
_MASKED = 0x80
_LENGTH_IN_2_BYTES = 126
_LENGTH_IN_8_BYTES = 127
_LARGEST_2_BYTE_LENGTH = 0xFFFF
_MASK_BYTES = 4


def text_frame(payload: bytes) -> bytes:
    """A server's frame with a whole text message."""
    return _header(_FINAL_TEXT, len(payload)) + payload


def binary_frame(payload: bytes) -> bytes:
    """A server's frame with a whole binary message."""
    return _header(_FINAL_BINARY, len(payload)) + payload


def _header(first: int, length: int) -> bytes:
    if length < _LENGTH_IN_2_BYTES:
        return bytes((first, length))
    if length <= _LARGEST_2_BYTE_LENGTH:
        return bytes((first, _LENGTH_IN_2_BYTES, length >> 8, length & 0xFF))
    return bytes((first, _LENGTH_IN_8_BYTES)) + length.to_bytes(8, "big")


def read_text_frame(data: bytes, start: int, max_bytes: int) -> tuple[bytes, int] | None:
    """Read the frame that begins at ``start``, if it is of the usual kind.

    That is: final, text, no extension, masked, at most 65535 bytes and at most
    ``max_bytes``, all of it there, length in its shortest form, valid UTF-8.
    Returns the unmasked payload and where the next frame begins; ``None`` for
    anything else.
    """
    if len(data) < start + 2 or data[start] != _FINAL_TEXT:
        return None
    length = data[start + 1] - _MASKED
    mask_start = start + 2
    if length < 0 or length == _LENGTH_IN_8_BYTES:
        return None
    if length == _LENGTH_IN_2_BYTES:
        mask_start += 2
        length = int.from_bytes(data[start + 2 : mask_start], "big")
        if length < _LENGTH_IN_2_BYTES:
            return None
    payload_start = mask_start + _MASK_BYTES
    end = payload_start + length
    if length > max_bytes or end > len(data):
        return None
    payload = _unmasked(data[payload_start:end], data[mask_start:payload_start])
    if not _is_utf8(payload):
        return None
    return payload, end


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask (RFC 6455, 5.3), as one big integer."""
    length = len(payload)
    key = (mask * (length // _MASK_BYTES + 1))[:length]
    xored = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return xored.to_bytes(length, "little")


def _is_utf8(payload: bytes) -> bool:
    if payload.isascii():
        return True
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
