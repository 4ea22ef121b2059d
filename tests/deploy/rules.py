"""The rules of deploy/alerts.yml, read without a parser of YAML.

It has one shape only, which these lines hold it to; promtool says whether it is valid,
and how many rules it has.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent

__all__ = ["Rule", "rules_of"]

_BEGIN = re.compile(r"^      - alert: (\w+)\n", re.MULTILINE)
_FIELD = r"^ +{name}: (?:\|\n((?: {{10,}}.*\n)+)|(.+)\n)"


@dataclass(frozen=True)
class Rule:
    """One alert."""

    name: str
    expression: str
    waits: str
    severity: str
    summary: str
    runbook: str


def rules_of(text: str) -> list[Rule]:
    """All rules. Raises ``ValueError`` for one that lacks a field."""
    _, *parts = _BEGIN.split(text)
    names = ("expr", "for", "severity", "summary", "runbook")
    return [
        Rule(name, *(_field(each, body) for each in names))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    ]


def _field(name: str, body: str) -> str:
    match = re.search(_FIELD.format(name=name), body, re.MULTILINE)
    if match is None:
        raise ValueError(f"no {name} in {body}")
    return dedent(match[1] or match[2]).strip().strip('"')
