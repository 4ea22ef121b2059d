"""A small parent that keeps the listening sockets, and a server running on them.

The parent serves nobody, so little can happen to it. It runs the server as a child
process that has the sockets too: while there is no child, or one that hangs,
newcomers wait in the kernel's queue, and none is refused. The child tells how it is
as it would tell systemd; what it tells is passed on to the parent's own manager, if
there is one.

When the parent is gone the child sees the end of its standard input, and ends.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from rtcsig.ops.child import Child
from rtcsig.ops.inheritance import VARIABLE, Inheritance
from rtcsig.ops.notify import Notifier
from rtcsig.ops.restarts import Restarts

__all__ = ["Supervisor"]

_START_S = 30.0
# A server says how long its end may take; it has so long to say it, and so long beyond it.
_GRACE_S = 15.0
_USEC_PER_S = 1_000_000
_PASSED_ON = ("READY", "STATUS", "RELOADING", "MONOTONIC_USEC", "STOPPING", "EXTEND_TIMEOUT_USEC")
_OF_THE_MANAGER = (
    *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    *("LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"),
)


class Supervisor(Service):
    """Runs ``command`` on the sockets of ``listeners``, again and again, until it is stopped.

    ``inheritance`` says what the server has to know of them.

    ``gave_up`` is called with a status when the very first one ends before it serves:
    then it is the settings or the machine, and trying again would hide it. ``write``
    takes what the server writes.
    """

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        environment: Mapping[str, str],
        listeners: Any,
        inheritance: Inheritance,
        *,
        watchdog_s: float,
        max_restart_pause_s: float,
        write: Callable[[bytes], None],
        gave_up: Callable[[int], None],
        notifier: Notifier,
        own_watchdog_s: float | None = None,
    ) -> None:
        self.log = Logger("rtcsig.supervisor")
        self._reactor = reactor
        self._command = command
        self._environment = {
            name: value for name, value in environment.items() if name not in _OF_THE_MANAGER
        }
        self._listeners = listeners
        self._inheritance = inheritance
        self._watchdog_s = watchdog_s
        self._write = write
        self._gave_up = gave_up
        self._notifier = notifier
        self._own_watchdog_s = own_watchdog_s
        self._restarts = Restarts(max_restart_pause_s)
        self._child: Child | None = None
        self._next: IDelayedCall | None = None
        self._own_sign: IDelayedCall | None = None
        self._last: IDelayedCall | None = None
        self._all_over: Deferred[None] | None = None
        self._was_ready = self._child_serves = self._reload_waits = False
        self._end_signal = signal.SIGTERM

    # -- start -----------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen, and accept nobody. Raises ``CannotStart``."""
        super().privilegedStartService()
        self._listeners.open(
            lambda _: _NobodyServed(), lambda listener: listener.port.pauseProducing()
        )

    def startService(self) -> None:
        """Start the first server."""
        super().startService()
        self._folder = Path(tempfile.mkdtemp(prefix="rtcsig-"))
        if self._own_watchdog_s is not None:
            self._give_own_sign(self._own_watchdog_s / 2)
        self._run()

    def _run(self) -> None:
        self._next = None
        sockets = [port.fileno() for port in self._listeners.ports()]
        inheritance = replace(self._inheritance, restarts=self._restarts.count)
        child = self._child = Child(
            self._reactor,
            self._folder,
            start_s=_START_S,
            watchdog_s=self._watchdog_s,
            told=self._told,
            wrote=self._write,
            hangs=self._hangs,
            ended=self._ended,
        )
        child.run(self._command, {**self._environment, VARIABLE: inheritance.text()}, sockets)
        self.log.info(
            "server started: pid={pid} restarts={restarts}",
            pid=child.pid,
            restarts=self._restarts.count,
        )

    def _give_own_sign(self, every_s: float) -> None:
        self._notifier.send("WATCHDOG=1")
        self._own_sign = self._reactor.callLater(every_s, self._give_own_sign, every_s)

    # -- what the server does ------------------------------------------------------

    def _told(self, told: dict[str, str]) -> None:
        if "READY" in told and self._child is not None and not self._child_serves:
            self._was_ready = self._child_serves = True
            self.log.info("server serves: pid={pid}", pid=self._child.pid)
            if self._reload_waits:
                self._reload_waits = False
                self._child.signal(signal.SIGHUP)
        if self._all_over is not None and told.get("EXTEND_TIMEOUT_USEC", "").isdecimal():
            self._cut_in(int(told["EXTEND_TIMEOUT_USEC"]) / _USEC_PER_S + _GRACE_S)
        passed_on = [f"{name}={told[name]}" for name in _PASSED_ON if name in told]
        if passed_on:
            self._notifier.send(*passed_on)

    def _hangs(self, for_s: float) -> None:
        pid = self._child.pid if self._child is not None else None
        self.log.error(
            "server hangs, and is killed: pid={pid} silent_s={for_s:g}", pid=pid, for_s=for_s
        )

    def _ended(self, how: str, status: int | None) -> None:
        child, self._child = self._child, None
        self._child_serves = False
        if self._all_over is not None:
            self.log.info("server ended: {how}", how=how)
            self._all_over.callback(None)
            return
        if not self._was_ready and status is not None:
            self.log.critical("server did not start: {how}", how=how)
            self._gave_up(status or 1)
            return
        ran_s = self._reactor.seconds() - (child.started_s if child is not None else 0)
        pause_s = self._restarts.pause_s(ran_s)
        self.log.error(
            "server ended: {how} after_s={ran_s:.1f}; the next one starts in {pause_s:g} s, "
            "and newcomers wait",
            how=how,
            ran_s=ran_s,
            pause_s=pause_s,
        )
        self._notifier.send(f"STATUS=the server ended ({how}), the next one starts")
        self._next = self._reactor.callLater(pause_s, self._run)

    # -- signals and stop -------------------------------------------------------------

    def pass_on(self, number: signal.Signals) -> None:
        """Let the server have a signal; there may be none to have it."""
        if self._child is not None:
            self._child.signal(number)

    def reload(self) -> None:
        """Let the server read its settings anew; one that starts would die of the signal."""
        if self._child_serves:
            self.pass_on(signal.SIGHUP)
        else:
            self._reload_waits = True

    def end(self, number: signal.Signals) -> None:
        """End the process, and the server by this signal; again for a server that ends already."""
        if self._all_over is not None:
            self.pass_on(number)
        else:
            self._end_signal = number
            with suppress(ReactorNotRunning):
                self._reactor.stop()

    def stopService(self) -> Deferred[None]:
        """End the server, and wait for it; kill it when it takes too long."""
        super().stopService()
        for call in (self._next, self._own_sign):
            if call is not None and call.active():
                call.cancel()
        if self._child is None:
            return succeed(None).addCallback(self._finish)
        self._all_over = Deferred()
        self._cut_in(_GRACE_S)
        self.pass_on(self._end_signal)
        return self._all_over.addCallback(self._finish)

    def _cut_in(self, seconds: float) -> None:
        if self._last is not None and self._last.active():
            self._last.cancel()
        self._last = self._reactor.callLater(seconds, self._cut)

    def _cut(self) -> None:
        self.log.error("server does not end, and is killed")
        self.pass_on(signal.SIGKILL)

    def _finish(self, _: None) -> Deferred[Any]:
        if self._last is not None and self._last.active():
            self._last.cancel()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._notifier.close()
        closed: Deferred[Any] = self._listeners.close()
        return closed


class _NobodyServed(Factory):
    """What a port needs to have; it accepts nobody."""

    noisy = False
