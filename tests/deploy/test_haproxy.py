"""deploy/haproxy.cfg puts a real HAProxy before the server, which knows its clients."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.deploy.acts import CLIENT, assert_known_by, assert_two_talk
from tests.deploy.proxies import HAProxy, free_ports, server_flags
from tests.support.certificates import make_certificate
from tests.support.log import context
from tests.support.peer import Peer, request
from tests.support.server import ServerProcess

pytestmark = pytest.mark.needs("haproxy")

MADE_UP = "203.0.113.9"
HEADER_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(
    [203, 0, 113, 9, 127, 0, 0, 1, 0, 1, 0, 80]
)


@dataclass(frozen=True)
class Place:
    """Where a server listens, each time that it runs."""

    port: int
    admin_port: int

    def server(self, *flags: str) -> ServerProcess:
        """A server with the flags that stand at the top of the file."""
        listen = f"tcp:{self.port}:interface=127.0.0.1"
        ports = {"tcp:8000:": f"tcp:{self.port}:", "tcp:8001:": f"tcp:{self.admin_port}:"}
        return ServerProcess(*server_flags("haproxy.cfg", ports), *flags, listen=(listen,))


@pytest.fixture
def place() -> Place:
    """Two free ports."""
    return Place(*free_ports(2))


@pytest.fixture
def server(place) -> Iterator[ServerProcess]:
    """A server that runs during the test."""
    with place.server() as running:
        yield running


@pytest.fixture
def haproxy(place, tmp_path) -> Iterator[HAProxy]:
    """An HAProxy before it."""
    with HAProxy(tmp_path, place.port, place.admin_port) as running:
        yield running


@pytest.mark.needs("node", "npm")
@pytest.mark.usefixtures("node_modules")
def test_two_peers_talk(server, haproxy, tmp_path):
    """A data channel opens between two WebRTC clients that come through HAProxy."""
    assert_two_talk(haproxy.port, tmp_path)


@pytest.mark.parametrize(
    "lines", [(), (f"X-Forwarded-For: {MADE_UP}",)], ids=["plain", "made-up field"]
)
def test_the_address_is_the_client_s(server, haproxy, lines):
    """Neither the proxy's, nor one that the client says in its request."""
    with Peer(haproxy.port, "/mallory", *lines, address=CLIENT) as mallory:
        assert_known_by(server, mallory, CLIENT)
    assert MADE_UP not in server.log


@pytest.mark.parametrize(
    "header",
    [f"PROXY TCP4 {MADE_UP} 127.0.0.1 1 80\r\n".encode(), HEADER_V2],
    ids=["version 1", "version 2"],
)
def test_a_made_up_header(server, haproxy, header):
    """A PROXY header behind that of HAProxy is a request that makes no sense."""
    with Peer(haproxy.port, address=CLIENT) as mallory:
        mallory.socket.sendall(header + request("/mallory"))
        assert mallory.http_answer()[0] == 400
    server.wait_for("request refused")
    (line,) = context(server.log, "request refused")
    assert line["address"].partition(":")[0] == CLIENT


def test_the_pages_are_not_there(server, haproxy):
    """They have a port of their own, to which HAProxy brings nobody."""
    for page in ("/", "/healthz", "/readyz", "/metrics"):
        with Peer(haproxy.port) as peer:
            peer.socket.sendall(f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert peer.http_answer()[0] == 426


def test_a_server_that_drains(place, haproxy):
    """Is sent nobody, keeps whom it has, and is sent newcomers when it runs again."""
    with _draining(place, haproxy) as peer:
        sessions = haproxy.state()["stot"]
        with Peer(haproxy.port) as newcomer:
            newcomer.wait_for_end()
        assert haproxy.state()["stot"] == sessions
        peer.send({"id": "here"})
        assert peer.receive() == {"id": "here"}
    with place.server():
        haproxy.wait_for_check("UP", 200)
        with Peer(haproxy.port, "/newcomer") as newcomer:
            newcomer.close()


@contextmanager
def _draining(place: Place, haproxy: HAProxy) -> Iterator[Peer]:
    """The peer that is left at a server that HAProxy has seen drain."""
    # One peer is sent away after half of this: the end is the test's.
    with place.server("--drain-s=86400") as server:
        haproxy.wait_for_check("UP", 200)
        with Peer(haproxy.port, "/here") as peer:
            server.process.terminate()
            haproxy.wait_for_check("DOWN", 503)
            yield peer


def test_over_tls(server, place, tmp_path):
    """The line that waits in the file for a certificate is right."""
    key, certificate = make_certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    (port,) = free_ports(1)
    more = {
        "#bind :::443 v4v6 ssl": f"bind 127.0.0.1:{port} ssl",
        "/etc/ssl/rtcsig/both.pem": str(both),
    }
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.check_hostname = False
    with (
        HAProxy(tmp_path, place.port, place.admin_port, more),
        Peer(port, "/mallory", address=CLIENT, tls=trusting) as mallory,
    ):
        assert_known_by(server, mallory, CLIENT)
