"""What expressions of Prometheus ask for: metrics, and labels of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Selector", "grouped_by", "label_values", "named_in_text", "selectors"]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(rf"({_NAME})(\s*\()?\s*(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(rf"({_NAME})\s*(?:=~|!~|!=|=)")
_OPERATORS = {"and", "or", "unless", "bool", "atan2", "inf", "nan"}
_LABEL_VALUES = re.compile(rf"label_values\(({_NAME}),\s*({_NAME})\)")


@dataclass(frozen=True)
class Selector:
    """A metric that is asked for, and the labels it is chosen by."""

    metric: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Selector]:
    """Each metric in an expression; functions and operators are none."""
    bare = _GROUPING.sub(" ", _RANGE.sub(" ", _STRING.sub('""', expression)))
    for name, is_call, matchers in _SELECTOR.findall(bare):
        if not is_call and name.lower() not in _OPERATORS:
            yield Selector(name, frozenset(_MATCHER.findall(matchers)))


def grouped_by(expression: str) -> set[str]:
    """The labels that an expression groups or matches by."""
    lists = _GROUPING.findall(_STRING.sub('""', expression))
    return {label for each in lists for label in re.findall(_NAME, each)}


def label_values(query: str) -> Selector:
    """What a variable of a dashboard is filled with. Raises ``ValueError``."""
    match = _LABEL_VALUES.fullmatch(query)
    if match is None:
        raise ValueError(f"no label_values of a metric: {query}")
    return Selector(match[1], frozenset({match[2]}))


def named_in_text(text: str) -> set[str]:
    """The labels in a legend or an annotation: ``{{dialect}}``, ``{{ $labels.dialect }}``."""
    return set(re.findall(rf"{{{{\s*(?:\$labels\.)?({_NAME})\s*}}}}", text))
