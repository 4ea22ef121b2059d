"""Everything at once, again and again: nothing may grow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tests.faults.trial import Trial
from tests.support.peer import CLOSE, PING, TEXT, Peer, frame, request

PER_ROUND = 100
MAX_GROWTH_BYTES = 16 << 20


def _comes_and_goes(run: Trial, peer: Peer) -> None:
    peer.upgrade(f"/peer-{run.random.randrange(50)}")
    peer.send({"id": f"peer-{run.random.randrange(50)}", "type": "offer"})
    peer.send_frame(CLOSE, b"\x03\xe8")


def _resets(run: Trial, peer: Peer) -> None:
    peer.socket.sendall(request("/peer")[: run.random.randrange(1, 100)])
    peer.reset()


def _asks_for_nonsense(run: Trial, peer: Peer) -> None:
    peer.socket.sendall(run.random.randbytes(100) + b"\r\n\r\n")


def _breaks_the_protocol(run: Trial, peer: Peer) -> None:
    peer.upgrade(f"/peer-{run.random.randrange(50)}")
    peer.socket.sendall(run.random.randbytes(run.random.randrange(1, 500)))


def _sends_too_much(run: Trial, peer: Peer) -> None:
    peer.upgrade(f"/peer-{run.random.randrange(50)}")
    peer.socket.sendall(frame(TEXT, b"a" * 65_537))


def _floods(run: Trial, peer: Peer) -> None:
    peer.upgrade(f"/peer-{run.random.randrange(50)}")
    peer.socket.sendall(frame(PING) * 1000)


def _says_nothing(run: Trial, peer: Peer) -> None:
    """Wait for the deadline."""


ACTS: tuple[Callable[[Trial, Peer], None], ...] = (
    _comes_and_goes, _resets, _asks_for_nonsense, _breaks_the_protocol, _sends_too_much,
    _floods, _says_nothing,
)  # fmt: skip


def act(run: Trial) -> None:
    """Let one peer do something from a random address; half of them do not close."""
    peer = run.connected(address=f"127.0.6.{run.random.randrange(1, 20)}")
    with suppress(ConnectionError, EOFError):
        run.random.choice(ACTS)(run, peer)
    if run.random.random() < 0.5:
        peer.socket.close()


def test_a_churn(trial):
    """Descriptors, connections and objects come back, and the memory stops growing."""
    flags = ("--open-timeout-s=1", "--close-timeout-s=1")
    how = f"rounds of {PER_ROUND} connections, each with a random one of {len(ACTS)} behaviours"
    with trial("35", how, *flags) as run:
        with run.fault():
            for _ in run.repeat():
                for _ in range(PER_ROUND):
                    act(run)
                for peer in run.peers:
                    peer.socket.close()
                run.settle()
                if run.repetitions == 1:
                    resident_bytes = run.server.resident_bytes()
        grown_bytes = run.server.resident_bytes() - resident_bytes
        assert grown_bytes < MAX_GROWTH_BYTES
        assert not run.count("callback_failures")
        grown = f"{grown_bytes / (1 << 20):.1f} MiB"
        run.seen = f"after each round all given back; the server grew by {grown} after the first"
