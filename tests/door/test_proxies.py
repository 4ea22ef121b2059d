"""Whom proxies are believed to bring, and what a client can say in their name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.proxies import (
    FORWARDED,
    UNIX,
    TrustedProxies,
    hops_of,
    plain_host,
)

CLIENT, EVIL = "203.0.113.9", "198.51.100.66"
HOPS = st.lists(st.none() | st.ip_addresses().map(str).map(plain_host), max_size=6)
NODES = [
    ("192.0.2.1", "192.0.2.1"),
    ("192.0.2.1:4711", "192.0.2.1"),
    ("[2001:db8::1]", "2001:db8::1"),
    ("[2001:db8::1]:4711", "2001:db8::1"),
    ("[2001:DB8:0::1]", "2001:db8::1"),
    ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ("unknown", None),
    ("UNKNOWN", None),
    ("_hidden", None),
    ("_SEVKISEK:4711", None),
    ("unknown:80", None),
    ("", None),
    ("-", None),
    ("localhost", None),
    ("192.0.2", None),
    ("192.0.2.256", None),
    ("192.0.2.01", None),
    ("192.0.2.1:", None),
    ("192.0.2.1:123456", None),
    ("192.0.2.1:_port", None),
    ("192.0.2.1 192.0.2.2", None),
    ("[2001:db8::1", None),
    ("2001:db8::1]", None),
    ("[]", None),
    ("[fe80::1%eth0]", None),
    ("::ffff::1", None),
]


X_FORWARDED_FOR = "x-forwarded-for"


class TestXForwardedFor:
    """``X-Forwarded-For``, which no standard describes."""

    @pytest.mark.parametrize(
        ("node", "host"),
        [*NODES, ("2001:db8::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1")],
    )
    def test_an_element_is_an_address_or_nobody(self, node, host):
        """In all spellings that proxies use; a bare IPv6 address has no port."""
        assert hops_of(X_FORWARDED_FOR, node) == [host]

    @pytest.mark.parametrize(
        ("value", "hops"),
        [
            ("192.0.2.1, 192.0.2.2", ["192.0.2.1", "192.0.2.2"]),
            ("192.0.2.1,192.0.2.2:80 ,\t2001:db8::1", ["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
            ("unknown, 192.0.2.2", [None, "192.0.2.2"]),
            ("192.0.2.1,", ["192.0.2.1", None]),
            (",", [None, None]),
            ('"192.0.2.1", 192.0.2.2', [None, "192.0.2.2"]),
        ],
    )
    def test_a_list_has_the_client_first(self, value, hops):
        """One element for each hop, also for those that name nobody."""
        assert hops_of(X_FORWARDED_FOR, value) == hops


class TestManyHops:
    """A list that is longer than any way through proxies."""

    @pytest.mark.parametrize(
        ("header", "element"), [(X_FORWARDED_FOR, "192.0.2.{}"), (FORWARDED, "for=192.0.2.{}")]
    )
    @pytest.mark.parametrize("count", [31, 32, 33, 200])
    def test_is_read_from_its_end(self, header, element, count):
        """The last 32, which is where the proxies wrote."""
        value = ", ".join(element.format(number) for number in range(count))
        assert hops_of(header, value) == [f"192.0.2.{n}" for n in range(count)][-32:]

    def test_is_not_even_cut_into_pieces(self):
        """Quotes that a client left open before them change nothing of the last."""
        value = 'for="x,' * 1000 + ",".join(["for=192.0.2.1"] * 32)
        assert hops_of(FORWARDED, value) == ["192.0.2.1"] * 32


class TestForwarded:
    """``Forwarded`` (RFC 7239)."""

    @pytest.mark.parametrize(("node", "host"), NODES)
    def test_a_quoted_node_is_an_address_or_nobody(self, node, host):
        """The same nodes, in the quotes that colons and brackets need."""
        assert hops_of(FORWARDED, f'for="{node}"') == [host]

    @pytest.mark.parametrize(
        ("value", "hops"),
        [
            ("for=192.0.2.1", ["192.0.2.1"]),
            ("For=192.0.2.1", ["192.0.2.1"]),
            ("FOR=192.0.2.1:80", ["192.0.2.1"]),
            ("for=unknown", [None]),
            ("for=_hidden", [None]),
            ("for=", [None]),
            ("for", [None]),
            ("", [None]),
            ("192.0.2.1", [None]),
            ("proto=https", [None]),
            ("by=192.0.2.1", [None]),
            ("xfor=192.0.2.1", [None]),
            ("proto=https;for=192.0.2.1;by=192.0.2.2", ["192.0.2.1"]),
            ("by=192.0.2.2; for=192.0.2.1 ;proto=http", ["192.0.2.1"]),
            ('host="for=192.0.2.1"', [None]),
            ('by="x;for=192.0.2.1"', [None]),
            ('for="192.0.2.1', [None]),
            ('for=192.0.2.1"', [None]),
            ('for=192.0.2.1;host="a b"', ["192.0.2.1"]),
            (
                'for=192.0.2.1, for="[2001:db8::1]:80";proto=http,For=_x',
                ["192.0.2.1", "2001:db8::1", None],
            ),
        ],
    )
    def test_the_client_stands_after_for(self, value, hops):
        """Wherever in its element, in any case, with or without other pairs."""
        assert hops_of(FORWARDED, value) == hops

    @pytest.mark.parametrize(
        "open_quote", ['for="', 'by="x', 'for="[::1', f'for={EVIL};x="', '"', 'for="\\']
    )
    def test_an_open_quote_of_the_client_swallows_nothing(self, open_quote):
        """The element that the proxy puts behind it is read all the same."""
        assert hops_of(FORWARDED, f"{open_quote}, for={CLIENT}")[-1] == CLIENT
        assert hops_of(FORWARDED, f'{open_quote}, for="{CLIENT}:80"')[-1] == CLIENT

    @pytest.mark.parametrize(
        "host",
        [
            f"a,for={EVIL}",
            f"a,for={EVIL};b",
            f"a;for={EVIL}",
            f"a;for={EVIL};b",
            f"a,for={EVIL},b",
            f'a\\",for={EVIL},\\"b',
            f'a\\\\\\",for={EVIL};',
        ],
    )
    @pytest.mark.parametrize("order", ['host="{host}";for={client}', 'for={client};host="{host}"'])
    def test_a_host_of_the_client_speaks_for_nobody(self, host, order):
        """A proxy quotes it within its own element (RFC 7239, 5.3): it is no pair and no hop."""
        value = order.format(host=host, client=CLIENT)
        hops = hops_of(FORWARDED, value)
        assert TrustedProxies(["10.0.0.1"]).client_of("10.0.0.1", hops) == CLIENT


@given(st.sampled_from([X_FORWARDED_FOR, FORWARDED]), st.text(st.characters(max_codepoint=255)))
def test_any_value_is_addresses_or_nobody(header, value):
    """Nothing is raised, and what is no address in its one spelling does not come out."""
    hops = hops_of(header, value)
    assert 1 <= len(hops) <= value.count(",") + 1
    for hop in hops:
        assert hop is None or plain_host(hop) == hop


@given(st.text(st.characters(max_codepoint=255)), st.ip_addresses().map(str).filter(plain_host))
def test_what_the_proxy_adds_is_what_counts(spoofed, client):
    """Whatever stands before it, the last element is the proxy's."""
    named = plain_host(client)
    assert hops_of(X_FORWARDED_FOR, f"{spoofed}, {client}")[-1] == named
    node = f'"[{client}]:80"' if ":" in client else client
    assert hops_of(FORWARDED, f"{spoofed}, for={node};proto=https")[-1] == named


