"""Which web pages may connect."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.codes import Refusal
from rtcsig.door.admission import OriginPolicy, normalised_origin

NO_ORIGINS = [
    "",
    "*",
    "NULL",
    "example.org",
    "//example.org",
    "https://",
    "https:example.org",
    "https://:443",
    "https://example.org/",
    "https://example.org/path",
    "https://example.org?query",
    "https://example.org#fragment",
    "https://user@example.org",
    "https://@example.org",
    "https://:password@example.org",
    "https://example.org:port",
    "https://example.org:99999",
    "https://[::1",
    "https://example.org, https://evil.example",
    "https://*.example.org",
    "https://*",
]


def is_admitted(policy: OriginPolicy, origin: str | None) -> bool:
    """Whether the policy lets an origin pass; a refusal is a 403."""
    try:
        policy.check(origin)
    except Refusal as refusal:
        return refusal.status != 403
    return True


@pytest.mark.parametrize(
    "spellings",
    [
        ("https://example.org", "https://example.org:443", "HTTPS://Example.ORG"),
        ("http://example.org", "http://example.org:80", "http://example.org:"),
        ("https://example.org:8443", "https://EXAMPLE.org:8443"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost:0", "http://localhost:0"),
        ("chrome-extension://abcdef", "chrome-extension://ABCDEF"),
        ("null", "null"),
    ],
)
def test_spellings_of_one_origin_are_one(spellings):
    """Case and a default port make no difference."""
    assert len({normalised_origin(spelling) for spelling in spellings}) == 1


def test_different_origins_stay_different():
    """Scheme, host and port all count."""
    origins = [
        "https://example.org",
        "http://example.org",
        "https://example.org:80",
        "https://www.example.org",
        "https://example.com",
        "chrome-extension://example.org",
        "http://[::1]",
        "null",
    ]
    assert len({normalised_origin(origin) for origin in origins}) == len(origins)


@pytest.mark.parametrize("origin", NO_ORIGINS)
def test_what_is_no_origin_is_no_setting(origin):
    """An allow-list with a slip in it is refused when it is made."""
    with pytest.raises(ValueError):
        OriginPolicy(["https://example.org", origin])


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", *NO_ORIGINS])
def test_without_a_list_everybody_may(origin):
    """Nothing is asked of an origin that nothing is said about."""
    assert is_admitted(OriginPolicy([]), origin)


@pytest.mark.parametrize("origin", NO_ORIGINS)
def test_with_a_list_nonsense_is_refused(origin):
    """What is no origin is none of the list, and is answered, not raised."""
    assert not is_admitted(OriginPolicy(["https://example.org"]), origin)


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        (None, True),
        ("https://example.org", True),
        ("https://EXAMPLE.org:443", True),
        ("http://localhost:8080", True),
        ("http://example.org", False),
        ("https://example.org:444", False),
        ("https://example.org.evil.example", False),
        ("https://evil.example", False),
        ("http://localhost", False),
        ("null", False),
    ],
)
def test_with_a_list_its_origins_may(origin, admitted):
    """Exactly those, and who names none because it is no browser."""
    policy = OriginPolicy(iter(["https://example.org", "http://localhost:8080"]))
    assert is_admitted(policy, origin) is admitted


def test_pages_without_an_origin_of_their_own_can_be_let_in():
    """The word null in the list stands for files and sandboxed pages."""
    policy = OriginPolicy(["null"])
    assert is_admitted(policy, "null")
    assert not is_admitted(policy, "https://example.org")


@pytest.mark.parametrize("allowed", [[], ["https://example.org"]])
@pytest.mark.parametrize("absent_is_allowed", [True, False])
def test_who_names_no_origin_is_asked_for_one_or_not(allowed, absent_is_allowed):
    """That is said for itself, with a list or without; who names one is not concerned."""
    policy = OriginPolicy(allowed, absent_is_allowed=absent_is_allowed)
    assert is_admitted(policy, None) is absent_is_allowed
    assert is_admitted(policy, "https://example.org")
    assert is_admitted(policy, "null") is (not allowed)
    assert not allowed or not is_admitted(policy, "")


def test_the_refusal_says_what_is_missing():
    """In our words."""
    with pytest.raises(Refusal, match="403 a request needs an origin here"):
        OriginPolicy([], absent_is_allowed=False).check(None)


@given(st.text(max_size=20) | st.from_regex(r"https?://[^/]{0,10}(:\d{0,6})?", fullmatch=True))
def test_any_text_is_admitted_or_refused(origin):
    """Whatever a client calls its origin, nothing but a ``Refusal`` is raised."""
    policy = OriginPolicy(["https://example.org"])
    with contextlib.suppress(Refusal):
        policy.check(origin)
        assert normalised_origin(origin) == "https://example.org:443"
