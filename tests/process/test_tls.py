"""Over TLS everything that is promised holds as well."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate
from tests.support.log import context, unexpected
from tests.support.peer import CLOSE, TEXT, Frame, Peer, frame
from tests.support.server import ServerProcess, wait_until

KIB = 1024
MIB = 1024 * KIB
NOT_FOUND = "peer-not-found"
# Loopback addresses of two clients.
CROWD, OTHER = "127.0.0.2", "127.0.0.3"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """A key and a certificate."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def listener(files) -> str:
    """The endpoint of a listener for TLS."""
    return f"ssl:0:interface=127.0.0.1:privateKey={files[0]}:certKey={files[1]}"


@pytest.fixture(scope="module")
def tls(files) -> ssl.SSLContext:
    """A client's context that trusts this certificate only."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(files[1])
    return client


class Served:
    """A server and its peers, who are gone before it stops."""

    def __init__(self, server: ServerProcess, tls: ssl.SSLContext, stack: ExitStack) -> None:
        self.server = server
        self._tls = tls
        self._stack = stack

    def join(self, path: str | None = None, *, address: str = "") -> Peer:
        """A peer; one without a path has asked for nothing yet."""
        peer = Peer(self.server.port, path, address=address, tls=self._tls)
        return self._stack.enter_context(peer)

    def join_slowly(self, path: str) -> Peer:
        """A peer with a small receive buffer."""
        small = self._stack.enter_context(socket.socket())
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
        small.connect(("127.0.0.1", self.server.port))
        peer = self._stack.enter_context(Peer.over(self._tls.wrap_socket(small)))
        assert peer.upgrade(path)[0] == 101
        return peer

    def knock(self, data: bytes) -> None:
        """A connection of the crowd that sends this and does nothing else."""
        address = ("127.0.0.1", self.server.port)
        knocking = socket.create_connection(address, source_address=(CROWD, 0))
        self._stack.enter_context(knocking).sendall(data)


@pytest.fixture
def serve(listener, tls) -> Callable[..., AbstractContextManager[Served]]:
    """A way to start a server that hurries nobody, as a context, with more flags."""

    @contextmanager
    def serving(*flags: str) -> Iterator[Served]:
        hurry = ("--open-timeout-s=3600", "--close-timeout-s=3600")
        with ServerProcess(*hurry, *flags, listen=(listener,)) as server, ExitStack() as stack:
            yield Served(server, tls, stack)

    return serving


def assert_they_talk(one: Peer, other: Peer, names: tuple[str, str] = ("one", "other")) -> None:
    """A message goes from each to the other."""
    for sender, receiver, name, to in ((one, other, *names), (other, one, *names[::-1])):
        sender.send({"id": to, "n": 1})
        assert receiver.receive() == {"id": name, "n": 1}


def flood(flooder: Peer, times: int) -> None:
    """Send 60 KiB to the slow peer again and again; the flooder itself is not slowed."""
    for _ in range(times):
        flooder.send({"id": "slow", "fill": "a" * 60 * KIB})
        flooder.send({"id": "flooder", "type": "own"})
        while flooder.receive().get("code") == NOT_FOUND:
            pass


def last_frame(peer: Peer) -> Frame:
    """The close frame behind everything that was queued."""
    while (received := peer.receive_frame()).opcode != CLOSE:
        pass
    return received


def test_two_peers_meet(serve):
    """Messages go both ways, also the largest, and a close is answered and ends the connection."""
    with serve() as served:
        one, other = served.join("/one"), served.join("/other")
        assert_they_talk(one, other)
        message = b'{"id":"other","fill":"%b"}'
        message %= b"a" * (64 * KIB - len(message) + 2)
        one.send(message)
        assert other.receive_raw() == message.replace(b'"other"', b'"one"', 1)
        assert one.close().close_code == 1000
        other.send({"id": "one"})
        assert other.receive()["code"] == NOT_FOUND
        assert other.close().close_code == 1000
        assert unexpected(served.server.log) == []


@pytest.mark.parametrize("offered", [["http/1.1"], ["h2", "http/1.1"]])
def test_a_client_that_offers_protocols(listener, files, offered):
    """Browsers and curl do, by ALPN: they get the one that an upgrade is made in."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(files[1])
    client.set_alpn_protocols(offered)
    with ServerProcess(listen=(listener,)) as server, Peer(server.port, "/a", tls=client) as peer:
        assert peer.socket.selected_alpn_protocol() == "http/1.1"
        peer.close()


