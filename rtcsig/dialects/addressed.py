"""Reading and re-addressing a JSON object whose ``id`` member says where it goes.

Parsing a message and writing it again would change it: integers beyond 64
bits, exponents, escapes and the order of members all come out differently. So
the text is checked by a JSON parser, and then only the characters of the
``id`` member's value are exchanged; every other byte stays as it was sent.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

import orjson

__all__ = ["Addressed", "MessageError", "json_string", "read_addressed"]

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# What structure can hang on. A string is one token, so that nothing inside it
# is taken for structure; `++` and `*+` never backtrack.
_TOKEN = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
# The name `id` in its four spellings: no letters are among the digits of its escapes.
_ID = re.compile(rb'"(?:i|\\u0069)(?:d|\\u0064)"')
_MEMBER_VALUE = re.compile(rb"[ \t\n\r]*+:[ \t\n\r]*+")
_STRING_OR_INTEGER = re.compile(_STRING + rb"|-?[0-9]++(?![.eE])", re.DOTALL)


class MessageError(ValueError):
    """A message that cannot be used; ``code`` and the text are for its sender."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# A message's destination, and what stands before and behind the value of its ``id``.
Addressed = tuple[str, bytes, bytes]


def json_string(text: str) -> bytes:
    """``text`` as a JSON string in UTF-8; ``text`` must be encodable."""
    # A copy: what orjson returns keeps the kilobytes that it was written into.
    return bytes(memoryview(orjson.dumps(text)))


def read_addressed(text: bytes) -> Addressed:
    """Check a message and find out where it goes.

    The destination is the top-level member ``id``: a string, or an integer,
    which stands for its digits. There must be one only: parsers differ in
    which of several they take, and none may find an id that the sender made
    up. Raises ``MessageError`` with the code ``malformed-json``,
    ``not-an-object`` or ``no-destination``.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _loads_lenient(text)
    if type(value) is not dict:
        raise MessageError("not-an-object", "the message is not a JSON object")
    # Nearly always there is no doubt where the id is. Where nothing is written as
    # ``\\u``, the name stands there as ``"id"``; where that stands once, and the
    # object has such a member, this is it. (Not ``in``, which tries a number first.)
    name = text.find(b'"id"')
    if (
        text[name + 4 : name + 6] == b':"'
        and text.find(b'"id"', name + 4) < 0
        and (text.find(b"\\") < 0 or text.find(b"\\u") < 0)
    ):
        destination = value.get("id")
        start = name + 5
        end = text.find(b'"', start + 1) + 1
        # In a value with an escape, what was found may be a quote inside it.
        if type(destination) is str and text.find(b"\\", start, end) < 0:
            return destination, text[:start], text[end:]
    return _find_addressed(text)


def _find_addressed(text: bytes) -> Addressed:
    """Find the ``id`` of a message, however it is written."""
    starts = _id_starts(text)
    if len(starts) != 1:
        many = "no" if not starts else "more than one"
        raise MessageError("no-destination", f'the object has {many} member "id"')
    start = starts[0]
    value = _STRING_OR_INTEGER.match(text, start)
    if value is None:
        raise MessageError("no-destination", 'the member "id" is no string and no integer')
    return _destination(value.group()), text[:start], text[value.end() :]


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


def _id_starts(text: bytes) -> list[int]:
    """Where the values of the top-level ``id`` members begin.

    ``text`` is a valid JSON object, which is what keeps this short: a string
    at depth 1 with a colon behind it is a member's name, and nothing else is.
    """
    starts = []
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"{[":
            depth += 1
        elif first in b"}]":
            depth -= 1
        elif depth == 1 and _is_id(token.group()):
            value = _MEMBER_VALUE.match(text, token.end())
            if value is not None:
                starts.append(value.end())
    return starts


def _is_id(string: bytes) -> bool:
    """Whether this JSON string is ``id``, also when it is written with escapes."""
    return _ID.fullmatch(string) is not None


def _destination(value: bytes) -> str:
    """The text of a JSON string, or the digits of an integer."""
    return str(json.loads(value)) if value.startswith(b'"') else value.decode("ascii")
