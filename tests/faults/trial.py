"""A fault beside control clients: before it, during it, and what is left of it."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from tests.faults.report import FAULTS, Record
from tests.support.control import Control, Window
from tests.support.peer import Peer
from tests.support.server import BOOKS, Books, ServerProcess, wait_until

__all__ = ["PAIRS", "PATCHES", "SEED", "TIMES", "Trial"]

SEED = 20
TIMES = 20
PAIRS = 10
PATCHES = Path(__file__).parent / "patches"

_QUIET_MESSAGES = 400
_SPREAD_MESSAGES = 300  # over which the repetitions are spread, about
_MAX_LINES_PER_S = 5
_WINDOW_S = 10.0  # the reporter's, at whose begin all its lines may come at once
_LINE = re.compile(r"^\d{4}-\d\d-\d\dT", re.MULTILINE)


class Trial:
    """One fault at one server, with control clients beside it; a context manager.

    Entering it starts both and lets the clients exchange messages in the quiet.
    The fault happens within ``with trial.fault():``, ``trial.seen`` says what
    was seen. Leaving it waits until the server has given everything back, and
    makes the record. ``shows_bugs`` allows tracebacks in the log.
    """

    def __init__(
        self,
        number: str,
        how: str,
        *flags: str,
        patch: Sequence[Path] = (),
        listen: Sequence[str] = ("tcp:0:interface=127.0.0.1",),
        headers: Sequence[str] = (),
        shows_bugs: bool = False,
    ) -> None:
        assert number in FAULTS, number
        self.number = number
        self.how = how
        self.seen = ""
        self.repetitions = 0
        self.random = random.Random(f"{SEED} {number}")
        self.server = ServerProcess(*flags, patch=(*patch, BOOKS), listen=listen)
        self.control: Control
        self.before: Books
        self.peers: list[Peer] = []
        self.record: Record | None = None
        self._headers = headers
        self._shows_bugs = shows_bugs
        self._stack = ExitStack()

    def __enter__(self) -> Trial:
        with ExitStack() as stack:
            stack.enter_context(self.server)
            self.control = stack.enter_context(Control(self.server.port, PAIRS, *self._headers))
            self._quiet = self.control.exchange(_QUIET_MESSAGES)
            self._quiet.assert_unharmed()
            self.before = self.server.books()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.settle()
                wait_until(self._has_forgotten, what="no object is left")
                assert self.seen, "say what was seen"
                self.record = Record(
                    self.number, self.how, self.seen, self.repetitions, *self._measured
                )
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, trace)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Let the fault happen; afterwards no control client may have noticed it."""
        begin_s, cpu_s, log_length = time.monotonic(), self.server.cpu_s(), len(self.server.log)
        yield
        duration_s = time.monotonic() - begin_s
        cpu_s = self.server.cpu_s() - cpu_s
        window = self.control.window(begin_s)
        window.assert_unharmed()
        log = self.server.log[log_length:]
        lines = len(_LINE.findall(log))
        assert lines <= _MAX_LINES_PER_S * (duration_s + _WINDOW_S), f"{lines} lines\n{log}"
        assert self._shows_bugs or "Traceback" not in log, log
        self._keep(window, cpu_s / duration_s)

    def _keep(self, window: Window, cpu_share: float) -> None:
        self._measured = (
            self._quiet.p99_ms,
            window.p99_ms,
            len(window.latencies_s),
            window.missed,
            cpu_share,
        )

    def repeat(self, times: int = TIMES) -> Iterator[int]:
        """Count repetitions, with a random time between them, told in control messages."""
        for repetition in range(times):
            self.repetitions += 1
            yield repetition
            self.control.wait_for(self.random.randrange(2 * _SPREAD_MESSAGES // times + 1))

    def connected(
        self, path: str | None = None, *lines: str, address: str = "", port: int | None = None
    ) -> Peer:
        """A peer, of another address than the control clients; open, if it has a path."""
        port = self.server.port if port is None else port
        return self.keep(Peer(port, path, *lines, address=address))

    def keep(self, peer: Peer) -> Peer:
        """Close the peer at the end."""
        self.peers.append(self._stack.enter_context(peer))
        return peer

    def reaches(self, peer_id: str) -> bool:
        """Whether somebody is there under this id."""
        with Peer(self.server.port, f"/seeker-{self.random.random()}") as seeker:
            seeker.send({"id": peer_id, "type": "offer"})
            seeker.send({"id": "", "type": "last"})
            answers = [seeker.receive()["id"]]
            if answers == [peer_id]:
                answers.append(seeker.receive()["id"])
            seeker.close()
        return answers == [""]

    def provoke(self, number: signal.Signals, said: str) -> None:
        """Send the server a signal and wait until its patch has said that it has acted."""
        before = self.server.log.count(said)
        os.kill(self.server.pid, number)
        wait_until(lambda: self.server.log.count(said) > before, what=said)

    def count(self, name: str, **labels: str) -> int:
        """How much higher a number of the server's books is than before the fault."""
        now = self.server.books(objects=False).sum(name, **labels)
        return int(now - self.before.sum(name, **labels))

    def settle(self) -> None:
        """Wait until connections and descriptors are what they were before."""
        wait_until(self._is_settled, what="all is given back")

    def _is_settled(self) -> bool:
        if self.server.descriptors() != self.before.descriptors:
            return False
        books = self.server.books(objects=False)
        return self.before.connections == books.connections == books.sum("connections")

    def _has_forgotten(self) -> bool:
        """Whether no object of a connection is left but those of the control clients."""
        return self.server.books().connection_objects() == self.before.connections
