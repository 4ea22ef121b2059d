"""The end with everybody there: evenly, with a code that says to come back, and in time."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import struct
import time
from contextlib import ExitStack

from rtcsig.door.descriptors import raise_descriptor_limit
from tests.support.peer import CLOSE, Peer, frame
from tests.support.server import ServerProcess

CLIENTS = 2000
DEAF = 20
DRAIN_S = 6.0
CLOSE_TIMEOUT_S = 2.0
# The largest part of all by which the arrivals may be ahead of, or behind, an even spread.
UNEVEN = 0.15


def join(server: ServerProcess, stack: ExitStack, name: str) -> Peer:
    """Somebody who is there when the end begins."""
    return stack.enter_context(Peer(server.port, f"/{name}"))


def deaf(server: ServerProcess, stack: ExitStack, name: str) -> Peer:
    """Somebody who never reads, and for whom much is queued."""
    connected = socket.socket()
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connected.connect(("127.0.0.1", server.port))
    peer = stack.enter_context(Peer.over(connected))
    assert peer.upgrade(f"/{name}")[0] == 101
    return peer


def ends(peers: list[Peer]) -> list[tuple[float, bytes]]:
    """When each was told to go, and what the close frame said; each answers it at once."""
    told = []
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer.socket, selectors.EVENT_READ, peer)
        while selector.get_map():
            for key, _ in selector.select():
                received = key.data.receive_frame()
                told.append((time.monotonic(), received.payload))
                assert received.opcode == CLOSE
                key.data.socket.sendall(frame(CLOSE, received.payload))
                selector.unregister(key.fileobj)
    return told


def test_two_thousand_are_sent_away_evenly(record_property, capsys):
    """With 1012 and a time to come back at; twenty who never read hold nobody up."""
    raise_descriptor_limit()
    with (
        ExitStack() as stack,
        ServerProcess(
            f"--drain-s={DRAIN_S}",
            f"--close-timeout-s={CLOSE_TIMEOUT_S}",
            "--slow-reader-timeout-s=3600",
            "--max-connections-per-address=0",
            "--max-connection-rate-per-address=0",
        ) as server,
    ):
        peers = [join(server, stack, f"peer-{n}") for n in range(CLIENTS - DEAF)]
        for n in range(DEAF):
            deaf(server, stack, f"deaf-{n}")
            for _ in range(8):
                peers[0].send({"id": f"deaf-{n}", "text": "x" * 60_000})
        begin_s = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        told = ends(peers)
        assert server.process.wait(DRAIN_S + CLOSE_TIMEOUT_S + 5) == 0
        took_s = time.monotonic() - begin_s
        assert "Traceback" not in server.log
    codes = {struct.unpack("!H", payload[:2])[0] for _, payload in told}
    assert codes == {1012}
    hints = {int(payload.rpartition(b"retry_after_s=")[2]) for _, payload in told}
    assert hints == set(range(1, 11))
    at = sorted((when_s - begin_s) / DRAIN_S for when_s, _ in told)
    unevenness = max(abs(place - (n + 0.5) / len(at)) for n, place in enumerate(at))
    assert unevenness < UNEVEN, unevenness
    record_property("unevenness", round(unevenness, 3))
    with capsys.disabled():
        print(
            f"\n{len(told)} peers were told within {at[-1] * DRAIN_S:.2f} of {DRAIN_S:g} s, never "
            f"more than {unevenness:.1%} of them ahead or behind; the process ended after "
            f"{took_s:.2f} s"
        )


def test_the_order_is_random():
    """Those who came first are not those who go first."""
    with ExitStack() as stack, ServerProcess("--drain-s=1") as server:
        peers = [join(server, stack, str(n)) for n in range(50)]
        os.kill(server.pid, signal.SIGTERM)
        order = []
        with selectors.DefaultSelector() as selector:
            for n, peer in enumerate(peers):
                selector.register(peer.socket, selectors.EVENT_READ, n)
            while selector.get_map():
                for key, _ in selector.select():
                    order.append(key.data)
                    peers[key.data].send_frame(CLOSE, b"\x03\xf4")
                    selector.unregister(key.fileobj)
    assert sorted(order) == list(range(50))
    assert order != sorted(order)


def test_who_comes_meanwhile_is_told_when_to_come_back():
    """By 503, as are those whose request was not complete; readiness says why."""
    with (
        ServerProcess("--drain-s=3600") as server,
        Peer(server.port, "/a") as peer,
        Peer(server.port) as half_open,
    ):
        half_open.socket.sendall(b"GET /half HTTP/1.1\r\n")
        Peer(server.port, "/later").close()
        os.kill(server.pid, signal.SIGTERM)
        status, fields, _ = half_open.http_answer()
        assert (status, 1 <= int(fields["retry-after"]) <= 10) == (503, True)
        with Peer(server.port) as newcomer:
            status, fields, _ = newcomer.upgrade("/b")
            assert (status, 1 <= int(fields["retry-after"]) <= 10) == (503, True)
        with Peer(server.port) as probe:
            probe.socket.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            status, _, body = probe.http_answer()
            assert (status, '"reasons": ["draining"]' in body) == (503, True)
        with Peer(server.port) as probe:
            probe.socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert probe.http_answer()[0] == 200
        peer.send({"id": "a", "n": 1})
        assert peer.receive() == {"id": "a", "n": 1}
        peer.close()
        # The last one left by itself: there is nobody to wait for.
        assert server.process.wait(15) == 0


def test_the_code_for_a_server_that_does_not_come_back():
    """Is 1001, when the settings say so."""
    with (
        ServerProcess("--drain-s=0.1", "--drain-code=going-away") as server,
        Peer(server.port, "/a") as peer,
    ):
        os.kill(server.pid, signal.SIGUSR1)
        assert peer.receive_frame().close_code == 1001
