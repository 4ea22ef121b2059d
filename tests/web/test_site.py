"""Web pages on the port of the WebSockets: a request that is no upgrade, to the last byte."""

from __future__ import annotations

import json

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from rtcsig.door.life import State
from rtcsig.door.proxies import Networks, TrustedProxies
from rtcsig.web.access import Access
from rtcsig.web.admin import AdminSite, Views
from tests.support.memory import MemoryPeer, house_of, request

GET = "GET {} HTTP/1.1\r\nHost: localhost\r\n"


class Scene:
    """A house with pages, whose answers the test decides about."""

    def __init__(self, **settings) -> None:
        self.clock = Clock()
        self.house = house_of(self.clock, **settings)
        self.divisor = 1
        self.faults: list[str] = []
        self.reasons: list[str] = []
        near = Networks(["192.0.2.1"])  # where memory's peers come from
        self.access = Access(near, TrustedProxies([]), "x-forwarded-for", "secret")
        views = Views(
            faults=lambda: self.faults,
            reasons=lambda: self.reasons,
            facts=self.facts,
            metrics=lambda accept: (f"accept {accept}\n".encode(), "text/plain"),
            mounts=lambda: [("/", "datachannel")],
            machine="machine",
            is_apart=False,
            access=lambda: self.access,
        )
        self.house.site = AdminSite(views, self.clock)

    def facts(self) -> dict[str, int]:
        """One figure, or a fault."""
        return {"open": 7 // self.divisor}

    def peer(self) -> MemoryPeer:
        """A connection that has asked for nothing yet."""
        peer = MemoryPeer(self.house)
        peer.connect()
        return peer

    def ask(self, path: str, *lines: str) -> tuple[int, str, str]:
        """The answer to a request, which is the end of its connection."""
        peer = self.peer()
        peer.protocol.dataReceived(head_of(path, *lines))
        answer = peer.http_answer()
        assert peer.transport.ends == ["half"]
        peer.lost()
        return answer


def head_of(path: str, *lines: str) -> bytes:
    """A request for a page."""
    return (GET.format(path) + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()


@pytest.fixture
def scene() -> Scene:
    """A server that is well."""
    return Scene()


def test_health(scene):
    """200 for a server that works, 503 with what is broken for one that does not."""
    status, _, body = scene.ask("/healthz")
    assert (status, json.loads(body)) == (200, {"healthy": True, "faults": []})
    scene.faults = ["gaga"]
    status, _, body = scene.ask("/healthz")
    assert (status, json.loads(body)) == (503, {"healthy": False, "faults": ["gaga"]})


def test_readiness(scene):
    """200, or 503 with the reasons; beside them some figures."""
    status, _, body = scene.ask("/readyz?gaga")
    assert (status, json.loads(body)) == (200, {"ready": True, "reasons": [], "open": 7})
    scene.reasons = ["full"]
    status, _, body = scene.ask("/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, ["full"])


def test_metrics(scene):
    """In the format that is asked for."""
    assert scene.ask("/metrics", "Accept: this")[2] == "accept this\n"


def test_the_page(scene):
    """For people; it may run nothing but its own code."""
    status, head, body = scene.ask("/")
    assert (status, "<title>rtcsig</title>" in body) == (200, True)
    assert "Content-Security-Policy: default-src 'none'" in head


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics"])
def test_no_page_is_kept(scene, path):
    """By anybody on the way, and each answer ends its connection."""
    head = scene.ask(path)[1]
    assert "Cache-Control: no-store" in head
    assert "Connection: close" in head


def test_the_head_alone(scene):
    """Has the length that the body would have."""
    peer = scene.peer()
    peer.protocol.dataReceived(head_of("/healthz").replace(b"GET", b"HEAD"))
    status, head, body = peer.http_answer()
    assert (status, body) == (200, "")
    assert "Content-Length: 32" in head


def test_byte_by_byte(scene):
    """A request may come in pieces."""
    peer = scene.peer()
    for byte in head_of("/healthz"):
        assert not peer.transport.ends
        peer.protocol.dataReceived(bytes([byte]))
    assert peer.http_answer()[0] == 200


def test_one_request_is_all(scene):
    """What comes behind it is not looked at, an upgrade neither."""
    peer = scene.peer()
    peer.protocol.dataReceived(head_of("/healthz") + head_of("/metrics") + request("/a"))
    assert peer.http_answer()[2].count("healthy") == 1
    peer.protocol.dataReceived(request("/a"))
    assert not peer.transport.value()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head_of("/else"), 426),
        (head_of("/healthz/"), 426),
        (head_of("/healthz").replace(b"GET", b"POST"), 405),
        (head_of("/healthz", "Content-Length: 1"), 426),
        (head_of("/healthz", "Transfer-Encoding: chunked"), 426),
        (head_of("/healthz", "Upgrade: websocket"), 400),
    ],
)
def test_what_is_no_request_for_a_page(scene, data, status):
    """Is refused as it would be without them."""
    peer = scene.peer()
    peer.protocol.dataReceived(data)
    assert peer.http_answer()[0] == status


