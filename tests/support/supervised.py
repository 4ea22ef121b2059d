"""A supervisor with its server."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from tests.support.server import ServerProcess, wait_until

__all__ = ["SupervisedServer"]

_HOOKS = Path(__file__).parents[1] / "process" / "faults" / "supervised"
_STARTED = re.compile(r"server started: pid=(\d+) restarts=(\d+)")
_PAUSE = re.compile(r"the next one starts in (\S+) s")


class SupervisedServer(ServerProcess):
    """``twistd -n rtcsig --supervise``; ``pid`` is the supervisor's.

    Its server can be made to hang with SIGUSR2.
    """

    def __init__(self, *flags: str, **options) -> None:
        environment = {"PYTHONPATH": str(_HOOKS), **options.pop("environment", {})}
        super().__init__("--supervise", *flags, environment=environment, **options)

    def children(self) -> list[int]:
        """The process ids of all servers so far, the first one's first."""
        return [int(pid) for pid, _ in _STARTED.findall(self.log)]

    def child(self, restarts: int = 0) -> int:
        """The process id of the server after so many restarts; waits until it serves."""
        wait_until(lambda: len(self.children()) > restarts, what="the server is started")
        pid = self.children()[restarts]
        self.wait_for(f"server serves: pid={pid}\n")
        return pid

    def pauses_s(self) -> list[float]:
        """The pauses before each restart so far."""
        return [float(pause) for pause in _PAUSE.findall(self.log)]

    def hurt(self, how: signal.Signals, restarts: int = 0) -> int:
        """Send the server a signal; returns the process id that it had."""
        pid = self.child(restarts)
        os.kill(pid, how)
        return pid
