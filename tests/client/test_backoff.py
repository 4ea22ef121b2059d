"""When a client comes back: never in step with others, never sooner than it was told."""

from __future__ import annotations

import pytest

from rtcsig.client.backoff import Backoff, after_close, after_status
from rtcsig.client.errors import Ended, IdTaken, Refused, Replaced
from rtcsig.codes import CloseCode


def waits_s(chance, count):
    """The first waits with this luck."""
    backoff = Backoff(lambda: chance)
    return [backoff.wait_s() for _ in range(count)]


def test_waits_are_drawn_from_a_range_that_doubles():
    """From nothing to half a second, a second, two..., and never beyond thirty."""
    assert waits_s(1.0, 8) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert waits_s(0.25, 3) == [0.125, 0.25, 0.5]
    assert waits_s(0.0, 1000) == [0.0] * 1000


def test_a_connection_that_held_begins_anew():
    """The next failure is the first one."""
    backoff = Backoff(lambda: 1.0)
    backoff.wait_s()
    backoff.wait_s()
    backoff.succeeded()
    assert backoff.wait_s() == 0.5


@pytest.mark.parametrize(
    ("chance", "hint_s", "wait_s"), [(0.0, 7, 7), (1.0, 7, 10.5), (1.0, 1, 2), (0.5, 0, 0.5)]
)
def test_a_hint_is_never_undercut(chance, hint_s, wait_s):
    """And not followed to the moment: others got the same."""
    assert Backoff(lambda: chance).wait_s(hint_s) == wait_s


@pytest.mark.parametrize("code", [code for code in CloseCode if code is not CloseCode.ID_TAKEN])
def test_the_servers_codes_are_understood(code):
    """A client comes back if and only if the server means it to."""
    is_error = isinstance(after_close(code, "why"), Exception)
    assert is_error is not code.retry


@pytest.mark.parametrize(
    ("code", "reason", "verdict"),
    [
        (1012, "the server ends; retry_after_s=7", 7.0),
        (1012, "the server ends", None),
        (1001, "retry_after_s=7", None),
        (1006, "", None),
        (None, "", None),
        (4000, "", None),
    ],
)
def test_a_close_after_which_it_comes_back(code, reason, verdict):
    """With the hint of a restart, if there is one."""
    assert after_close(code, reason) == verdict


@pytest.mark.parametrize(
    ("code", "error"),
    [(4409, IdTaken), (4500, Replaced), (4501, Ended), (1008, Ended), (1003, Ended)],
)
def test_a_close_after_which_it_does_not(code, error):
    """With what it was told."""
    verdict = after_close(code, "why")
    assert isinstance(verdict, error)
    assert "why" in str(verdict)


@pytest.mark.parametrize(
    ("status", "retry_after", "verdict"),
    [
        (503, "7", 7.0),
        (503, " 7 ", 7.0),
        (503, "", None),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (429, "1", 1.0),
        (408, "", None),
        (500, "", None),
        (502, "", None),
    ],
)
def test_a_status_after_which_it_comes_back(status, retry_after, verdict):
    """With Retry-After in seconds, if there is one."""
    assert after_status(status, retry_after, "why") == verdict


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404, 426])
def test_a_status_after_which_it_does_not(status):
    """Nothing would be different."""
    verdict = after_status(status, "7", "why")
    assert isinstance(verdict, Refused)
    assert (verdict.status, verdict.reason) == (status, "why")
    assert isinstance(after_status(409, "", "why"), IdTaken)