class TestPlainHost:
    """An address in its one spelling."""

    @pytest.mark.parametrize(
        ("host", "plain"),
        [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::0:1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::FFFF:c000:201", "192.0.2.1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("localhost", None),
            ("192.0.2.1:80", None),
            ("[::1]", None),
            ("", None),
        ],
    )
    def test_is_the_same_for_one_address(self, host, plain):
        """IPv4 within IPv6 is IPv4; what is no address is None."""
        assert plain_host(host) == plain


class TestTrustedProxies:
    """Whose word counts."""

    @pytest.mark.parametrize(
        ("networks", "trusted", "others"),
        [
            ((), [], ["127.0.0.1", "::1", None, ""]),
            (("10.0.0.0/8",), ["10.0.0.1", "10.255.255.255", "::ffff:10.1.2.3"],
             ["11.0.0.1", "::1", "::10.0.0.1", None, "host"]),
            (("192.0.2.1",), ["192.0.2.1"], ["192.0.2.2", None]),
            (("2001:db8::/32", "::1"), ["2001:db8:ffff::1", "::1"], ["2001:db9::", "127.0.0.1"]),
            (("fe80::/10",), ["fe80::1%eth0"], ["10.0.0.1"]),
            (("::ffff:10.0.0.0/104",), ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1", "::1"]),
            (("unix",), [None], ["127.0.0.1", "unix", ""]),
            (("unix", "127.0.0.0/8"), [None, "127.9.9.9"], ["::1"]),
        ],
    )  # fmt: skip
    def test_are_those_in_the_networks(self, networks, trusted, others):
        """And those behind a unix socket, if that is said."""
        proxies = TrustedProxies(iter(networks))
        assert [host in proxies for host in trusted] == [True] * len(trusted)
        assert [host in proxies for host in others] == [False] * len(others)

    @pytest.mark.parametrize(
        "text", ["", "10.0.0.1/8", "10.0.0.0/33", "host", "10.0.0", "10.*", "UNIX", "::1/0", "*"]
    )
    def test_are_named_by_networks_only(self, text):
        """A slip is refused when the list is made, with its text."""
        with pytest.raises(ValueError, match=r"is no network") as caught:
            TrustedProxies([UNIX, text])
        assert repr(text) in str(caught.value)

    @pytest.mark.parametrize(
        ("proxy", "hops", "client"),
        [
            ("10.0.0.1", [], "10.0.0.1"),
            ("10.0.0.1", [CLIENT], CLIENT),
            ("10.0.0.1", [EVIL, CLIENT], CLIENT),
            ("10.0.0.1", [EVIL, "10.0.0.3", CLIENT], CLIENT),
            ("10.0.0.1", [CLIENT, "10.0.0.2"], CLIENT),
            ("10.0.0.1", [EVIL, CLIENT, "10.0.0.3", "10.0.0.2"], CLIENT),
            ("10.0.0.1", ["10.0.0.3", "10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", [None], "10.0.0.1"),
            ("10.0.0.1", [CLIENT, None], "10.0.0.1"),
            ("10.0.0.1", [CLIENT, None, "10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", [None, CLIENT], CLIENT),
            (EVIL, [CLIENT], EVIL),
            (EVIL, ["10.0.0.2"], EVIL),
            (None, [CLIENT], CLIENT),
            (None, [None], None),
        ],
    )
    def test_are_believed_from_the_end_on(self, proxy, hops, client):
        """As long as the one who wrote a hop is trusted; the client's own words come before."""
        assert TrustedProxies(["10.0.0.0/8", "unix"]).client_of(proxy, hops) == client

    def test_unix_is_not_believed_unasked(self):
        """A peer behind a unix socket is no proxy unless it was said."""
        assert TrustedProxies(["10.0.0.0/8"]).client_of(None, [CLIENT]) is None

    @given(HOPS, st.lists(st.ip_addresses(v=4, network="10.0.0.0/8").map(str), max_size=6))
    def test_bring_the_first_stranger(self, before, chain):
        """Whatever the client says before, and through however many proxies it comes."""
        proxies = TrustedProxies(["10.0.0.0/8"])
        assert proxies.client_of("10.0.0.1", [*before, CLIENT, *chain]) == CLIENT
        unread = [*before, CLIENT, None, *chain]
        assert proxies.client_of("10.0.0.1", unread) == (chain or ["10.0.0.1"])[0]
