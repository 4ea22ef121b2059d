"""One run of the supervised server: its process, what it tells, and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol, ProcessProtocol
from twisted.python.failure import Failure

__all__ = ["Child"]

# Time for the traceback of a process that hangs (faulthandler), before it is killed.
_TRACEBACK_S = 1.0
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Child(ProcessProtocol):
    """Runs ``command`` until it ends, which ``ended`` is told, once, with how it did.

    Its sign of life must come within ``watchdog_s``, the first one, which says
    that it serves, within ``start_s``; or else it is killed. ``told`` gets what it
    notifies, ``wrote`` its output. Its standard input is a pipe from here, so that
    it knows when its supervisor is gone.
    """

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        *,
        start_s: float,
        watchdog_s: float,
        told: Callable[[dict[str, str]], None],
        wrote: Callable[[bytes], None],
        hangs: Callable[[float], None],
        ended: Callable[[str, int | None], None],
    ) -> None:
        self._reactor = reactor
        self._path = folder / "notify"
        self._watchdog_s = watchdog_s
        self._told = told
        self._wrote = wrote
        self._hangs = hangs
        self._ended = ended
        self._silence: IDelayedCall | None = None
        self._start_s = start_s
        self.started_s = reactor.seconds()
        self.is_ready = False
        self.is_ending = False

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], sockets: Sequence[int]
    ) -> None:
        """Start it, with ``sockets`` handed down behind its standard descriptors."""
        self._path.unlink(missing_ok=True)
        self._port = self._reactor.listenUNIXDatagram(str(self._path), _Ear(self._heard))
        environment = {
            **environment,
            "NOTIFY_SOCKET": str(self._path),
            "WATCHDOG_USEC": str(int(self._watchdog_s * 1_000_000)),
        }
        handed_down = dict(enumerate(sockets, start=_STDERR + 1))
        self._reactor.spawnProcess(
            self,
            command[0],
            command,
            env=environment,
            childFDs={_STDIN: "w", _STDOUT: "r", _STDERR: "r", **handed_down},
        )
        self._await_sign(self._start_s)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.pid is not None:
            os.kill(self.pid, number)

    @property
    def pid(self) -> int | None:
        """Its process id, None once it has ended."""
        return getattr(self.transport, "pid", None)

    def outReceived(self, data: bytes) -> None:
        """Pass on what it writes."""
        self._wrote(data)

    def errReceived(self, data: bytes) -> None:
        """The same for its errors."""
        self._wrote(data)

    def processEnded(self, reason: Failure) -> None:
        """Let go of it."""
        self._stop_waiting()
        self._port.stopListening()
        self._path.unlink(missing_ok=True)
        error: Any = reason.value
        status, number = error.exitCode, error.signal
        how = f"status {status}" if number is None else f"signal {signal.Signals(number).name}"
        self._ended(how, status)

    def _heard(self, datagram: bytes) -> None:
        lines = datagram.decode("utf-8", "replace").splitlines()
        told = dict(line.split("=", 1) for line in lines if "=" in line)
        if told.get("READY") == "1":
            self.is_ready = True
        if told.get("STOPPING") == "1":
            self.is_ending = True
        if self.is_ready and ("READY" in told or "WATCHDOG" in told):
            self._await_sign(self._watchdog_s)
        self._told(told)

    def _await_sign(self, within_s: float) -> None:
        self._stop_waiting()
        self._silence = self._reactor.callLater(within_s, self._silent, within_s)

    def _stop_waiting(self) -> None:
        if self._silence is not None and self._silence.active():
            self._silence.cancel()
        self._silence = None

    def _silent(self, for_s: float) -> None:
        self._hangs(for_s)
        self.signal(signal.SIGABRT)
        self._silence = self._reactor.callLater(_TRACEBACK_S, self.signal, signal.SIGKILL)


class _Ear(DatagramProtocol):
    noisy = False

    def __init__(self, heard: Callable[[bytes], None]) -> None:
        self._heard = heard

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:  # noqa: ARG002 Twisted's
        self._heard(datagram)
