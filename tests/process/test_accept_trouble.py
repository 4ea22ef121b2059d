"""A process that runs out of descriptors, and has some again."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import pytest

from tests.support.peer import Peer
from tests.support.server import BOOKS, ServerProcess, wait_until

NEWCOMERS = 50


def connected(port: int) -> Peer:
    """A peer whose TCP connection stands, in the kernel's queue if nowhere else."""
    return Peer.over(socket.create_connection(("127.0.0.1", port)))


@pytest.fixture
def low_soft_limit() -> Iterator[int]:
    """This process, and what it starts, may have few descriptors for now; gives the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_of_descriptors(low_soft_limit):
    """It is raised to the hard one, and says how many connections there may be."""
    with ServerProcess(patch=BOOKS) as server:
        assert resource.prlimit(server.pid, resource.RLIMIT_NOFILE) == (low_soft_limit,) * 2
        books = server.books()
        assert books.sum("descriptor_limit") == low_soft_limit
        assert books.sum("max_connections") == low_soft_limit - 128
        assert 0 < books.sum("descriptors") < 20


def test_descriptors_that_run_out(connect):
    """Those who wait are served when there are some again; those who are there notice nothing.

    Twisted's own loop would have accepted and closed all who wait.
    """
    with ServerProcess() as server:
        base = server.descriptors()
        a, b = connect(server, "/a"), connect(server, "/b")
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (base + 4, before[1]))
        newcomers = [connected(server.port) for _ in range(NEWCOMERS)]
        wait_until(lambda: server.log.count("listener pauses") >= 2, what="it pauses twice")
        for number in range(100):
            a.send({"id": "b", "n": number})
            assert b.receive() == {"id": "a", "n": number}
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
        for number, newcomer in enumerate(newcomers):
            assert newcomer.upgrade(f"/new-{number}")[0] == 101
        for peer in (*newcomers, a, b):
            peer.close()
        wait_until(lambda: server.descriptors() == base, what="the descriptors are back")
        assert "error=EMFILE" in server.log
        assert "remedy=raise the process's limit of descriptors" in server.log
        assert "Traceback" not in server.log
