"""Where log events go, and how they look there."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import orjson
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    formatEvent,
    formatEventAsClassicLogText,
    formatTime,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer

from rtcsig.ops.sink import Sink

__all__ = ["LevelledObserver", "json_line", "log_sink"]


def json_line(event: LogEvent) -> str:
    """One event as one JSON object: time, level, namespace, message, then its context."""
    level = event.get("log_level")
    line: dict[str, Any] = {
        "time": formatTime(event.get("log_time")),
        "level": level.name if level is not None else "info",
        "namespace": event.get("log_namespace", ""),
    }
    fields = event.get("fields")
    if fields is None:
        line["message"] = formatEvent(event)
    else:
        line["message"] = event["what"]
        line.update(fields)
    if "log_failure" in event:
        line["traceback"] = eventAsText(
            event, includeTimestamp=False, includeSystem=False
        ).partition("\n")[2]
    return orjson.dumps(line, default=str).decode("utf-8") + "\n"


_FORMATS: dict[str, Callable[[LogEvent], str | None]] = {
    "text": formatEventAsClassicLogText,
    "json": json_line,
}


def log_sink(log_format: str, twistd: Mapping[str, Any]) -> Sink | None:
    """Where lines in ``log_format`` are written.

    ``twistd`` are the options of ``twistd`` itself, which say where to; its
    own choice of file is followed. With ``--syslog`` or ``--logger`` the log
    is Twisted's affair: None.
    """
    if twistd.get("syslog") or twistd.get("logger"):
        return None
    return Sink(_writer(twistd), lambda lost: _lost_line(log_format, lost))


@implementer(ILogObserver)
class LevelledObserver:
    """Writes what is at least ``level``, in ``log_format``; the level may change."""

    def __init__(self, sink: Sink, log_format: str, level: str) -> None:
        observer = FileLogObserver(sink, _FORMATS[log_format])  # type: ignore[arg-type]  # it has what is used of a file
        self._predicate = LogLevelFilterPredicate()
        self._observer = FilteringLogObserver(observer, [self._predicate])
        self.level = level

    @property
    def level(self) -> str:
        """The least level that is written."""
        name: str = self._predicate.logLevelForNamespace("").name
        return name

    @level.setter
    def level(self, name: str) -> None:
        self._predicate.setLogLevelForNamespace("", LogLevel.levelWithName(name))

    def __call__(self, event: LogEvent) -> None:
        """Write the event, if it is grave enough."""
        self._observer(event)


def _lost_line(log_format: str, lost: int) -> str:
    event = {
        "log_level": LogLevel.warn,
        "log_namespace": "rtcsig",
        "log_time": time.time(),
        "log_format": "log lines were lost: {lost}",
        "lost": lost,
    }
    return _FORMATS[log_format](event) or ""


def _writer(twistd: Mapping[str, Any]) -> Callable[[str], Any]:
    name = twistd.get("logfile")
    foreground = bool(twistd.get("nodaemon", True))
    if name == "-" and not foreground:
        raise SystemExit("rtcsig: a daemon has no standard output to log to")
    if name == "-" or (foreground and not name):
        return _standard_output()
    return _to_file(LogFile.fromFullPath(name or "twistd.log"))


def _standard_output() -> Callable[[str], Any]:
    """Past Python's buffer, which would be flushed at exit, and wait or fail there."""
    descriptor = sys.stdout.fileno()

    def write(text: str) -> None:
        left = text.encode("utf-8", "backslashreplace")
        while left:
            left = left[os.write(descriptor, left) :]

    return write


def _to_file(file: LogFile) -> Callable[[str], Any]:
    def write(text: str) -> None:
        try:
            file.write(text.encode("utf-8", "backslashreplace"))
        except Exception:
            # A rotation that failed half-way leaves it closed, for good.
            with suppress(AttributeError):
                file.close()
            file._openFile()
            raise

    return write
