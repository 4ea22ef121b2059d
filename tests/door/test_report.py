"""Lines about connections: their context, and how many of them."""

from __future__ import annotations

import errno

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent

from rtcsig.door import report
from rtcsig.door.ledger import Ledger
from rtcsig.door.report import Fields, Reporter, error_name, shown, shown_peer_id


@pytest.fixture
def clock():
    """Time by hand."""
    return Clock()


@pytest.fixture
def reporter(clock):
    """A reporter to the log that is watched."""
    return Reporter(Logger("rtcsig"), clock, Ledger())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "'a'"),
        ("a\nb\x1b[31m", r"'a\nb\x1b[31m'"),
        ("x" * 81, "'" + "x" * 80 + "'..."),
    ],
)
def test_a_clients_text_is_escaped_and_cut(text, expected):
    """No client writes lines of its own, nor long ones."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.EMFILE, "x"), "EMFILE"),
        (OSError(99_999, "x"), "errno-99999"),
        (OSError("x"), "OSError"),
        (KeyError(), "KeyError"),
    ],
)
def test_an_error_has_the_name_that_can_be_looked_up(error, name):
    """The errno's, or else the class's."""
    assert error_name(error) == name


def test_fields_read_as_name_and_value():
    """In a text log."""
    assert str(Fields(a=1, b="x")) == "a=1 b=x"


def test_what_is_left_out_is_counted_when_the_window_ends(reporter, clock, logged):
    """And the next window has lines again."""
    for _ in range(25):
        reporter.client_fault("event", {"n": 1}, "k")
    assert len(logged.lines("event")) == 10
    clock.advance(10)
    last = logged.lines("event")[-1]
    assert last["fields"]["left_out"] == 15
    assert formatEvent(last).startswith("event: more lines like this: left_out=15")
    reporter.client_fault("event", {"n": 1}, "k")
    assert len(logged.lines("event")) == 12
    reporter.flush()


def test_kinds_do_not_hide_each_other(reporter, clock, logged):
    """A flood of one kind leaves the lines of another; each window has its own end."""
    for _ in range(20):
        reporter.client_fault("event", {}, "flood")
    clock.advance(4)
    reporter.client_fault("event", {}, "rare")
    assert len(logged.lines("event")) == 11
    clock.advance(6)
    assert len(logged.lines("event")) == 12
    clock.advance(4)
    assert len(logged.lines("event")) == 12
    assert not clock.getDelayedCalls()


def test_flush_writes_what_is_left_out(reporter, clock, logged):
    """When the server stops before the window ends; twice is once."""
    for _ in range(12):
        reporter.client_fault("event", {})
    reporter.flush()
    reporter.flush()
    assert logged.lines("event")[-1]["fields"]["left_out"] == 2
    assert not clock.getDelayedCalls()


def test_bugs_have_their_traceback_and_a_bound(reporter, logged):
    """A bug that happens for every client fills no disk."""
    for _ in range(12):
        reporter.bug(RuntimeError("why"), "broken", {"n": 1})
    reporter.flush()
    errors = logged.errors()
    assert len(errors) == 11
    assert all(event["log_failure"].type is RuntimeError for event in errors[:10])
    assert errors[10]["fields"]["left_out"] == 2


def test_the_state_of_the_process_is_looked_up_for_written_lines_only(reporter, monkeypatch):
    """Counting ten thousand descriptors for a line that is left out would stop everybody."""
    looked = []
    monkeypatch.setattr(report, "descriptors_in_use", lambda: looked.append(1) or 7)
    for _ in range(50):
        reporter.set_up_failure("s", OSError(errno.ENOTCONN, "x"), {})
    assert len(looked) == 10
    reporter.flush()


@pytest.mark.parametrize(
    ("how", "shown_as"),
    [
        ("short", "'alice-th'"),
        ("full", "'alice-the-first'"),
        ("hash", "8ac6c19f"),
    ],
)
def test_a_peer_id_in_the_log(how, shown_as):
    """A part of it, the whole, or what tells it from others and no more."""
    assert shown_peer_id("alice-the-first", how) == shown_as


def test_a_peer_id_that_would_break_the_line():
    """Is escaped, in each way."""
    for how in ("short", "full", "hash"):
        assert "\n" not in shown_peer_id("a\nb\ud800", how)
