"""The address of the client behind a proxy: by a request header or a PROXY header."""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import TEXT, frame, request

PROXY = IPv4Address("TCP", "10.0.0.1", 50_000)
STRANGER = IPv4Address("TCP", "198.51.100.66", 50_000)
UNIX = UNIXAddress(None)
V1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 80\r\n"
V2 = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24" + b"\x20\x01\x0d\xb8".ljust(32, b"\0") + b"\x12\x67\0\x50"
)
UNKNOWN = b"PROXY UNKNOWN\r\n"


@pytest.fixture
def sessions():
    """The sessions that were made."""
    return []


@pytest.fixture
def house(sessions):
    """Make a house that trusts the proxies of 10.0.0.0/8, with settings."""

    def make(**settings):
        settings = {"trusted_proxy": ("10.0.0.0/8",)} | settings
        return house_of(SteadyClock(), recording_dialect(sessions), **settings)

    return make


def connected(house, address=PROXY):
    """A peer that has been accepted."""
    peer = MemoryPeer(house)
    peer.transport.peerAddr = address
    peer.connect()
    return peer


def status_of(house, address, *lines):
    """What a request with these lines is answered."""
    return connected(house, address).upgrade("/x", *lines)[0]


class TestRequestHeader:
    """``X-Forwarded-For`` or ``Forwarded``."""

    @pytest.mark.parametrize(
        ("peer", "line", "address"),
        [
            (PROXY, "X-Forwarded-For: 203.0.113.9", "203.0.113.9"),
            (PROXY, "X-Forwarded-For: 203.0.113.9:4711", "203.0.113.9"),
            (PROXY, "X-Forwarded-For: 198.51.100.66, 203.0.113.9", "203.0.113.9"),
            (PROXY, "x-forwarded-for: 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            (PROXY, "X-Forwarded-For: 2001:DB8::1", "[2001:db8::1]"),
            (PROXY, "X-Forwarded-For: unknown", "10.0.0.1:50000"),
            (PROXY, "X-Forwarded-For: 10.0.0.1", "10.0.0.1:50000"),
            (PROXY, "X-Forwarded-For: 10.0.0.7", "10.0.0.7"),
            (PROXY, "X-Forwarded-For:", "10.0.0.1:50000"),
            (PROXY, "X-Other: 203.0.113.9", "10.0.0.1:50000"),
            (PROXY, "Forwarded: for=203.0.113.9", "10.0.0.1:50000"),
            (STRANGER, "X-Forwarded-For: 203.0.113.9", "198.51.100.66:50000"),
            (STRANGER, "X-Forwarded-For: 10.0.0.7", "198.51.100.66:50000"),
            (IPv6Address("TCP", "::ffff:10.0.0.1", 1), "X-Forwarded-For: 203.0.113.9",
             "203.0.113.9"),
            (UNIX, "X-Forwarded-For: 203.0.113.9", "unix"),
        ],
    )  # fmt: skip
    def test_is_believed_from_trusted_proxies_only(self, house, sessions, peer, line, address):
        """The session sees the client's address, without a port that nobody knows."""
        assert status_of(house(), peer, line) == 101
        assert sessions[0].link.address == address

    def test_forwarded_when_that_was_chosen(self, house, sessions):
        """Then the other one is a client's word like any other."""
        house = house(proxy_header="forwarded")
        lines = ["X-Forwarded-For: 198.51.100.66", 'Forwarded: for="[2001:db8::1]:80";proto=http']
        assert status_of(house, PROXY, *lines) == 101
        assert sessions[0].link.address == "[2001:db8::1]"

    def test_a_unix_socket_is_trusted_when_that_was_said(self, house, sessions):
        """A proxy on the same machine brings clients with addresses."""
        house = house(trusted_proxy=("unix",), max_connections_per_address=1)
        line = "X-Forwarded-For: 203.0.113.9"
        assert [status_of(house, UNIX, line) for _ in range(2)] == [101, 429]
        assert sessions[0].link.address == "203.0.113.9"
        assert status_of(house, UNIX) == 101

    def test_several_lines_are_one_list(self, house, sessions):
        """The proxy's is the last, however the client's was written."""
        lines = [f"X-Forwarded-For: {host}" for host in ("198.51.100.66", "203.0.113.9, 10.0.0.7")]
        assert status_of(house(), PROXY, *lines) == 101
        assert sessions[0].link.address == "203.0.113.9"

    @pytest.mark.parametrize("end", ["\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
    def test_a_line_within_a_line_says_nothing(self, house, sessions, end):
        """A client puts no line behind its proxy's, whatever Unicode takes for a line's end."""
        lines = ["X-Forwarded-For: 203.0.113.9", f"X-Mine: a{end}X-Forwarded-For: 198.51.100.66"]
        peer = connected(house())
        if peer.upgrade("/x", *lines)[0] == 101:
            assert sessions[0].link.address == "203.0.113.9"

    def test_limits_are_the_clients(self, house):
        """One client behind the proxy reaches its own limit, not the others', nor the proxy's."""
        house = house(max_connections_per_address=2)
        statuses = [
            status_of(house, PROXY, f"X-Forwarded-For: 203.0.113.{n}") for n in (9, 9, 9, 7, 7, 7)
        ]
        assert statuses == [101, 101, 429, 101, 101, 429]
        assert [status_of(house, PROXY) for _ in range(4)] == [101] * 4

    def test_a_client_gets_no_limit_of_its_own_by_spoofing(self, house):
        """A direct client's words change nothing, and behind a proxy only its own are spoofed."""
        house = house(max_connections_per_address=1)
        spoofed = [f"X-Forwarded-For: 203.0.113.{n}" for n in range(3)]
        assert [status_of(house, STRANGER, line) for line in spoofed] == [101, 429, 429]
        behind = [f"{line}, 203.0.113.9" for line in spoofed]
        assert [status_of(house, PROXY, line) for line in behind] == [101, 429, 429]

    def test_a_half_open_client_is_counted_while_its_request_is_read(self, house):
        """A connection of a proxy belongs to nobody until it says whose it is."""
        house = house(max_half_open_per_address=1)
        peers = [connected(house) for _ in range(3)]
        lines = ["X-Forwarded-For: 203.0.113.9"]
        assert [peer.upgrade("/x", *lines)[0] for peer in peers] == [101] * 3

    def test_a_proxy_that_is_not_named_is_told(self, house, logged):
        """In the log, with the remedy: else all its clients are one address."""
        status_of(house(), STRANGER, "X-Forwarded-For: 203.0.113.9")
        (line,) = logged.lines("forwarding not believed")
        assert line["fields"]["remedy"] == "--trusted-proxy"
        assert line["fields"]["address"] == "198.51.100.66:50000"


class TestProxyHeader:
    """The PROXY protocol, on a listener that expects it."""

    @pytest.fixture
    def house(self, house):
        """A house whose listener expects PROXY headers."""

        def make(**settings):
            return house(proxy_protocol=("memory",), **settings)

        return make

    HEADERS = pytest.mark.parametrize(
        ("header", "address"),
        [(V1, "203.0.113.9:4711"), (V2, "[2001:db8::]:4711"), (UNKNOWN, "10.0.0.1:50000")],
    )

    @HEADERS
    @pytest.mark.parametrize("cut", ["none", "behind the header", "everywhere", "in the header"])
    def test_comes_before_the_request(self, house, sessions, header, address, cut):
        """However the bytes are cut; frames behind the request are read as well."""
        data = header + request("/x") + frame(TEXT, b"early")
        cuts = {
            "none": [],
            "behind the header": [len(header)],
            "everywhere": range(1, len(data)),
            "in the header": [7],
        }[cut]
        peer = connected(house())
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            peer.protocol.dataReceived(data[start:end])
        assert peer.http_answer()[0] == 101
        assert sessions[0].link.address == address
        assert sessions[0].calls[-1] == ("received", b"early")

    @pytest.mark.parametrize(
        "data",
        [
            request("/x"),
            b"PROXY TCP4 evil 10.0.0.1 4711 80\r\n" + request("/x"),
            b"PROXY " + b"x" * 200,
            V2[:12] + b"\x21\x21\xff\xff",
            b"\x16\x03\x01",
        ],
    )
    def test_what_is_none_is_400(self, house, sessions, data, logged):
        """With a sentence of ours; what comes after is thrown away."""
        house = house()
        peer = connected(house)
        peer.protocol.dataReceived(data)
        peer.protocol.dataReceived(V1 + request("/x"))
        status, _, body = peer.http_answer()
        assert (status, body) == (400, "this port needs a PROXY header\n")
        assert peer.transport.ends == ["half"]
        assert sessions == []
        assert len(logged.lines("request refused")) == 1
        peer.lost()
        assert house.turnstile.connections == 0

    @pytest.mark.parametrize("address", [STRANGER, UNIX])
    def test_of_a_peer_that_is_no_proxy_is_403(self, house, address, sessions):
        """Who is not named may not say whose connection it is: nothing is read."""
        house = house()
        peer = connected(house, address)
        peer.protocol.dataReceived(V1 + request("/x"))
        assert peer.http_answer()[0] == 403
        assert sessions == []
        peer.lost()
        assert house.turnstile.connections == 0

    def test_over_a_unix_socket(self, house, sessions):
        """When that is trusted."""
        peer = connected(house(trusted_proxy=("unix",)), UNIX)
        peer.protocol.dataReceived(V1 + request("/x"))
        assert peer.http_answer()[0] == 101
        assert sessions[0].link.address == "203.0.113.9:4711"

    def test_limits_are_the_clients(self, house):
        """429 as soon as the header is read; the proxy's own checks have no limit."""
        house = house(max_connections_per_address=1)
        statuses = []
        for header in (V1, V1, V2, UNKNOWN, UNKNOWN):
            peer = connected(house)
            peer.protocol.dataReceived(header + request("/x"))
            statuses.append(peer.http_answer()[0])
        assert statuses == [101, 429, 101, 101, 101]

    def test_the_clients_request_header_is_not_believed(self, house, sessions):
        """The PROXY header has said whose connection it is."""
        peer = connected(house())
        peer.protocol.dataReceived(V1 + request("/x", "X-Forwarded-For: 198.51.100.66"))
        assert peer.http_answer()[0] == 101
        assert sessions[0].link.address == "203.0.113.9:4711"

    @pytest.mark.parametrize("header", [UNKNOWN, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
    def test_one_that_names_nobody_leaves_nothing_to_the_client(self, house, sessions, header):
        """The proxy speaks for itself: it said nothing of what the request says."""
        peer = connected(house())
        peer.protocol.dataReceived(header + request("/x", "X-Forwarded-For: 198.51.100.66"))
        assert peer.http_answer()[0] == 101
        assert sessions[0].link.address == "10.0.0.1:50000"

    def test_a_proxy_behind_a_proxy_is_believed(self, house, sessions):
        """When the PROXY header names one that is trusted, its request header counts."""
        peer = connected(house())
        header = V1.replace(b"203.0.113.9", b"10.0.0.7")
        peer.protocol.dataReceived(header + request("/x", "X-Forwarded-For: 203.0.113.9"))
        assert peer.http_answer()[0] == 101
        assert sessions[0].link.address == "203.0.113.9"

    def test_a_header_that_does_not_come_is_408(self, house):
        """The deadline for the request counts for it, too."""
        house = house()
        peer = connected(house)
        peer.protocol.dataReceived(V1[:10])
        house.clock.advance(5)
        assert peer.http_answer()[0] == 408


def test_where_no_proxy_header_is_expected_it_is_no_request(house, sessions):
    """A listener that was not told to expect it takes no address from anybody."""
    peer = connected(house(proxy_protocol=("another",)))
    peer.protocol.dataReceived(V1 + request("/x"))
    assert peer.http_answer()[0] == 400
    assert sessions == []


def test_a_request_that_is_no_upgrade_is_its_clients_too(house, logged):
    """The line and the limits have the client's address, whoever refuses it."""
    crowded = house(max_connection_rate_per_address=1)
    answers = []
    for _ in range(7):
        peer = connected(crowded)
        lines = "GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
        peer.protocol.dataReceived(lines.encode())
        answers.append(peer.http_answer()[0])
        peer.lost()
    assert answers == [426] * 5 + [429] * 2
    lines = logged.lines("request refused")
    assert lines
    assert {line["fields"]["address"] for line in lines} == {"203.0.113.9"}


def test_a_header_behind_a_proxy_header_is_the_clients_own(house, logged):
    """It is passed over, and nobody is advised to trust the client."""
    port = house(listen=("memory",), proxy_protocol=("memory",))
    peer = connected(port)
    peer.protocol.dataReceived(V1 + request("/x", "X-Forwarded-For: 127.0.0.1"))
    assert peer.http_answer()[0] == 101
    assert not logged.lines("forwarding not believed")
    assert peer.protocol.address == "203.0.113.9:4711"
