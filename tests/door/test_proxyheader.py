"""The PROXY protocol's header: what is one, what is none, and what needs more bytes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.door.proxyheader import ProxyHeader, read_proxy_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
V4 = ipaddress.ip_address("192.0.2.1").packed + b"\xc0\x00\x02\x02" + b"\x12\x67\x1f\x40"
V6 = ipaddress.ip_address("2001:db8::1").packed + b"\0" * 16 + b"\x12\x67\x1f\x40"
REMARKS = b"\x04\x00\x03abc"
LONGEST_V1 = b"PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".replace(
    b"f...f", b"ffff:ffff:ffff:ffff:ffff:ffff"
)


def v2(command, family, body=b"", *, length=None):
    """A header of version 2."""
    length = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + length.to_bytes(2, "big") + body


ACCEPTED = [
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 4711 8000\r\n", "192.0.2.1", 4711),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255", 65_535),
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n", "192.0.2.1", 0),
    (b"PROXY TCP6 2001:db8::1 2001:db8::2 4711 8000\r\n", "2001:db8::1", 4711),
    (b"PROXY TCP6 2001:DB8:0:0::1 ::2 4711 8000\r\n", "2001:db8::1", 4711),
    (LONGEST_V1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65_535),
    (b"PROXY UNKNOWN\r\n", None, 0),
    (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None, 0),
    (b"PROXY UNKNOWN" + b" " * 92 + b"\r\n", None, 0),
    (v2(PROXY, 0x11, V4), "192.0.2.1", 0x1267),
    (v2(PROXY, 0x21, V6), "2001:db8::1", 0x1267),
    (v2(PROXY, 0x11, V4 + REMARKS), "192.0.2.1", 0x1267),
    (v2(PROXY, 0x21, V6 + REMARKS * 9), "2001:db8::1", 0x1267),
    (v2(PROXY, 0x11, V4 + b"x" * (4096 - 16 - 12)), "192.0.2.1", 0x1267),
    (v2(PROXY, 0x31, b"/run/x".ljust(216, b"\0")), None, 0),
    (v2(PROXY, 0x32, b"\0" * 216), None, 0),
    (v2(PROXY, 0x12, V4), None, 0),
    (v2(PROXY, 0x00), None, 0),
    (v2(PROXY, 0x00, REMARKS), None, 0),
    (v2(PROXY, 0xFF, b"x"), None, 0),
    (v2(LOCAL, 0x00), None, 0),
    (v2(LOCAL, 0x00, REMARKS), None, 0),
    (v2(LOCAL, 0x11, V4), None, 0),
    (v2(LOCAL, 0x21), None, 0),
]
MALFORMED = [
    b"GET / HTTP/1.1\r\n",
    b"PROXX",
    b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b" PROXY UNKNOWN\r\n",
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY unknown\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
    b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY\tTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 evil 192.0.2.2 1 2\r\n",
    b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
    b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    b"PROXY TCP6 ::1::2 ::2 1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 123456 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n",
    b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\nGET / HTTP/1.1\r\n",
    b"PROXY UNKNOWN\nevil\r\n",
    b"PROXY UNKNOWN\revil\r\n",
    b"PROXY UNKNOWN" + b"x" * 93 + b"\r\n",
    b"PROXY " + b"x" * 101,
    SIGNATURE[:5] + b"x",
    SIGNATURE[:11] + b"x",
    v2(0x22, 0x11, V4),
    v2(0x11, 0x11, V4),
    v2(0x2F, 0x00),
    v2(PROXY, 0x11),
    v2(PROXY, 0x11, V4[:11]),
    v2(PROXY, 0x21, V4),
    v2(PROXY, 0x21, V6[:35]),
    v2(PROXY, 0x11, length=4081),
    v2(LOCAL, 0x00, length=65_535),
]


@pytest.mark.parametrize(("header", "host", "port"), ACCEPTED)
def test_a_header_says_whose_connection_it_is(header, host, port):
    """The client's address; None where the proxy speaks for itself or names no IP address."""
    assert read_proxy_header(header) == ProxyHeader(host, port, len(header))


