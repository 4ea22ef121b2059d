"""A supervised server dies or hangs amid its peers, and those who come wait for the next one."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack

import pytest

from tests.operations.newcomers import Newcomers
from tests.support.peer import Peer
from tests.support.supervised import SupervisedServer

CLIENTS = 200
PER_S = 20
WATCHDOG_S = 2
# Who is being served in the moment of the end shares it: at most this many, of 20 in a second.
UNLUCKY = 1


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        (signal.SIGKILL, ["server ended: signal SIGKILL"]),
        (signal.SIGSTOP, ["server hangs, and is killed", "server ended: signal SIGKILL"]),
        # The hook blocks the reactor for a minute.
        (signal.SIGUSR2, ["server hangs, and is killed", "server ended: signal SIGABRT"]),
    ],
    ids=["killed", "stopped", "blocked"],
)
def test_nobody_who_comes_is_refused(how, lines, record_property, capsys):
    """Each waits and is served; those who were there are cut; the log says what happened."""
    with SupervisedServer(f"--watchdog-s={WATCHDOG_S}") as server, ExitStack() as stack:
        child = server.child()
        clients = [stack.enter_context(Peer(server.port, f"/{n}")) for n in range(CLIENTS)]
        with Newcomers(server.port, PER_S) as newcomers:
            newcomers.wait_for(PER_S)
            before = len(newcomers.outcomes)
            os.kill(child, how)
            server.child(restarts=1)
            newcomers.wait_for(PER_S)
        for client in clients:
            assert client.wait_for_end() in {"eof", "reset"}
        for line in lines:
            server.wait_for(line)
        after = newcomers.outcomes[before:]
        unserved = [outcome for outcome in after if outcome != "served"]
        assert "served" in set(newcomers.outcomes[:before])
        assert not [each for each in unserved if not each.startswith(("ConnectionReset", "EOF"))]
        assert len(unserved) <= UNLUCKY, unserved
    longest_s = max(newcomers.waits_s)
    record_property("longest_wait_s", round(longest_s, 2))
    with capsys.disabled():
        print(
            f"\n{how.name}: {len(after)} newcomers after it, {len(unserved)} cut with the server, "
            f"the longest wait {longest_s:.2f} s"
        )


def test_ten_ends_in_a_row_are_no_storm():
    """The pauses grow to their bound, and it still comes back."""
    with SupervisedServer("--max-restart-pause-s=1") as server:
        for restarts in range(10):
            server.hurt(signal.SIGKILL, restarts)
        server.child(restarts=10)
        assert server.pauses_s() == [0, 0.25, 0.5, *[1.0] * 7]
        with Peer(server.port, "/a") as peer:
            peer.close()
