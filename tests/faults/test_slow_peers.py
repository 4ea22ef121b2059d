"""Peers that do not ask, do not read, do not answer, or are not there any more."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from tests.faults.pongs import LatePongs
from tests.faults.trial import TIMES, Trial
from tests.support.control import Control
from tests.support.peer import CLOSE, PONG, TEXT, Peer, frame, request
from tests.support.server import wait_until

KIB = 1024
MIB = 1024 * KIB
NO_RATES = ("--max-byte-rate=0", "--max-message-rate=0")
NO_LIMIT = "--max-backlog-bytes=1073741824"
FLOOD_MESSAGES = 1000
NOT_FOUND = "peer-not-found"
CROWD = 3000


def slow_peer(run: Trial, name: str) -> Peer:
    """A peer with a small receive buffer that will not read."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
    small.connect(("127.0.0.1", run.server.port))
    peer = run.keep(Peer.over(small))
    assert peer.upgrade(f"/{name}")[0] == 101
    return peer


def large_message(run: Trial, name: str) -> bytes:
    """A frame with a large message to this peer."""
    fill = b"a" * run.random.randrange(30 * KIB, 60 * KIB)
    return frame(TEXT, b'{"id":"%b","fill":"%b"}' % (name.encode(), fill))


def flood(run: Trial, slow: Peer, name: str, times: int) -> bool:
    """Send to the slow peer, which goes on sending; whether it was there until the end.

    After each message the sender sends one to itself: this comes back at once.
    """
    message = large_message(run, name)
    with run.connected(f"/flooder-{name}") as flooder:
        own = {"id": f"flooder-{name}", "type": "own"}
        for _ in range(times):
            flooder.socket.sendall(message)
            flooder.send(own)
            with suppress(ConnectionError):
                slow.send({"id": name, "type": "own"})
            if flooder.receive().get("code") == NOT_FOUND:
                assert flooder.receive() == own
                return False
        flooder.close()
    return True


def drip(run: Trial, peers: list[Peer]) -> None:
    """Send some of them a byte each, again and again, until the server has ended them all."""
    drops = {peer: iter(request("/drops", f"X-Long: {'a' * 10_000}")) for peer in peers}

    def all_are_ended() -> bool:
        for peer in run.random.sample(list(drops), len(drops)):
            try:
                peer.socket.sendall(bytes([next(drops[peer])]))
            except (BrokenPipeError, ConnectionResetError):
                del drops[peer]
        return not drops

    wait_until(all_are_ended, what="the server has enough")


def test_a_request_that_does_not_come(trial):
    """408 when --open-timeout-s is over, whatever drips in meanwhile."""
    how = "20 peers that send nothing, 20 a part of a request, 20 a byte every 10 ms"
    with trial("11", how, "--open-timeout-s=2") as run:
        with run.fault():
            silent = [run.connected() for _ in run.repeat()]
            unfinished = [run.connected() for _ in run.repeat()]
            for peer in unfinished:
                said = request("/unfinished")
                peer.socket.sendall(said[: run.random.randrange(1, len(said) - 1)])
            drip(run, [run.connected() for _ in run.repeat()])
            for peer in (*silent, *unfinished):
                assert peer.http_answer()[0] == 408
                assert peer.wait_for_end() == "eof"
                peer.socket.close()
            for peer in run.peers:
                peer.socket.close()
        assert run.count("refusals", status="408") == run.repetitions
        run.seen = "408 for each, nothing half open left"


def test_a_queue_in_bytes(trial):
    """Beyond --max-backlog-bytes the peer is ended, long before its time is over."""
    flags = (*NO_RATES, "--slow-reader-timeout-s=3600", "--close-timeout-s=1")
    with trial("13.1", "small SO_RCVBUF, no recv; messages of up to 60 KiB to it", *flags) as run:
        resident_bytes = run.server.resident_bytes()
        with run.fault():
            for repetition in run.repeat():
                name = f"slow-{repetition}"
                slow = slow_peer(run, name)
                assert not flood(run, slow, name, FLOOD_MESSAGES)
                slow.reset()
        assert run.count("timeouts", reason="slow-reader") == run.repetitions
        assert run.count("closes", code="1013") == run.repetitions
        grown_bytes = run.server.resident_bytes() - resident_bytes
        assert grown_bytes < 16 * MIB
        run.seen = f"1013 for each; the server grew by {grown_bytes / MIB:.1f} MiB in all"


