"""Whatever fails while a connection is set up costs that connection, and nobody else anything.

Each fault hits every third of 300 connections. The deadline for the opening
handshake is set so high that only the guard around the set-up can end them.
"""

from __future__ import annotations

import itertools
import re
import statistics
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.support.log import context, counted
from tests.support.peer import Peer
from tests.support.server import ServerProcess, wait_until

FAULTS = Path(__file__).parent / "faults"
CONNECTIONS = 300
FAILING = CONNECTIONS // 3
LONG = ("--open-timeout-s=3600", "--close-timeout-s=3600")
SET_UP_FAILED = "connection set-up failed"


class Crowd:
    """Peers that connect one after another, of which every third one's set-up fails."""

    def __init__(self, server: ServerProcess, stack: ExitStack) -> None:
        self._server = server
        self._stack = stack
        self.peers: dict[str, Peer] = {}
        self.ended_after_s: list[float] = []
        for number in range(1, CONNECTIONS + 1):
            if number % 3:
                self._join(f"peer-{number}")
            else:
                self._see_the_end()

    def _join(self, peer_id: str) -> None:
        self.peers[peer_id] = self._stack.enter_context(Peer(self._server.port, f"/{peer_id}"))

    def _see_the_end(self) -> None:
        began_s = time.perf_counter()
        # A reset can be so early that connect(2) itself reports it.
        with suppress(ConnectionResetError), Peer(self._server.port) as peer:
            peer.wait_for_end()
        self.ended_after_s.append(time.perf_counter() - began_s)

    def relay(self) -> int:
        """Each peer sends one message to the next; returns how many arrived as they should."""
        arrived = 0
        for sender, receiver in itertools.pairwise([*self.peers, next(iter(self.peers))]):
            self.peers[sender].send({"id": receiver, "type": "offer", "from": sender})
            answer = self.peers[receiver].receive()
            arrived += answer == {"id": sender, "type": "offer", "from": sender}
        return arrived

    def times(self) -> str:
        """How long it took from connecting to the end, for the connections that failed."""
        low, middle, high = (
            1000 * which(self.ended_after_s) for which in (min, statistics.median, max)
        )
        return f"min {low:.2f} ms, median {middle:.2f} ms, max {high:.2f} ms"


def log_after(fault: str, record_property) -> str:
    """Let a crowd meet the fault; returns the log of the whole life of the server."""
    with ServerProcess(*LONG, patch=FAULTS / f"{fault}.py") as server:
        base = server.descriptors()
        with ExitStack() as stack:
            crowd = Crowd(server, stack)
            assert len(crowd.ended_after_s) == FAILING
            assert crowd.relay() == CONNECTIONS - FAILING
            for peer in crowd.peers.values():
                peer.close()
        record_property("from connect to end", crowd.times())
        print(f"{fault}: {FAILING} connections failed; from connect to end: {crowd.times()}")
        wait_until(lambda: server.descriptors() == base, what="all descriptors are given back")
        assert server.stop() == 0
        return server.log


@pytest.mark.parametrize(
    ("fault", "stage", "error"),
    [
        ("getpeer_raises", "peer", "ENOTCONN"),
        ("epoll_refuses", "register", "ENOENT"),
        ("no_delay_raises", "options", "EINVAL"),
    ],
)
def test_an_error_of_the_kernel_ends_its_connection(fault, stage, error, record_property):
    """The client sees its end at once, the log accounts for it, and all others are served."""
    log = log_after(fault, record_property)
    lines = context(log, SET_UP_FAILED)
    assert counted(log, SET_UP_FAILED) == FAILING
    assert "Traceback" not in log
    for number, line in enumerate(lines, start=1):
        assert line["listener"] == "tcp:0:interface=127.0.0.1"
        assert (line["stage"], line["error"]) == (stage, error)
        assert int(line["connection"]) == 3 * number
        assert int(line["connections"]) == 2 * number
        assert 2 * number < int(line["descriptors"]) < int(line["descriptor_limit"])


@pytest.mark.parametrize(
    ("fault", "stage", "error"),
    [
        ("getpeer_has_a_bug", "peer", "AttributeError"),
        ("timer_raises", "timer", "KeyError"),
        ("protocol_cannot_be_made", "build", "ZeroDivisionError"),
    ],
)
def test_a_bug_ends_its_connection(fault, stage, error, record_property):
    """A bug met in the set-up costs that connection too; its traceback is no flood."""
    log = log_after(fault, record_property)
    lines = context(log, SET_UP_FAILED)
    assert counted(log, SET_UP_FAILED) == FAILING
    assert {line["stage"] for line in lines} == {stage}
    assert log.count("Traceback") == len(lines) < FAILING
    assert len(re.findall(rf"^\s*builtins\.{error}: ", log, re.MULTILINE)) == len(lines)


def test_a_burst_of_failing_connections_takes_no_other_with_it(connect):
    """Connections that wait in one batch to be accepted fail and succeed each for itself."""
    with ServerProcess(*LONG, patch=FAULTS / "getpeer_raises.py") as server:
        base = server.descriptors()
        with server.frozen():
            waiting = [connect(server) for _ in range(CONNECTIONS)]
        for number, peer in enumerate(waiting, start=1):
            if number % 3:
                assert peer.upgrade(f"/peer-{number}")[0] == 101
            else:
                assert peer.wait_for_end() in {"eof", "reset"}
        waiting[0].send({"id": "peer-299", "type": "offer"})
        assert waiting[298].receive() == {"id": "peer-1", "type": "offer"}
        for peer in waiting:
            peer.socket.close()
        wait_until(lambda: server.descriptors() == base, what="all descriptors are given back")
