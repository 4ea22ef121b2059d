"""deploy/nginx.conf puts a real nginx before the server, and clients notice it in nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest

from tests.deploy.acts import CLIENT, assert_known_by, assert_two_talk
from tests.deploy.proxies import Nginx, free_ports, server_flags
from tests.support.certificates import make_certificate
from tests.support.peer import PING, PONG, Peer, request
from tests.support.server import ServerProcess

pytestmark = pytest.mark.needs("nginx")

FLAGS = server_flags("nginx.conf")
_TIMEOUT_S = 15.0
MADE_UP = "203.0.113.9"
PAGES = ("/", "/healthz", "/readyz", "/metrics")


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server with the flags that stand at the top of the file."""
    with ServerProcess(*FLAGS) as running:
        yield running


@pytest.fixture
def nginx(server, tmp_path) -> Iterator[Nginx]:
    """An nginx before it."""
    with Nginx(tmp_path, server.port) as running:
        yield running


def status(port: int, target: str) -> int:
    """What a GET from outside is answered with."""
    with Peer(port, address=CLIENT) as peer:
        peer.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return peer.http_answer()[0]


@pytest.mark.needs("node", "npm")
@pytest.mark.usefixtures("node_modules")
def test_two_peers_talk(nginx, tmp_path):
    """A data channel opens between two WebRTC clients that come through nginx."""
    assert_two_talk(nginx.port, tmp_path)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (f"X-Forwarded-For: {MADE_UP}",),
        (f"X-Forwarded-For: {MADE_UP}, 127.0.0.1", "X-Forwarded-For: 127.0.0.1"),
        (f"Forwarded: for={MADE_UP}",),
    ],
    ids=["plain", "made-up", "made-up-twice", "forwarded"],
)
def test_the_address_is_the_client_s(server, nginx, lines):
    """Neither the proxy's, nor one that the client says."""
    with Peer(nginx.port, "/mallory", *lines, address=CLIENT) as mallory:
        assert_known_by(server, mallory, CLIENT)
    assert MADE_UP not in server.log


def test_a_made_up_forwarded_header_reaches_nobody(tmp_path):
    """Not even a server that goes by Forwarded, of which nginx writes none."""
    with (
        ServerProcess(*FLAGS, "--proxy-header=forwarded") as server,
        Nginx(tmp_path, server.port) as nginx,
        Peer(nginx.port, "/mallory", f"Forwarded: for={MADE_UP}", address=CLIENT) as mallory,
    ):
        assert_known_by(server, mallory, "127.0.0.1")


def test_bounds_hold_for_each_client(tmp_path):
    """Who has as many connections as one may have leaves room for others."""
    with (
        ServerProcess(*FLAGS, "--max-connections-per-address=1") as server,
        Nginx(tmp_path, server.port) as nginx,
        Peer(nginx.port, "/one", address=CLIENT),
        Peer(nginx.port, address=CLIENT) as more,
        Peer(nginx.port, "/other", address="127.0.0.3"),
    ):
        answered, fields, _ = more.upgrade("/more")
        assert answered == 429
        assert int(fields["retry-after"]) > 0


@pytest.mark.parametrize(
    "target", [*PAGES, "//metrics", "/%6detrics", "/x/../metrics", "/metrics?x", "/x/.."]
)
def test_the_pages_are_not_read_from_outside(server, nginx, target):
    """However they are written; the server has them for those who ask it directly."""
    assert [status(server.port, page) for page in PAGES] == [200] * len(PAGES)
    assert status(nginx.port, target) == 404
    assert "request refused" not in server.log


def test_a_request_for_something_else(nginx):
    """The server's own answer comes through."""
    assert status(nginx.port, "/x") == 426


def test_pings_come_through(tmp_path):
    """And pongs go back: who answers stays."""
    with (
        ServerProcess(*FLAGS, "--ping-interval-s=0.1", "--pong-timeout-s=3600") as server,
        Nginx(tmp_path, server.port) as nginx,
        Peer(nginx.port, "/one") as peer,
    ):
        peer.send({"id": "one"})
        assert peer.receive() == {"id": "one"}
        pings = []
        while len(pings) < 2:
            received = peer.receive_frame()
            assert received.opcode == PING
            peer.send_frame(PONG, received.payload)
            pings.append(received.payload)
        assert len(set(pings)) == 2


def test_the_first_client_after_a_restart(tmp_path):
    """Gets through, though nginx has met nobody before."""
    (port,) = free_ports(1)
    listen = (f"tcp:{port}:interface=127.0.0.1",)
    with Nginx(tmp_path, port) as nginx:
        with ServerProcess(*FLAGS, listen=listen), Peer(nginx.port, "/one") as peer:
            peer.close()
        with Peer(nginx.port) as early:
            assert early.upgrade("/one")[0] == 502
        with ServerProcess(*FLAGS, listen=listen), Peer(nginx.port, "/one") as late:
            late.close()


def test_a_goodbye_comes_through(tmp_path):
    """When the server restarts its peers hear so, and not from nginx that something broke."""
    with (
        ServerProcess(*FLAGS) as server,
        Nginx(tmp_path, server.port) as nginx,
        Peer(nginx.port, "/one") as peer,
    ):
        server.process.terminate()
        received = peer.receive_frame()
        assert received.close_code == 1012
        assert b"retry_after_s=" in received.payload


def test_an_upgrade_is_not_tried_elsewhere(server, tmp_path):
    """One that fails at one of two servers is not repeated at the other by nginx."""
    with socket.create_server(("127.0.0.1", 0)) as broken:
        broken.settimeout(_TIMEOUT_S)
        first = f"server 127.0.0.1:{broken.getsockname()[1]};"
        more = {"server 127.0.0.1:8000;": f"{first} server 127.0.0.1:8000;"}
        with Nginx(tmp_path, server.port, more) as nginx, Peer(nginx.port) as peer:
            answered = _upgrade_at(broken, peer)
    assert answered == 502


def _upgrade_at(broken: socket.socket, peer: Peer) -> int:
    """Let a peer ask for the upgrade, and the server that it comes to hang up on it."""
    peer.socket.sendall(request("/one"))
    taken, _ = broken.accept()
    with taken:
        taken.settimeout(_TIMEOUT_S)
        taken.recv(1)
    return peer.http_answer()[0]


def test_over_tls(server, tmp_path):
    """The lines that wait in the file for a certificate are right."""
    key, certificate = make_certificate(tmp_path)
    (port,) = free_ports(1)
    more = {
        "#listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "#ssl_certificate     /etc/ssl/rtcsig/fullchain.pem;": f"ssl_certificate {certificate};",
        "#ssl_certificate_key /etc/ssl/rtcsig/privkey.pem;": f"ssl_certificate_key {key};",
    }
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.check_hostname = False
    with (
        Nginx(tmp_path, server.port, more),
        Peer(port, "/mallory", address=CLIENT, tls=trusting) as mallory,
    ):
        assert_known_by(server, mallory, CLIENT)