def test_a_queue_in_time(trial):
    """After --slow-reader-timeout-s the peer is ended, however much may be queued."""
    flags = (*NO_RATES, NO_LIMIT, "--slow-reader-timeout-s=1", "--close-timeout-s=1")
    with trial("13.2", "the same, with no bound in bytes", *flags) as run:
        with run.fault():
            for repetition in run.repeat():
                name = f"slow-{repetition}"
                slow = slow_peer(run, name)
                flood(run, slow, name, run.random.randrange(100, 150))
            wait_until(
                lambda: run.count("timeouts", reason="slow-reader") == run.repetitions,
                what="each was found too slow",
            )
            for peer in run.peers:
                peer.socket.close()
        run.seen = "1013 for each when its time was over"


def test_a_close_that_is_not_read(trial):
    """The hard end cuts who has begun to close and does not read."""
    flags = (*NO_RATES, NO_LIMIT, "--slow-reader-timeout-s=3600", "--close-timeout-s=1")
    how = "a close frame from a slow reader with messages queued, then no recv"
    with trial("14", how, *flags) as run:
        with run.fault():
            for repetition in run.repeat():
                name = f"slow-{repetition}"
                slow = slow_peer(run, name)
                flood(run, slow, name, run.random.randrange(100, 150))
                slow.send_frame(CLOSE, (1000).to_bytes(2, "big"))
                wait_until(lambda: not run.reaches(name), what="its id is free")  # noqa: B023 called at once
            wait_until(
                lambda: run.count("timeouts", reason="close") == run.repetitions,
                what="each was cut",
            )
            for peer in run.peers:
                peer.socket.close()
        run.seen = "the id free at once, the connection cut when --close-timeout-s was over"


def test_a_peer_that_is_gone(trial):
    """No pong in time: the connection is ended."""
    flags = ("--ping-interval-s=1", "--pong-timeout-s=4")
    how = f"{TIMES} peers in a process that is stopped by SIGSTOP, and {TIMES} that do nothing"
    with trial("15.1", how, *flags) as run:
        victims = Control(run.server.port, TIMES // 2, address="127.0.0.2", name="victim-")
        with run.fault(), victims:
            run.repetitions = 2 * TIMES
            for number in range(TIMES):
                run.connected(f"/silent-{number}")
            os.kill(victims.pid, signal.SIGSTOP)
            try:
                wait_until(
                    lambda: run.count("timeouts", reason="pong") == 2 * TIMES,
                    what="each is found gone",
                )
                assert not run.reaches("victim-0")
            finally:
                os.kill(victims.pid, signal.SIGCONT)
            wait_until(lambda: victims.lost_connections == TIMES, what="each has seen it")
            for peer in run.peers:
                peer.socket.close()
        run.seen = "each ended and counted; their ids are free"


def test_a_peer_that_does_not_answer(trial):
    """Sending is no sign that what we write arrives: without a pong in time it is ended."""
    flags = ("--ping-interval-s=1", "--pong-timeout-s=4")
    with trial("15.2", "messages and pongs that nobody asked for, no recv", *flags) as run:
        with run.fault():
            deaf = {run.connected(f"/deaf-{number}"): number for number in run.repeat()}

            def all_are_ended() -> bool:
                for peer in run.random.sample(list(deaf), min(5, len(deaf))):
                    try:
                        peer.send_frame(PONG, b"unasked")
                        peer.send({"id": "nobody", "type": "offer"})
                    except (BrokenPipeError, ConnectionResetError):
                        del deaf[peer]
                return not deaf

            wait_until(all_are_ended, what="the server has enough")
            for peer in run.peers:
                peer.socket.close()
        assert run.count("timeouts", reason="pong") == run.repetitions
        run.seen = "each ended and counted"


def test_pongs_that_come_late(trial):
    """A pong in time is in time, however many come together."""
    flags = ("--ping-interval-s=4", "--pong-timeout-s=20")
    how = f"{CROWD:,} peers with the same interval, pongs up to 4 s after the pings"
    with trial("27", how, *flags) as run:
        with run.fault(), LatePongs(run.server.port, CROWD, 4.0, run.random) as crowd:
            run.repetitions = CROWD
            crowd.run(pongs=3 * CROWD)
            assert crowd.ended == 0
            assert not run.count("timeouts")
        run.seen = f"{crowd.pongs:,} pongs, no false timeout"
