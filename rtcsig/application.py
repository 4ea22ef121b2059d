"""The services under ``twistd``: the server, or a supervisor that runs it."""

from __future__ import annotations

import codecs
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorCore
from twisted.logger import ILogObserver, Logger

from rtcsig.listening import CannotStart, Listeners
from rtcsig.ops.clock import use_monotonic_time
from rtcsig.ops.inheritance import Inheritance
from rtcsig.ops.logs import LevelledObserver
from rtcsig.ops.notify import Notifier, watchdog_s
from rtcsig.ops.orphan import SupervisorWatch
from rtcsig.ops.signals import obey
from rtcsig.ops.sink import Sink
from rtcsig.ops.supervisor import Supervisor
from rtcsig.rules import Rules
from rtcsig.server import SignallingService
from rtcsig.settings import SettingError, Settings

__all__ = ["ServerApplication", "SupervisorApplication"]

# Twisted puts an object without a descriptor in the place of sys.stderr.
_STDERR = 2
_ENDING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class _StartFailed(SystemExit, Exception):
    """Exit status 1 and no traceback: the text is in the log already.

    It is an ``Exception`` as well because those are the ones that ``twistd``
    cleans up after: it removes the pid file, and tells the process that waits
    on the terminal for its daemon, which would else wait for ever.
    """

    # That process shows a hundred characters of name and text; the reason is at their end.
    __module__ = "rtcsig"
    code = 1


class _LoggingMixin(Service):
    """Brings a log observer to ``twistd``, and makes a failed start one line."""

    log: Logger
    settings: Settings
    _sink: Sink | None
    _observer: LevelledObserver

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our log observer; ``twistd`` asks it for one."""
        super().setServiceParent(parent)
        if self._sink is not None:
            settings = self.settings
            self._observer = LevelledObserver(self._sink, settings.log_format, settings.log_level)
            parent.setComponent(ILogObserver, self._observer)

    def privilegedStartService(self) -> None:
        """Listen, or end the program with one line."""
        try:
            super().privilegedStartService()
        except CannotStart as error:
            self.log.critical("rtcsig: {error}", error=error)
            raise _StartFailed(str(error)) from None

    def startService(self) -> None:
        """Start, and log by a thread: a daemon has forked before.

        What was made until now is there for good: the garbage collector, which everybody
        waits for, need not look at it again.
        """
        gc.freeze()
        if self._sink is not None:
            self._sink.start()
        super().startService()


class ServerApplication(_LoggingMixin, SignallingService):
    """The server; ``read`` reads its settings anew, or raises ``SettingError``.

    ``mistake`` is what is wrong with them, if those of its supervisor have to do.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: IReactorCore,
        sink: Sink | None,
        read: Callable[[], Settings],
        *,
        inheritance: Inheritance | None = None,
        mistake: str | None = None,
    ) -> None:
        super().__init__(
            inheritance.with_its_listeners(settings) if inheritance else settings,
            reactor,
            notifier=Notifier(os.environ.get("NOTIFY_SOCKET")),
            watchdog_s=watchdog_s(os.environ),
            inherited=inheritance.descriptors if inheritance else (),
            restarts=inheritance.restarts if inheritance else 0,
        )
        self._read = read
        self._mistake = mistake
        self._is_supervised = inheritance is not None
        self._sink = sink
        if sink is not None:
            self.house.ledger.dropped_log_lines = sink.dropped

    def privilegedStartService(self) -> None:
        """Listen, and obey signals."""
        use_monotonic_time(self.reactor)
        super().privilegedStartService()
        drain = partial(self.end, drains=True)
        obey(
            self.reactor,
            {
                signal.SIGTERM: drain,
                signal.SIGUSR1: drain,
                signal.SIGINT: partial(self.end, drains=False),
                signal.SIGHUP: self.read_anew,
            },
        )

    def startService(self) -> None:
        """Start; a supervised server also looks whether its supervisor is still there."""
        if self._is_supervised or watchdog_s(os.environ) is not None:
            # Whoever misses its signs of life asks with SIGABRT where it hangs.
            faulthandler.enable(_STDERR)
        if self._is_supervised:
            SupervisorWatch(self.reactor, self._supervisor_is_gone).start()
        if self._mistake is not None:
            self.log.error(
                "rtcsig goes by the settings that its supervisor was started with: {mistake}",
                mistake=self._mistake,
            )
        super().startService()

    def _supervisor_is_gone(self) -> None:
        if self.running:
            self.log.critical("rtcsig ends: its supervisor is gone")
            self.end(drains=False)

    def read_anew(self) -> None:
        """Read the settings anew and go on by them; what is wrong with them changes nothing."""
        self.herald.reloading()
        try:
            kept = self.reload(self._read())
        except (SettingError, CannotStart) as error:
            outcome = f"settings are not changed: {error}"
            self.log.error("rtcsig: {outcome}", outcome=outcome)  # noqa: TRY400 the line says it all
        else:
            outcome = "settings are read anew"
            if kept:
                outcome += f"; these wait for a restart: {', '.join(kept)}"
            self.log.info("rtcsig: {outcome}", outcome=outcome)
        self.herald.reloaded(outcome)

    def _follow(self, settings: Settings, rules: Rules) -> None:
        super()._follow(settings, rules)
        if self._sink is not None:
            self._observer.level = settings.log_level


class SupervisorApplication(_LoggingMixin, Supervisor):
    """The supervisor of a server that runs with ``arguments``, which are those of this process."""

    def __init__(
        self, settings: Settings, reactor: Any, sink: Sink | None, arguments: list[str]
    ) -> None:
        self.settings = settings
        self._sink = sink
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        super().__init__(
            reactor,
            # Not from where the process happens to be (-P).
            [sys.executable, "-P", "-m", "rtcsig", "serve", *arguments],
            os.environ,
            Listeners(settings, reactor),
            Inheritance(settings),
            watchdog_s=settings.watchdog_s,
            max_restart_pause_s=settings.max_restart_pause_s,
            write=self._write_log,
            gave_up=self._end_with,
            notifier=Notifier(os.environ.get("NOTIFY_SOCKET")),
            own_watchdog_s=watchdog_s(os.environ),
        )

    def privilegedStartService(self) -> None:
        """Take the sockets, and obey signals."""
        use_monotonic_time(self._reactor)
        super().privilegedStartService()
        orders = {number: partial(self.end, number) for number in _ENDING}
        obey(self._reactor, {**orders, signal.SIGHUP: self.reload})

    def _write_log(self, data: bytes) -> None:
        """Write what the server wrote, which is log lines already."""
        text = self._decode(data)
        if self._sink is not None:
            self._sink.write(text)
        else:
            self.log.info("{text}", text=text)

    def _end_with(self, status: int) -> None:
        """End the process with this status."""

        def leave() -> None:
            if self._sink is not None:
                self._sink.stop()
            os._exit(status)

        self._reactor.addSystemEventTrigger("after", "shutdown", leave)
        self._reactor.stop()
