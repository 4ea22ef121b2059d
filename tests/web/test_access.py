"""Who may read what the server says about itself."""

from __future__ import annotations

import pytest

from rtcsig.door.proxies import Networks, TrustedProxies
from rtcsig.web.access import Access

NEAR = ("127.0.0.0/8", "::1/128", "unix")
PROXY = "192.0.2.7"


def admits(host, headers=None, *, token=None, near=NEAR, header="x-forwarded-for"):
    """Whether a request from ``host`` with these headers may read."""
    access = Access(Networks(near), TrustedProxies([PROXY, "127.0.0.9"]), header, token)
    headers = headers or {}
    return access.admits(host, lambda name: headers.get(name, []))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", None])
def test_those_who_are_near_may_read(host):
    """This machine, in each spelling, and a unix socket."""
    assert admits(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "::2", "", "gaga", PROXY])
def test_those_from_afar_may_not(host):
    """Nor who comes from nowhere, nor a proxy itself."""
    assert not admits(host)


def test_a_unix_socket_is_near_only_if_it_says_so():
    """The networks are all there is."""
    assert not admits(None, near=("127.0.0.1",))


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
@pytest.mark.parametrize("host", ["127.0.0.1", None])
def test_a_proxy_that_nobody_trusts_brings_nobody_near(host, header):
    """Though it runs on this machine, and whatever it says, in whichever header."""
    assert not admits(host, {header: ["127.0.0.1"]})


@pytest.mark.parametrize(
    ("hops", "may"),
    [
        (["127.0.0.1"], True),
        (["192.0.2.1"], False),
        (["127.0.0.1, 192.0.2.1"], False),
        (["192.0.2.1, 127.0.0.1"], True),
        (["unknown"], False),
        ([""], False),
        ([PROXY], False),
    ],
)
def test_a_trusted_proxy_names_its_client(hops, may):
    """The last one that a trusted proxy wrote; what cannot be read is nobody."""
    assert admits(PROXY, {"x-forwarded-for": hops}) is may


def test_a_trusted_proxy_that_is_near_itself():
    """Counts for its clients and not for itself."""
    assert not admits("127.0.0.9", {"x-forwarded-for": ["192.0.2.1"]})
    assert not admits("127.0.0.9", {"forwarded": ["for=127.0.0.1"]})


def test_the_other_header_is_the_clients_own():
    """A trusted proxy that writes one of them passes the other on."""
    assert not admits(PROXY, {"forwarded": ["for=127.0.0.1"]})
    assert admits(PROXY, {"forwarded": ["for=127.0.0.1"]}, header="forwarded")


@pytest.mark.parametrize("authorization", ["Bearer secret", "bearer  secret ", " BEARER secret"])
def test_a_token_lets_in_from_anywhere(authorization):
    """Also through a proxy that nobody knows; the scheme may be written in any case."""
    headers = {"authorization": [authorization], "x-forwarded-for": ["192.0.2.1"]}
    assert admits("192.0.2.1", headers, token="secret")


@pytest.mark.parametrize(
    "authorizations",
    [
        ["Bearer wrong"],
        ["Bearer"],
        ["Bearer "],
        ["Basic secret"],
        ["secret"],
        ["Bearer sécret"],
        ["Bearer secret", "Bearer secret"],
        [],
    ],
)
def test_another_token_does_not(authorizations):
    """Nor another scheme, nor two of them."""
    assert not admits("192.0.2.1", {"authorization": authorizations}, token="secret")


def test_without_a_token_none_is_right():
    """Nobody guesses the empty one."""
    assert not admits("192.0.2.1", {"authorization": ["Bearer "]})
    assert not admits("192.0.2.1", {"authorization": ["Bearer None"]}, token="")
