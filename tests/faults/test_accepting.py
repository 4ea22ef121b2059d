"""What the kernel answers to accept(2) instead of a connection."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.strace import injected
from tests.faults.trial import PATCHES, Trial
from tests.support.peer import Peer
from tests.support.server import wait_until

NEWCOMERS = 50
GONE = (
    "ECONNABORTED", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENONET",
    "ENOPROTOOPT", "EOPNOTSUPP", "EPERM", "EPROTO",
)  # fmt: skip
NO_RESOURCES = ("ENFILE", "ENOMEM", "ENOBUFS")
RESETS = 50
SOON = 20  # messages of the control clients: the reactor has turned many times meanwhile


@contextmanager
def few_descriptors(run: Trial) -> Iterator[None]:
    """Leave the server only some descriptors, fewer than ``NEWCOMERS``."""
    pid = run.server.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = run.server.descriptors() + run.random.randrange(1, 10)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def assert_served(newcomers: list[Peer]) -> None:
    """Each of them gets its WebSocket; then they go."""
    for number, newcomer in enumerate(newcomers):
        assert newcomer.upgrade(f"/new-{number}")[0] == 101
    for newcomer in newcomers:
        newcomer.close()


def run_out(run: Trial) -> None:
    """Let newcomers wait while there is no descriptor; all are served later."""
    with few_descriptors(run):
        newcomers = [run.connected() for _ in range(NEWCOMERS)]
        run.control.wait_for(SOON)
    assert_served(newcomers)


def test_no_descriptor_is_left(trial):
    """Those who wait are served when there are some again."""
    with trial("1", f"RLIMIT_NOFILE set below what {NEWCOMERS} newcomers need") as run:
        with run.fault():
            for repetition in run.repeat():
                run_out(run)
                assert run.count("accept_pauses", reason="EMFILE") > repetition
        pauses = run.count("accept_pauses", reason="EMFILE")
        run.seen = f"listener paused {pauses} times; all newcomers were served in the end"


def test_the_reserved_descriptor_is_gone(trial):
    """The same without Twisted's reservation, which is there again afterwards."""
    patch = [PATCHES / "reservation_stolen.py"]
    how = "`tcp._reservedFD` closed in the process, then as 1"
    with trial("2", how, patch=patch) as run:
        with run.fault():
            for _ in run.repeat():
                # That it can be taken again shows that it was there again.
                run.provoke(signal.SIGRTMIN, "the reserved descriptor is gone")
                run_out(run)
        pauses = run.count("accept_pauses", reason="EMFILE")
        run.seen = f"listener paused {pauses} times, spun never; the reservation was made anew"


@pytest.mark.needs("strace")
def test_the_machine_has_no_resources(trial):
    """The listener pauses, says what to do, and goes on by itself."""
    how = "strace: accept4 fails with one of them until the listener has paused"
    with trial("3", how) as run:
        with run.fault():
            for _ in run.repeat():
                error = run.random.choice(NO_RESOURCES)
                paused = run.count("accept_pauses", reason=error)
                with injected(run.server.pid, "accept4", f"error={error}"):
                    newcomers = [run.connected() for _ in range(run.random.randrange(1, 10))]
                    wait_until(
                        lambda: run.count("accept_pauses", reason=error) > paused,  # noqa: B023 called at once
                        what="the listener pauses",
                    )
                assert_served(newcomers)
        run.seen = f"listener paused {run.count('accept_pauses')} times; all newcomers were served"
        run.server.wait_for("remedy=")


@pytest.mark.needs("strace")
def test_errors_of_the_network(trial):
    """They concern nobody: the next connection is accepted at once."""
    how = "strace: accept4 fails with one of ten errors, one to five times"
    with trial("4", how) as run:
        with run.fault():
            for repetition in run.repeat():
                error = GONE[repetition % len(GONE)]
                times = run.random.randrange(1, 6)
                with injected(run.server.pid, "accept4", f"error={error}:when=1..{times}"):
                    assert_served([run.connected() for _ in range(run.random.randrange(1, 10))])
        errors = run.count("accept_errors")
        run.seen = f"{errors} errors counted, no pause, no connection lost"
        assert errors >= run.repetitions
        assert run.count("accept_pauses") == 0


def test_resets_before_accept(trial):
    """Clients that are gone when they are accepted leave nothing behind."""
    how = f"server stopped by SIGSTOP, {RESETS} connects, each with SO_LINGER 0 and closed"
    with trial("5", how) as run:
        with run.fault():
            for _ in run.repeat():
                with run.server.frozen():
                    for _ in range(run.random.randrange(1, 2 * RESETS)):
                        run.connected().reset()
                assert_served([run.connected()])
        assert "#warn" not in run.server.log
        run.seen = "no line above the level info; the next client served each time"
