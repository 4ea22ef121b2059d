"""How events look in the log, and which of them are there."""

from __future__ import annotations

import io
import json
import sys

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile

from rtcsig.door.report import Fields
from rtcsig.ops.logs import json_line, log_observer


def captured(monkeypatch, log_format, log_level, emit):
    """What ``emit``, called with a logger, puts to the standard output."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    observer = log_observer(log_format, log_level, {"nodaemon": 1})
    emit(Logger("rtcsig", observer=LogPublisher(observer)))
    return output.getvalue()


def test_a_json_line_has_the_context_as_members(monkeypatch):
    """Time, level, namespace, message, and each field under its name."""

    def emit(log):
        log.warn("{what}: {fields}", what="event", fields=Fields(connection=7, stage="peer"))

    line = json.loads(captured(monkeypatch, "json", "info", emit))
    assert line.pop("time")
    assert line == {
        "level": "warn",
        "namespace": "rtcsig",
        "message": "event",
        "connection": 7,
        "stage": "peer",
    }


def test_a_json_line_has_the_traceback():
    """Of a failure; it is one line all the same."""
    event = {"log_format": "broken", "log_level": LogLevel.error, "log_time": 0.0}
    line = json_line(event | {"log_failure": Failure(RuntimeError("why"))})
    assert line.count("\n") == 1
    assert "RuntimeError: why" in json.loads(line)["traceback"]


def test_a_json_line_of_an_old_event():
    """Events of Twisted's old log have no level; what is no JSON becomes text."""
    line = json.loads(json_line({"log_format": "x {y}", "y": object, "fields": None}))
    assert line["level"] == "info"
    assert line["message"] == f"x {object}"
    fields = json.loads(json_line({"what": "x", "fields": {"y": object}}))
    assert fields["y"] == str(object)


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("error", 1)])
def test_only_what_is_at_least_the_level(monkeypatch, level, lines):
    """The rest is not written."""

    def emit(log):
        log.debug("d")
        log.info("i")
        log.error("e")

    assert captured(monkeypatch, "text", level, emit).count("\n") == lines


def test_a_file_that_twistd_names(tmp_path, monkeypatch):
    """A daemon's log goes where twistd was told, in our format."""
    path = tmp_path / "log"
    file = LogFile.fromFullPath(str(path))
    monkeypatch.setattr(LogFile, "fromFullPath", {str(path): file}.get)
    observer = log_observer("json", "info", {"logfile": str(path), "nodaemon": 0})
    Logger("rtcsig", observer=LogPublisher(observer)).info("hello")
    assert json.loads(path.read_text())["message"] == "hello"
    file.close()


@pytest.mark.parametrize("option", ["syslog", "logger"])
def test_a_log_that_is_twisteds_affair(option):
    """Those who ask twistd for another log get Twisted's."""
    assert log_observer("text", "info", {option: 1}) is None


def test_a_daemon_has_no_standard_output():
    """As with twistd itself, that is refused."""
    with pytest.raises(SystemExit, match="daemon"):
        log_observer("text", "info", {"logfile": "-", "nodaemon": 0})
