"""Reading and re-addressing a JSON object whose ``id`` member says where it goes.

Parsing a message and writing it again would change it: integers beyond 64
bits, exponents, escapes and the order of members all come out differently. So
the text is checked by a JSON parser, and then only the characters of the
``id`` member's value are exchanged; every other byte stays as it was sent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

__all__ = ["Addressed", "MessageError", "json_string", "read_addressed"]

# What can begin or end a value at any depth. A string is one token, so that
# nothing inside it is taken for structure; `++` and `*+` never backtrack.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)
_MEMBER_VALUE = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")
_BARE_VALUE = re.compile(rb"[a-z0-9+\-.E]++")
_INTEGER = re.compile(rb"-?[0-9]++")


class MessageError(ValueError):
    """A message that cannot be used; ``code`` and the text are for its sender."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Addressed:
    """A message and its destination."""

    destination: str
    _text: bytes
    _spans: tuple[tuple[int, int], ...]

    def readdressed(self, value: bytes) -> bytes:
        """The message with ``value``, a JSON text, in place of its ``id``.

        A repeated ``id`` member is replaced everywhere: parsers differ in
        which one they take, and none may find an id that the sender made up.
        """
        pieces: list[bytes] = []
        position = 0
        for start, end in self._spans:
            pieces += (self._text[position:start], value)
            position = end
        return b"".join((*pieces, self._text[position:]))


def json_string(text: str) -> bytes:
    """``text`` as a JSON string in UTF-8; ``text`` must be encodable."""
    return orjson.dumps(text)


def read_addressed(text: bytes) -> Addressed:
    """Check a message and find out where it goes.

    The destination is the last top-level ``id`` member, as ``JSON.parse``
    has it: a string, or an integer, which stands for its digits. Raises
    ``MessageError`` with the code ``malformed-json``, ``not-an-object`` or
    ``no-destination``.
    """
    _check_object(text)
    spans = _id_spans(text)
    if not spans:
        raise MessageError("no-destination", 'the object has no member "id"')
    start, end = spans[-1]
    return Addressed(_destination(text[start:end]), text, spans)


def _check_object(text: bytes) -> None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _loads_lenient(text)
    if type(value) is not dict:
        raise MessageError("not-an-object", "the message is not a JSON object")


def _loads_lenient(text: bytes) -> Any:
    """Parse what RFC 8259 allows and orjson does not.

    That is lone surrogates in escapes and numbers beyond a double. Numbers
    are not converted: their conversion is what those limits are about.
    """
    try:
        return json.loads(
            text.decode("utf-8"), parse_constant=_refuse, parse_int=str, parse_float=str
        )
    except (ValueError, RecursionError):
        raise MessageError("malformed-json", "the message is not valid JSON") from None


def _refuse(constant: str) -> NoReturn:
    """NaN and the infinities are Python's, not JSON's (RFC 8259, 6)."""
    raise ValueError(constant)


def _id_spans(text: bytes) -> tuple[tuple[int, int], ...]:
    """Where the values of the top-level ``id`` members begin and end.

    ``text`` is a valid JSON object, which is what keeps this short: a string
    at depth 1 with a colon behind it is a member's name, and nothing else is.
    """
    spans = []
    depth = 0
    position = 0
    while (token := _TOKEN.search(text, position)) is not None:
        position = token.end()
        first = text[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1:
            value = _MEMBER_VALUE.match(text, position)
            if value is not None:
                position = value.end()
                if _is_id(token.group()):
                    end = _end_of_value(text, position)
                    spans.append((position, end))
                    position = end
    return tuple(spans)


def _is_id(name: bytes) -> bool:
    """Whether this JSON string is ``id``, also when it is written with escapes."""
    return name == b'"id"' or (b"\\" in name and json.loads(name) == "id")


def _end_of_value(text: bytes, start: int) -> int:
    """Where the value that begins at ``start`` ends."""
    bare = _BARE_VALUE.match(text, start)
    if bare is not None:
        return bare.end()
    depth = 0
    for token in _TOKEN.finditer(text, start):
        first = text[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        if depth == 0:
            return token.end()
    raise AssertionError("the value of a checked text has an end")


def _destination(value: bytes) -> str:
    if _INTEGER.fullmatch(value):
        return value.decode("ascii")
    destination = json.loads(value) if value.startswith(b'"') else None
    if not isinstance(destination, str):
        raise MessageError("no-destination", 'the member "id" is no string and no integer')
    return destination
