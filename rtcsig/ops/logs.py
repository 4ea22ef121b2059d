"""Where log events go, and how they look there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

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

__all__ = ["json_line", "log_observer"]


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


def log_observer(log_format: str, log_level: str, twistd: Mapping[str, Any]) -> ILogObserver | None:
    """An observer in ``log_format`` for what is at least ``log_level``.

    ``twistd`` are the options of ``twistd`` itself, which say where to; its
    own choice of file is followed. With ``--syslog`` or ``--logger`` the log
    is Twisted's affair: None.
    """
    if twistd.get("syslog") or twistd.get("logger"):
        return None
    observer = FileLogObserver(_log_file(twistd), _FORMATS[log_format])
    level = LogLevel.levelWithName(log_level)
    return FilteringLogObserver(observer, [LogLevelFilterPredicate(defaultLogLevel=level)])


def _log_file(twistd: Mapping[str, Any]) -> IO[Any]:
    name = twistd.get("logfile")
    foreground = bool(twistd.get("nodaemon", True))
    if name == "-" and not foreground:
        raise SystemExit("rtcsig: a daemon has no standard output to log to")
    if name == "-" or (foreground and not name):
        return sys.stdout
    file: IO[Any] = LogFile.fromFullPath(name or "twistd.log")
    return file
