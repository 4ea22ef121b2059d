"""What clients are told when a connection ends or is refused."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig import codes
from rtcsig.codes import STATUS_ADVICE, CloseCode, Refusal, close_reason

# Each code by its name, and whether coming back makes sense.
CODES = {
    "NORMAL": (1000, True),
    "GOING_AWAY": (1001, True),
    "PROTOCOL_ERROR": (1002, False),
    "INVALID_PAYLOAD": (1007, False),
    "POLICY_VIOLATION": (1008, False),
    "MESSAGE_TOO_BIG": (1009, False),
    "INTERNAL_ERROR": (1011, True),
    "SERVICE_RESTART": (1012, True),
    "TRY_AGAIN_LATER": (1013, True),
    "ID_TAKEN": (4409, True),
    "REPLACED": (4500, False),
}
MAX_REASON_BYTES = 123


def test_every_close_code_says_whether_to_come_back():
    """Clients rely on the numbers, and on one answer for each."""
    codes = CloseCode.__members__.items()
    assert {name: (code.value, code.retry) for name, code in codes} == CODES


@pytest.mark.parametrize("code", CloseCode)
def test_every_close_code_has_its_advice(code):
    """One or more sentences, and the advice is to come back if and only if that makes sense."""
    assert code.advice.endswith(".")
    if code is not CloseCode.NORMAL:
        assert ("ome back" in code.advice and "Do not come back" not in code.advice) is code.retry


def test_every_status_has_its_advice():
    """Each one that stands in the code of the server."""
    sources = Path(codes.__file__).parent.rglob("*.py")
    used = {
        name
        for path in sources
        if not {"web", "client"} & set(path.parts) and path.name != "check.py"
        for name in re.findall(r"HTTPStatus\.([A-Z_]+)", path.read_text(encoding="utf-8"))
    }
    assert {HTTPStatus[name] for name in used} <= STATUS_ADVICE.keys()
    assert all(advice.endswith(".") for advice in STATUS_ADVICE.values())


@pytest.mark.parametrize("code", [code for code in CloseCode if code >= 4000])
def test_our_own_codes_tell_by_their_number(code):
    """From 4000 on come back, from 4500 on do not."""
    assert code <= 4999
    assert code.retry is (code < 4500)


def test_refusal_has_its_status_and_reason():
    """Status and reason can be read apart, and together in the text."""
    refusal = Refusal(HTTPStatus.FORBIDDEN, "this origin is not allowed")
    assert (refusal.status, refusal.reason) == (403, "this origin is not allowed")
    assert str(refusal) == "403 this origin is not allowed"
    assert refusal.retry_after_s is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", b""),
        ("a newer connection has this id", b"a newer connection has this id"),
        ("x" * 123, b"x" * 123),
        ("x" * 124, b"x" * 123),
        ("x" * 122 + "é", b"x" * 122),
        ("x" * 121 + "é", b"x" * 121 + "é".encode()),
        ("x" * 120 + "\U0001f600", b"x" * 120),
        ("lone \ud800", b"lone ?"),
    ],
)
def test_close_reason_fits_its_frame(text, reason):
    """A reason is cut between characters, and what UTF-8 cannot hold becomes a question mark."""
    assert close_reason(text) == reason


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_close_reason_is_the_longest_beginning_that_fits(text):
    """Nothing is lost that would have had room."""
    reason = close_reason(text).decode()
    assert text.startswith(reason)
    assert len(reason.encode()) <= MAX_REASON_BYTES
    following = text[len(reason) : len(reason) + 1]
    assert not following or len((reason + following).encode()) > MAX_REASON_BYTES
