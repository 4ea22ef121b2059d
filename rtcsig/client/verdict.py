"""What follows from what a check has seen, and how that is told to people and monitors.

Statuses and performance data are those that monitors expect of a plugin: the
`guidelines <https://www.monitoring-plugins.org/doc/guidelines.html>`_ that
Nagios, Icinga and others share.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

__all__ = [
    "Limits",
    "Status",
    "Verdict",
    "as_json",
    "as_line",
    "failed",
    "of_answer",
    "of_message",
    "unknown",
]

# Monitors cut what is longer, and a server may have much to say.
_MAX_LINE = 1_000
_OK, _UNAVAILABLE, _FORBIDDEN, _NOT_FOUND = 200, 503, 403, 404


class Status(IntEnum):
    """How it stands; the number is the exit status."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


_WORDS = {
    Status.OK: "well",
    Status.WARNING: "slow",
    Status.CRITICAL: "not well",
    Status.UNKNOWN: "unknown",
}


@dataclass(frozen=True)
class Limits:
    """How long a round trip may take; longer than ``warning_ms`` is slow."""

    warning_ms: float | None = None
    critical_ms: float | None = None

    def __post_init__(self) -> None:
        """Raises ``ValueError`` where nothing could be a warning."""
        if self.warning_ms is None or self.critical_ms is None:
            return
        if self.warning_ms > self.critical_ms:
            raise ValueError("--warning-ms must not be above --critical-ms")

    @property
    def are_any(self) -> bool:
        """Whether one is given."""
        return self.warning_ms is not None or self.critical_ms is not None

    def broken_by(self, round_trip_s: float) -> tuple[Status, float] | None:
        """The status for that, and the limit in ms; None if it is within all limits."""
        for status, limit_ms in (
            (Status.CRITICAL, self.critical_ms),
            (Status.WARNING, self.warning_ms),
        ):
            if limit_ms is not None and round_trip_s * 1000 > limit_ms:
                return status, limit_ms
        return None


@dataclass(frozen=True)
class Verdict:
    """How a server is.

    ``url`` is as it was given, None if it was not; ``round_trip_s`` is None if
    nothing came back, ``ready`` if the server did not say.
    """

    status: Status
    url: str | None
    message: str
    round_trip_s: float | None = None
    ready: bool | None = None
    reasons: tuple[str, ...] = ()


def of_message(url: str, round_trip_s: float, limits: Limits) -> Verdict:
    """The verdict when a message went from peer to peer and back."""
    message = f"a message went through {url} and back in {round_trip_s * 1000:.1f} ms"
    return _timely(Verdict(Status.OK, url, message), round_trip_s, limits)


def of_answer(
    url: str, http_status: int, body: bytes, round_trip_s: float, limits: Limits
) -> Verdict:
    """The verdict by what was answered to ``GET /readyz``."""
    said = _readiness(body)
    if said is None or http_status != (_OK if said[0] else _UNAVAILABLE):
        message = _refused(url, http_status, is_readiness=said is not None)
        return Verdict(Status.CRITICAL, url, message, round_trip_s)
    ready, reasons = said
    if not ready:
        message = f"{url} is not ready: {', '.join(reasons) or 'no reason is given'}"
        return Verdict(Status.CRITICAL, url, message, round_trip_s, ready, reasons)
    message = f"{url} is ready, and said so in {round_trip_s * 1000:.1f} ms"
    verdict = Verdict(Status.OK, url, message, ready=ready, reasons=reasons)
    return _timely(verdict, round_trip_s, limits)


def failed(url: str, why: str) -> Verdict:
    """The verdict when the server did not do what was asked."""
    return Verdict(Status.CRITICAL, url, why)


def unknown(url: str | None, why: str) -> Verdict:
    """The verdict when nothing could be found out, for reasons on this side."""
    return Verdict(Status.UNKNOWN, url, why)


def as_json(verdict: Verdict) -> str:
    """The verdict as one line of JSON."""
    return json.dumps(
        {
            "status": verdict.status.name.lower(),
            "url": verdict.url,
            "round_trip_s": verdict.round_trip_s,
            "ready": verdict.ready,
            "reasons": list(verdict.reasons),
            "message": verdict.message,
        }
    )


def as_line(verdict: Verdict, limits: Limits, *, nagios: bool) -> str:
    """The verdict as a sentence; with performance data for a monitor, or if there are limits."""
    word = f"RTCSIG {verdict.status.name}" if nagios else _WORDS[verdict.status]
    line = _one_line(f"{word}: {verdict.message}")
    if not nagios and not limits.are_any:
        return line
    # What follows the first bar is performance data.
    line = line.replace("|", "/")
    if verdict.round_trip_s is None:
        return line
    bounds = f"{_seconds(limits.warning_ms)};{_seconds(limits.critical_ms)}"
    return f"{line} | round_trip={verdict.round_trip_s:.4f}s;{bounds};0"


def _timely(verdict: Verdict, round_trip_s: float, limits: Limits) -> Verdict:
    """The verdict with that time, and worse if it is beyond a limit."""
    broken = limits.broken_by(round_trip_s)
    if broken is None:
        return replace(verdict, round_trip_s=round_trip_s)
    status, limit_ms = broken
    message = f"{verdict.message}, more than {limit_ms:g} ms"
    return replace(verdict, status=status, message=message, round_trip_s=round_trip_s)


def _readiness(body: bytes) -> tuple[bool, tuple[str, ...]] | None:
    """Whether the server is ready, and why not; None if this is no answer to that."""
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("ready"), bool):
        return None
    reasons = said.get("reasons", [])
    if not isinstance(reasons, list) or not all(isinstance(each, str) for each in reasons):
        return None
    return said["ready"], tuple(reasons)


def _refused(url: str, http_status: int, *, is_readiness: bool) -> str:
    """Why this answer says nothing about readiness."""
    if http_status == _FORBIDDEN:
        return (
            f"{url} does not tell us whether it is ready (403): its --admin-allow does not have "
            "this address, or it wants a token"
        )
    if http_status == _NOT_FOUND:
        return f"{url} has no /readyz (404): is it rtcsig, and new enough?"
    what = "its JSON says otherwise" if is_readiness else "not with the JSON of /readyz"
    return f"{url} answered with status {http_status}, but {what}"


def _one_line(text: str) -> str:
    """The text without what a terminal or a monitor would stumble over, and not too long."""
    text = "".join(each if each.isprintable() else "?" for each in text)
    return text if len(text) <= _MAX_LINE else f"{text[: _MAX_LINE - 3]}..."


def _seconds(limit_ms: float | None) -> str:
    """A limit in seconds, in digits: at least three decimals, and no more than are needed."""
    if limit_ms is None:
        return ""
    whole, _, decimals = f"{limit_ms / 1000:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(3, '0')}"
