"""What a server's text log says."""

from __future__ import annotations

import re

__all__ = ["context", "counted", "unexpected"]

_ABOVE_INFO = re.compile(r"#(?:warn|error|critical)\]")
_LEFT_OUT = re.compile(r"left_out=(\d+)")


def unexpected(log: str) -> list[str]:
    """The lines above the level info."""
    return [line for line in log.splitlines() if _ABOVE_INFO.search(line)]


def counted(log: str, what: str) -> int:
    """How often something happened: its lines, and those that were left out and counted."""
    lines = context(log, what)
    left_out = [
        int(count)
        for line in log.splitlines()
        if f"{what}: more lines like this: " in line
        for count in _LEFT_OUT.findall(line)
    ]
    return len(lines) + sum(left_out)


def context(log: str, what: str) -> list[dict[str, str]]:
    """The context of each line that says ``what``, less those that count others."""
    texts = [line.partition(f"{what}: ")[2] for line in log.splitlines()]
    return [
        dict(pair.partition("=")[::2] for pair in text.split(" "))
        for text in texts
        if text and not text.startswith("more lines like this")
    ]
