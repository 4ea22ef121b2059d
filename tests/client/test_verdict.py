"""The verdict: which status follows from what, and how it is told."""

from __future__ import annotations

import json

import pytest

from rtcsig.client.verdict import (
    Limits,
    Status,
    Verdict,
    as_json,
    as_line,
    failed,
    of_answer,
    of_message,
    unknown,
)

URL = "ws://127.0.0.1:8000/"
NO_LIMITS = Limits()
LIMITS = Limits(100, 500)
READY = b'{"ready": true, "reasons": [], "connections": 3}'
DRAINING = b'{"ready": false, "reasons": ["draining", "lag"]}'


def test_the_statuses_are_those_of_monitors():
    """The numbers are exit statuses, which monitors know by heart."""
    assert [*Status] == [0, 1, 2, 3]
    assert [each.name for each in Status] == ["OK", "WARNING", "CRITICAL", "UNKNOWN"]


@pytest.mark.parametrize(
    ("limits", "round_trip_s", "status", "limit_ms"),
    [
        (NO_LIMITS, 3600.0, Status.OK, None),
        (LIMITS, 0.05, Status.OK, None),
        (LIMITS, 0.1, Status.OK, None),
        (LIMITS, 0.101, Status.WARNING, 100),
        (LIMITS, 0.5, Status.WARNING, 100),
        (LIMITS, 0.501, Status.CRITICAL, 500),
        (Limits(warning_ms=0.5), 9.0, Status.WARNING, 0.5),
        (Limits(critical_ms=500), 0.4, Status.OK, None),
        (Limits(critical_ms=500), 9.0, Status.CRITICAL, 500),
        (Limits(100, 100), 0.2, Status.CRITICAL, 100),
    ],
)
def test_a_round_trip_within_limits(limits, round_trip_s, status, limit_ms):
    """What is longer than a limit has its status and names it; a limit itself is kept."""
    verdict = of_message(URL, round_trip_s, limits)
    sentence = f"a message went through {URL} and back in {round_trip_s * 1000:.1f} ms"
    more = "" if limit_ms is None else f", more than {limit_ms:g} ms"
    assert verdict == Verdict(status, URL, sentence + more, round_trip_s)


def test_limits_in_the_wrong_order():
    """A warning above the critical limit would never come, and is refused."""
    with pytest.raises(ValueError, match="--warning-ms must not be above --critical-ms"):
        Limits(2, 1)


def test_a_server_that_is_ready():
    """The verdict says so, with the time of the answer."""
    message = f"{URL} is ready, and said so in 2.0 ms"
    expected = Verdict(Status.OK, URL, message, 0.002, ready=True)
    assert of_answer(URL, 200, READY, 0.002, NO_LIMITS) == expected
    assert of_answer(URL, 200, b'{"ready": true}', 0.002, NO_LIMITS) == expected


def test_a_server_that_is_ready_and_slow():
    """The limits are those of the round trip."""
    verdict = of_answer(URL, 200, READY, 0.2, LIMITS)
    assert (verdict.status, verdict.ready) == (Status.WARNING, True)
    assert verdict.message.endswith("in 200.0 ms, more than 100 ms")


def test_a_server_that_is_not_ready():
    """It is critical however fast it says so, with the server's reasons."""
    assert of_answer(URL, 503, DRAINING, 0.002, LIMITS) == Verdict(
        Status.CRITICAL,
        URL,
        f"{URL} is not ready: draining, lag",
        0.002,
        ready=False,
        reasons=("draining", "lag"),
    )


