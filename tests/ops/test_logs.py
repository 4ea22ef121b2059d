"""How events look in the log, and which of them are there."""

from __future__ import annotations

import errno
import json

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile

from rtcsig.door.report import Fields
from rtcsig.ops.logs import LevelledObserver, json_line, log_sink


def captured(capfd, log_format, log_level, emit):
    """What ``emit``, called with a logger, puts to the standard output."""
    sink = log_sink(log_format, {"nodaemon": 1})
    emit(Logger("rtcsig", observer=LogPublisher(LevelledObserver(sink, log_format, log_level))))
    return capfd.readouterr().out


def test_a_json_line_has_the_context_as_members(capfd):
    """Time, level, namespace, message, and each field under its name."""

    def emit(log):
        log.warn("{what}: {fields}", what="event", fields=Fields(connection=7, stage="peer"))

    line = json.loads(captured(capfd, "json", "info", emit))
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
def test_only_what_is_at_least_the_level(capfd, level, lines):
    """The rest is not written."""

    def emit(log):
        log.debug("d")
        log.info("i")
        log.error("e")

    assert captured(capfd, "text", level, emit).count("\n") == lines


def test_a_file_that_twistd_names(tmp_path, monkeypatch):
    """A daemon's log goes where twistd was told, in our format."""
    path = tmp_path / "log"
    file = LogFile.fromFullPath(str(path))
    monkeypatch.setattr(LogFile, "fromFullPath", {str(path): file}.get)
    sink = log_sink("json", {"logfile": str(path), "nodaemon": 0})
    observer = LevelledObserver(sink, "json", "info")
    Logger("rtcsig", observer=LogPublisher(observer)).info("hello")
    assert json.loads(path.read_text())["message"] == "hello"
    file.close()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_file_that_could_not_be_rotated(log_format, tmp_path, monkeypatch):
    """It is opened again when that works again, and the lines that were lost are told."""
    file = LogFile.fromFullPath(str(tmp_path / "log"))
    monkeypatch.setattr(LogFile, "fromFullPath", lambda _: file)
    sink = log_sink(log_format, {"logfile": "log", "nodaemon": 0})
    sink.write("first\n")
    open_file, file._openFile = file._openFile, fails
    file.close()
    sink.write("lost\n")
    sink.write("lost\n")
    file._openFile = open_file
    sink.write("lost, but the file is open again\n")
    sink.write("last\n")
    first, lost, last = (tmp_path / "log").read_text().splitlines()
    assert (first, last) == ("first", "last")
    assert "log lines were lost: 3" in lost
    assert sink.dropped == {"error": 3}
    file.close()


def fails():
    """Fail as opening a file does without descriptors."""
    raise OSError(errno.EMFILE, "no descriptors")


@pytest.mark.parametrize("option", ["syslog", "logger"])
def test_a_log_that_is_twisteds_affair(option):
    """Those who ask twistd for another log get Twisted's."""
    assert log_sink("text", {option: 1}) is None


def test_a_daemon_has_no_standard_output():
    """As with twistd itself, that is refused."""
    with pytest.raises(SystemExit, match="daemon"):
        log_sink("text", {"logfile": "-", "nodaemon": 0})
