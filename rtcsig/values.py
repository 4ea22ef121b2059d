"""How the values of settings are written, in a flag, a variable or a file.

Each of these is, or makes, a function that takes what was written and returns
the value, or raises ``ValueError`` with what it must be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

__all__ = ["one_of", "optional_text", "path_and_dialect", "seconds", "switch", "text", "whole"]

# What can stand in the path of a request (RFC 3986, 3.3).
_PATH = re.compile(r"[A-Za-z0-9/._~!$&'()*+,;=:@%-]+")


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A whole number within these bounds, as a number or its digits."""

    def parse(raw: Any) -> int:
        try:
            number = int(raw) if isinstance(raw, str) else raw
        except ValueError:
            number = None
        if type(number) is not int or not low <= number <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return number

    return parse


def seconds(low: float, high: float) -> Callable[[Any], float]:
    """A number of seconds within these bounds, as a number or its digits."""

    def parse(raw: Any) -> float:
        try:
            number = float(raw) if isinstance(raw, str | int | float) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or isinstance(raw, bool) or not low <= number <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return number

    return parse


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of these words."""

    def parse(raw: Any) -> str:
        if raw not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(raw)

    return parse


def text(raw: Any) -> str:
    """Any text that is not empty."""
    if not isinstance(raw, str) or not raw:
        raise ValueError("must be a text that is not empty")
    return raw


def optional_text(raw: Any) -> str:
    """Any text; an empty one stands for nothing."""
    if not isinstance(raw, str):
        raise ValueError("must be a text")  # noqa: TRY004 see above: settings know one error
    return raw


_WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


def switch(raw: Any) -> bool:
    """On or off, as a truth value or a word for one."""
    value = _WORDS.get(raw.lower()) if isinstance(raw, str) else raw
    if type(value) is not bool:
        raise ValueError("must be yes or no")
    return value


def path_and_dialect(raw: Any) -> tuple[str, str]:
    """``PATH=DIALECT``: the path, and the name of the dialect."""
    path, equals, dialect = text(raw).rpartition("=")
    if not equals or not path.startswith("/") or not dialect:
        raise ValueError("must be PATH=DIALECT, and PATH begins with /")
    if not _PATH.fullmatch(path):
        raise ValueError("has a PATH that no request can have: percent-encode it")
    return path, dialect