def test_an_upgrade_to_something_else_is_passed_over(scene):
    """As RFC 9110, 7.8 has it: curl asks for HTTP/2 like that."""
    assert scene.ask("/healthz", "Connection: Upgrade", "Upgrade: h2c")[0] == 200


def test_without_pages_nothing_is_different(scene):
    """They may have ports of their own."""
    scene.house.site = None
    peer = scene.peer()
    peer.protocol.dataReceived(head_of("/healthz"))
    assert peer.http_answer()[0] == 426


def test_one_who_may_not_read(scene):
    """Gets 403 and what would change that; with the token he may."""
    scene.access = Access(Networks([]), TrustedProxies([]), "x-forwarded-for", "secret")
    for path in ("/", "/healthz", "/readyz", "/metrics"):
        status, _, body = scene.ask(path)
        assert (status, "--admin-allow" in body) == (403, True)
        assert scene.ask(path, "Authorization: Bearer secret")[0] == 200


def test_the_connection_is_counted_as_what_it_is(scene):
    """In one state, and nowhere when it is gone; its place is given back."""
    peer = scene.peer()
    scene.house.site.for_one_answer = Silent
    peer.protocol.dataReceived(head_of("/healthz"))
    assert scene.house.ledger.states[State.HTTP] == 1
    assert scene.house.ledger.connections == scene.house.turnstile.connections == 1
    peer.lost()
    assert scene.house.ledger.connections == scene.house.turnstile.connections == 0


class Silent:
    """A channel that answers nothing."""

    def makeConnection(self, transport):
        pass

    def dataReceived(self, data):
        pass

    def connectionLost(self, reason):
        pass


def test_who_does_not_take_the_answer_is_cut(scene):
    """When the closing deadline is over."""
    peer = scene.peer()
    scene.house.site.for_one_answer = Silent
    peer.protocol.dataReceived(head_of("/healthz"))
    scene.clock.advance(4.9)
    assert not peer.transport.ends
    scene.clock.advance(0.2)
    assert peer.transport.ends == ["reset"]


def test_pages_that_fail_cost_one_connection(scene, logged):
    """With a traceback and a counter."""
    scene.house.site.for_one_answer = lambda: 1 / 0
    peer = scene.peer()
    peer.protocol.dataReceived(head_of("/healthz"))
    assert peer.transport.ends == ["reset"]
    assert scene.house.ledger.callback_failures == {("page", "ZeroDivisionError"): 1}
    assert len(logged.errors()) == 1


def test_a_page_that_fails(scene, logged):
    """Is 500, without a word of what failed."""
    scene.divisor = 0
    status, _, body = scene.ask("/readyz")
    assert status == 500
    assert "division" not in body
    assert logged.errors()


@pytest.mark.parametrize("reason", ["is_draining", "is_lagging"])
def test_one_who_is_near_may_ask_when_nobody_is_let_in(scene, reason):
    """How else would one find out? An upgrade is refused as always."""
    setattr(scene.house.turnstile, reason, True)
    assert scene.ask("/healthz")[0] == 200
    peer = scene.peer()
    assert peer.upgrade("/a")[0] == 503
    assert scene.house.turnstile.connections == 0


def test_one_from_afar_is_told_at_once(scene):
    """No request is awaited of one for whom there is no room."""
    scene.access = Access(Networks([]), TrustedProxies([]), "x-forwarded-for", "secret")
    scene.house.turnstile.is_draining = True
    peer = scene.peer()
    assert peer.http_answer()[0] == 503


def test_the_end_of_the_server_lets_an_answer_out(scene):
    """Who is being answered gets the answer."""
    peer = scene.peer()
    channel = Silent()
    channel.makeConnection = lambda transport: setattr(channel, "transport", transport)
    scene.house.site.for_one_answer = lambda: channel
    peer.protocol.dataReceived(head_of("/healthz"))
    peer.protocol.leave(1001, "the server stops")
    assert not peer.transport.ends
    channel.transport.writeSequence([b"HTTP/1.1 200 OK\r\n", b"\r\n"])
    channel.transport.loseConnection()
    assert peer.http_answer()[0] == 200


def test_a_body_is_not_read(scene):
    """On a port of the pages' own, where one may come: what is no form is no matter."""
    channel = scene.house.site.buildProtocol(None)
    transport = StringTransport()
    channel.makeConnection(transport)
    form = b"Content-Type: multipart/form-data; boundary=a\r\nContent-Length: 9\r\n\r\nno form--"
    channel.dataReceived(head_of("/healthz").replace(b"GET", b"POST")[:-2] + form)
    assert transport.value().startswith(b"HTTP/1.1 405")