def test_the_end_of_the_server(serve):
    """It is told with 1012."""
    with serve() as served:
        peer = served.join("/one")
        served.server.process.terminate()
        assert last_frame(peer).close_code == 1012
        peer.send_frame(CLOSE, (1001).to_bytes(2, "big"))
        assert peer.wait_for_end() == "eof"


@pytest.mark.parametrize(
    ("bound", "flags"),
    [
        ("bytes", ("--slow-reader-timeout-s=3600",)),
        ("time", ("--slow-reader-timeout-s=0.5", "--max-backlog-bytes=1073741824")),
    ],
)
def test_a_peer_that_does_not_read(serve, bound, flags):
    """It costs bounded memory and slows nobody; when it reads at last it finds 1013."""
    times = {"bytes": 1000, "time": 100}[bound]
    with serve(*flags) as served:
        server, slow, flooder = served.server, served.join_slowly("/slow"), served.join("/flooder")
        before = server.resident_bytes()
        flood(flooder, times)
        grown_bytes = server.resident_bytes() - before
        assert grown_bytes < {"bytes": 8 * MIB, "time": 16 * MIB}[bound]
        wait_until(
            lambda: [line["bound"] for line in context(server.log, "peer is too slow")] == [bound],
            what="the peer is found too slow",
        )
        flooder.send({"id": "slow"})
        assert flooder.receive()["code"] == NOT_FOUND
        assert last_frame(slow).close_code == 1013
        assert flooder.close().close_code == 1000


def test_a_peer_that_catches_up(serve):
    """Reading in time empties the queue: every message arrives, and the peer stays."""
    flags = ("--slow-reader-timeout-s=3600", "--max-backlog-bytes=1073741824")
    with serve(*flags) as served:
        slow, flooder = served.join_slowly("/slow"), served.join("/flooder")
        flood(flooder, 100)
        for _ in range(100):
            assert len(slow.receive()["fill"]) == 60 * KIB
        assert_they_talk(slow, flooder, ("slow", "flooder"))
        assert context(served.server.log, "peer is too slow") == []


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02"], ids=["silence", "half a handshake"])
def test_refused_ones_do_not_close_the_door(serve, first):
    """Many of one address, which never take their refusal, leave room for those of another."""
    flags = ("--max-connections=50", "--max-connections-per-address=10")
    with serve(*flags) as served:
        for _ in range(140):
            served.knock(first)
        peer = served.join("/one", address=OTHER)
        peer.send({"id": "one", "n": 1})
        assert peer.receive()["n"] == 1
        peer.close()


def test_a_refused_one_is_told_why(serve):
    """The answer is let out, and the connection ends."""
    with serve("--max-connections-per-address=1") as served:
        served.join("/one")
        refused = served.join()
        status, fields, _ = refused.http_answer()
        assert status == 429
        assert "retry-after" in fields
        assert refused.wait_for_end() == "eof"


@pytest.mark.parametrize("how", ["reset", "eof"])
def test_a_loss_in_the_middle_of_a_message(serve, how):
    """It costs the one who is lost; the others hear that it is gone, and talk on."""
    with serve() as served:
        one, other, lost = (served.join(path) for path in ("/one", "/other", "/lost"))
        half = frame(TEXT, json.dumps({"id": "one", "fill": "a" * 30 * KIB}).encode())
        lost.socket.sendall(half[: len(half) // 2])
        if how == "reset":
            lost.reset()
        else:
            lost.socket.close()
        assert_they_talk(one, other)
        wait_until(lambda: is_gone(one, "lost"), what="the lost peer is gone")
        assert_they_talk(one, other)
        assert unexpected(served.server.log) == []
        assert "Traceback" not in served.server.log


def is_gone(peer: Peer, name: str) -> bool:
    """Whether nobody has this id any more, by what a peer is told who sends to it."""
    peer.send({"id": name})
    peer.send({"id": "one", "type": "own"})
    answer = peer.receive()
    if answer.get("code") != NOT_FOUND:
        return False
    assert peer.receive()["type"] == "own"
    return True


def test_what_is_no_tls(serve):
    """Noise and requests without TLS cost those who send them, and leave no connection."""
    with serve() as served:
        server, one, other = served.server, served.join("/one"), served.join("/other")
        before = server.descriptors()
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" * 99, b"\x00" * 99):
            with Peer(server.port) as stranger:
                stranger.socket.sendall(noise)
                stranger.socket.shutdown(socket.SHUT_WR)
                stranger.wait_for_end()
        wait_until(lambda: server.descriptors() == before, what="they are gone")
        assert_they_talk(one, other)
        assert unexpected(server.log) == []