@pytest.mark.parametrize("header", [header for header, _, _ in ACCEPTED])
def test_a_byte_at_a_time(header):
    """Every beginning of a header asks for more, until the last byte is there."""
    assert [read_proxy_header(header[:end]) for end in range(len(header))] == [None] * len(header)


@pytest.mark.parametrize(("header", "host", "port"), ACCEPTED)
@pytest.mark.parametrize("rest", [b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 5000, SIGNATURE])
def test_what_follows_is_not_the_headers(header, host, port, rest):
    """The length says where the request begins, also when it came in the same read."""
    assert read_proxy_header(header + rest) == ProxyHeader(host, port, len(header))


@pytest.mark.parametrize("data", MALFORMED)
def test_what_is_no_header_is_an_error(data):
    """Also when more follows, and however it is cut: a mistake never becomes a header."""
    for end in range(1, len(data)):
        try:
            assert read_proxy_header(data[:end]) is None
        except ValueError:
            break
    for rest in (b"", b"x" * 5000):
        with pytest.raises(ValueError):
            read_proxy_header(data + rest)


@pytest.mark.parametrize(
    ("data", "most"),
    [(b"PROXY ", 107), (b"PROXY UNKNOWN ", 107), (b"PROXY TCP4 192.0.2.1 ", 107)],
)
def test_a_line_without_end_is_not_waited_for(data, most):
    """107 bytes are the longest line of version 1."""
    assert read_proxy_header(data.ljust(most - 1, b"1")) is None
    with pytest.raises(ValueError):
        read_proxy_header(data.ljust(most, b"1"))


def test_a_header_that_is_too_long_is_not_waited_for():
    """Its length is known from the sixteenth byte on: 4096 bytes are taken, one more is not."""
    assert read_proxy_header(v2(PROXY, 0x11, length=4080)) is None
    with pytest.raises(ValueError):
        read_proxy_header(v2(PROXY, 0x11, length=4081))


ANYTHING = st.one_of(
    st.binary(max_size=120),
    st.binary(max_size=120).map(lambda rest: SIGNATURE + rest),
    st.binary(max_size=120).map(lambda rest: SIGNATURE + bytes([PROXY, 0x11, 0]) + rest),
    st.binary(max_size=120).map(lambda rest: b"PROXY " + rest),
    st.lists(
        st.sampled_from(
            [b"PROXY", b" ", b"TCP4", b"TCP6", b"UNKNOWN", b"1.2.3.4", b"::1", b":", b".",
             b"65535", b"65536", b"\r", b"\n", b"\r\n", b"\0", b"\xff"]
        )
    ).map(b"".join),
)  # fmt: skip


@given(ANYTHING, st.binary(max_size=40))
def test_nothing_but_a_value_error_is_raised(data, more):
    """Whatever a peer sends; and what was read stays what it is when more comes."""
    try:
        header = read_proxy_header(data)
    except ValueError:
        with pytest.raises(ValueError):
            read_proxy_header(data + more)
        return
    if header is not None:
        assert 0 < header.length <= len(data)
        assert 0 <= header.port <= 65_535
        assert header.host is None or ipaddress.ip_address(header.host)
        assert read_proxy_header(data + more) == header


@given(st.ip_addresses(), st.integers(0, 65_535), st.binary(max_size=60), st.sampled_from([1, 2]))
def test_every_address_and_port_is_read(address, port, rest, version):
    """What a proxy writes comes out, in both versions."""
    family, other = ("TCP4", "192.0.2.2") if address.version == 4 else ("TCP6", "::2")
    if version == 1:
        data = f"PROXY {family} {address} {other} {port} 80\r\n".encode()
    else:
        ports = port.to_bytes(2, "big") + b"\0\0"
        kind = 0x11 if address.version == 4 else 0x21
        data = v2(PROXY, kind, address.packed + ipaddress.ip_address(other).packed + ports)
    host = str(getattr(address, "ipv4_mapped", None) or address)
    assert read_proxy_header(data + rest) == ProxyHeader(host, port, len(data))