def test_a_server_that_is_not_ready_for_no_reason():
    """That there is no reason is said."""
    verdict = of_answer(URL, 503, b'{"ready": false, "reasons": []}', 0.002, LIMITS)
    assert verdict.message == f"{URL} is not ready: no reason is given"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (403, b"Forbidden", "its --admin-allow does not have this address, or it wants a token"),
        (404, b"", "has no /readyz (404)"),
        (200, b"<html>", "answered with status 200, but not with the JSON of /readyz"),
        (200, b"\xff\xff", "answered with status 200, but not with the JSON of /readyz"),
        (200, b"[" * 60_000, "answered with status 200, but not with the JSON of /readyz"),
        (200, b"[]", "not with the JSON of /readyz"),
        (200, b"{}", "not with the JSON of /readyz"),
        (200, b'{"ready": 1}', "not with the JSON of /readyz"),
        (200, b'{"ready": true, "reasons": "lag"}', "not with the JSON of /readyz"),
        (503, b'{"ready": false, "reasons": [1]}', "not with the JSON of /readyz"),
        (503, b"no backend", "answered with status 503, but not with the JSON of /readyz"),
        (200, DRAINING, "answered with status 200, but its JSON says otherwise"),
        (503, READY, "answered with status 503, but its JSON says otherwise"),
        (302, READY, "answered with status 302, but its JSON says otherwise"),
        (403, READY, "its --admin-allow does not have this address"),
    ],
)
def test_what_is_no_answer(status, body, why):
    """Anything but the two answers of /readyz is critical, and says nothing about readiness."""
    verdict = of_answer(URL, status, body, 0.002, LIMITS)
    assert (verdict.status, verdict.ready, verdict.reasons) == (Status.CRITICAL, None, ())
    assert verdict.round_trip_s == 0.002
    assert verdict.message.startswith(f"{URL} ")
    assert why in verdict.message


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        (of_message("U", 0.0012, NO_LIMITS), "well: a message went through U and back in 1.2 ms"),
        (failed("U", "no answer"), "not well: no answer"),
        (unknown(None, "no URL"), "unknown: no URL"),
        (failed("U", "two\nlines, \x1b[31m | \udc80"), "not well: two?lines, ?[31m | ?"),
    ],
)
def test_a_line_for_people(verdict, line):
    """One word and the sentence, in one line that a terminal can show."""
    assert as_line(verdict, NO_LIMITS, nagios=False) == line


def test_a_line_when_there_are_limits():
    """The performance data that monitors draw stand behind a bar; slow is a word of its own."""
    line = as_line(of_message("U", 0.2, LIMITS), LIMITS, nagios=False)
    assert line == (
        "slow: a message went through U and back in 200.0 ms, more than 100 ms"
        " | round_trip=0.2000s;0.100;0.500;0"
    )


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (of_message("U", 0.001, LIMITS), "OK"),
        (of_message("U", 0.101, LIMITS), "WARNING"),
        (of_message("U", 0.501, LIMITS), "CRITICAL"),
        (unknown("U", "stopped"), "UNKNOWN"),
    ],
)
def test_a_line_for_monitors(verdict, word):
    """It begins with who speaks and the status."""
    line = as_line(verdict, NO_LIMITS, nagios=True)
    assert line.startswith(f"RTCSIG {word}: {verdict.message}")


@pytest.mark.parametrize(
    ("limits", "bounds"),
    [
        (NO_LIMITS, ";"),
        (Limits(warning_ms=100), "0.100;"),
        (Limits(critical_ms=1234.5), ";1.2345"),
        (Limits(0.25, 90_000), "0.00025;90.000"),
    ],
)
def test_the_limits_in_the_performance_data(limits, bounds):
    """They are in seconds like the value, exact, and empty if not given."""
    line = as_line(of_message("U", 0.0001, limits), limits, nagios=True)
    assert line.endswith(f" ms | round_trip=0.0001s;{bounds};0")


def test_no_performance_data_without_a_round_trip():
    """Nothing came back: there is nothing to draw, and no bar that would begin it."""
    verdict = failed("U", "the server answered: a|b")
    expected = "RTCSIG CRITICAL: the server answered: a/b"
    assert as_line(verdict, LIMITS, nagios=True) == expected


def test_a_long_line():
    """However much a server says, a monitor gets a line that it takes, and the data behind it."""
    body = json.dumps({"ready": False, "reasons": ["lag"] * 5_000}).encode()
    verdict = of_answer("U", 503, body, 0.002, LIMITS)
    sentence, bar, data = as_line(verdict, LIMITS, nagios=True).partition(" | ")
    assert len(sentence) == 1_000
    assert sentence.endswith("...")
    assert (bar, data) == (" | ", "round_trip=0.0020s;0.100;0.500;0")


def test_json():
    """Every field is there, also those that have no value."""
    assert json.loads(as_json(of_answer("U", 503, DRAINING, 0.002, NO_LIMITS))) == {
        "status": "critical",
        "url": "U",
        "round_trip_s": 0.002,
        "ready": False,
        "reasons": ["draining", "lag"],
        "message": "U is not ready: draining, lag",
    }
    assert json.loads(as_json(unknown(None, "no\nURL \udc80"))) == {
        "status": "unknown",
        "url": None,
        "round_trip_s": None,
        "ready": None,
        "reasons": [],
        "message": "no\nURL \udc80",
    }
