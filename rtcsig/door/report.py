"""What is said of connections in the log: one line, its context, not too often."""

from __future__ import annotations

import errno
from collections.abc import Hashable
from hashlib import sha256
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from rtcsig.door.descriptors import descriptor_limit, descriptors_in_use
from rtcsig.door.ledger import Ledger
from rtcsig.door.linelimit import LineLimit

__all__ = ["Fields", "Reporter", "error_name", "shown", "shown_peer_id"]

_SHOWN_CHARACTERS = 80
_PEER_ID_CHARACTERS = 8
_LINES_PER_WINDOW = 10
_WINDOW_S = 10.0
# What is loud and lasts: a server that is full or lags says so every few seconds.
_STATE_LINES_PER_WINDOW = 2

_Kind = tuple[Any, str, Hashable]


def shown(text: str) -> str:
    """A client's text for the log: escaped, and cut to a length that no client chooses."""
    if len(text) > _SHOWN_CHARACTERS:
        return f"{text[:_SHOWN_CHARACTERS]!r}..."
    return repr(text)


def shown_peer_id(peer_id: str, how: str) -> str:
    """A peer's id for the log: ``short``, as a ``hash`` that tells it from others, or ``full``.

    An id may be all that it takes to call somebody, so a log need not have it.
    """
    if how == "hash":
        return sha256(peer_id.encode("utf-8", "replace")).hexdigest()[:_PEER_ID_CHARACTERS]
    return shown(peer_id if how == "full" else peer_id[:_PEER_ID_CHARACTERS])


def error_name(error: BaseException) -> str:
    """``ENOTCONN`` for an OSError that has an errno, else the name of its class."""
    if isinstance(error, OSError) and error.errno is not None:
        return errno.errorcode.get(error.errno, f"errno-{error.errno}")
    return type(error).__name__


class Fields(dict[str, Any]):
    """The context of a line: ``name=value`` in a text log, an object in a JSON log."""

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.items())


class Reporter:
    """Writes lines about connections, each kind at a bounded rate; counts failed set-ups.

    What is left out is counted, and the count is written when the kind's
    window ends, or when ``flush`` is called.
    """

    def __init__(self, log: Logger, clock: IReactorTime, ledger: Ledger) -> None:
        self._log = log
        self._ledger = ledger
        self._clock = clock
        self._limit: LineLimit[_Kind] = LineLimit(_LINES_PER_WINDOW, _WINDOW_S)
        self._flush_call: IDelayedCall | None = None

    def client_fault(self, what: str, fields: dict[str, Any], kind: Hashable = None) -> None:
        """One line about what a client did; ``kind`` tells those of one ``what`` apart."""
        if self._admitted(LogLevel.info, what, kind):
            self._log.info("{what}: {fields}", what=what, fields=Fields(fields))

    def line(self, what: str, fields: dict[str, Any]) -> None:
        """One line, each time: whoever asks for it wants them all."""
        self._log.info("{what}: {fields}", what=what, fields=Fields(fields))

    def trouble(self, what: str, fields: dict[str, Any], kind: Hashable) -> None:
        """One line about what the kernel answered, with the state of the process."""
        if self._admitted(LogLevel.warn, what, kind):
            self._log.warn("{what}: {fields}", what=what, fields=self._with_resources(fields))

    def state(self, what: str, fields: dict[str, Any]) -> None:
        """One line about the state of the server that somebody suffers from, quite rarely."""
        if self._admitted(LogLevel.warn, what, None, _STATE_LINES_PER_WINDOW):
            self._log.warn("{what}: {fields}", what=what, fields=self._with_resources(fields))

    def bug(self, error: Exception, what: str, fields: dict[str, Any]) -> None:
        """One line with the traceback and the state of the process: our code did not hold."""
        if self._admitted(LogLevel.error, what, error_name(error)):
            self._log.failure(
                "{what}: {fields}",
                failure=Failure(error),
                level=LogLevel.error,
                what=what,
                fields=self._with_resources(fields),
            )

    def set_up_failure(self, stage: str, error: Exception, fields: dict[str, Any]) -> None:
        """Count a connection whose set-up failed, and write a line; no OSError is our bug."""
        what = "connection set-up failed"
        name = error_name(error)
        self._ledger.set_up_failures[stage, name] += 1
        fields = fields | {"stage": stage, "error": name}
        if isinstance(error, OSError):
            self.trouble(what, fields, (stage, name))
        else:
            self.bug(error, what, fields)

    def flush(self) -> None:
        """Write what was left out so far; to be called when the server stops."""
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        self._write_left_out(float("inf"))

    def _with_resources(self, fields: dict[str, Any]) -> Fields:
        """Add what is costly to find out: only for lines that are written."""
        return Fields(
            fields,
            connections=self._ledger.connections,
            descriptors=descriptors_in_use(),
            descriptor_limit=descriptor_limit(),
        )

    def _admitted(self, level: Any, what: str, kind: Hashable, lines: int | None = None) -> bool:
        admitted = self._limit.admit((level, what, kind), self._clock.seconds(), lines)
        if self._flush_call is None:
            self._flush_call = self._clock.callLater(self._limit.window_s, self._window_over)
        return admitted

    def _window_over(self) -> None:
        self._flush_call = None
        now_s = self._clock.seconds()
        self._write_left_out(now_s)
        end_s = self._limit.next_end_s()
        if end_s is not None:
            self._flush_call = self._clock.callLater(max(0.0, end_s - now_s), self._window_over)

    def _write_left_out(self, now_s: float) -> None:
        for kind, count in self._limit.ended(now_s).items():
            level, what, detail = kind
            fields = Fields(left_out=count, window_s=self._limit.window_s, kind=detail)
            self._log.emit(
                level, "{what}: more lines like this: {fields}", what=what, fields=fields
            )
