"""``twistd rtcsig``: flags, environment and file to settings, settings to the service."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorCore
from twisted.logger import ILogObserver
from twisted.python import usage

from rtcsig.ops.clock import use_monotonic_time
from rtcsig.ops.logs import log_observer, log_sink
from rtcsig.ops.sink import Sink
from rtcsig.server import CannotStart, SignallingService, stop_on_signals
from rtcsig.settings import CONFIG_FLAG, Setting, SettingError, Settings, declared

__all__ = ["Options", "makeService"]


def _described(setting: Setting) -> str:
    default = setting.default
    if setting.name == "mount":
        default = tuple(f"{path}={dialect}" for path, dialect in default)
    if isinstance(default, tuple):
        default = " ".join(default) or "none"
    return f"{setting.help} [default: {default}]"


def _option(setting: Setting) -> Callable[[Options, str], None]:
    def option(self: Options, value: str) -> None:
        self.given.setdefault(setting.name, []).append(value)

    option.__doc__ = _described(setting)
    return option


class Options(usage.Options):
    """The command line. Its flags are made from the declared settings."""

    synopsis = "[options]"
    longdesc = (
        "A WebRTC signalling server. Each option can also be set in a TOML file "
        "(--config) or by a variable: --max-message-bytes is RTCSIG_MAX_MESSAGE_BYTES."
    )

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, list[str]] = {}
        self.settings: Settings | None = None

    def opt_config(self, path: str) -> None:
        """A TOML file with settings."""
        self[CONFIG_FLAG] = path

    def parseOptions(self, options: Any = None) -> None:
        """Parse; what is wrong ends the program with one line that names it."""
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"rtcsig: {error}") from None

    def postOptions(self) -> None:
        """Check all settings, now that the flags are known."""
        try:
            self.settings = Settings.load(self.given, os.environ, self.get(CONFIG_FLAG))
        except SettingError as error:
            raise SystemExit(f"rtcsig: {error}") from None


for _setting in declared():
    setattr(Options, f"opt_{_setting.name}", _option(_setting))


class _StartFailed(SystemExit, Exception):
    """Exit status 1 and no traceback: the text is in the log already.

    It is an ``Exception`` as well because those are the ones that ``twistd``
    cleans up after: it removes the pid file, and tells the process that waits
    on the terminal for its daemon, which would else wait for ever.
    """

    code = 1


class _Application(SignallingService):
    """The service under ``twistd``: it brings its log observer, and a failed start is one line."""

    def __init__(self, settings: Settings, reactor: IReactorCore, sink: Sink | None) -> None:
        super().__init__(settings, reactor)
        self._sink = sink
        if sink is not None:
            self.house.ledger.dropped_log_lines = sink.dropped

    def setServiceParent(self, parent: Any) -> None:
        """Give the application our log observer; ``twistd`` asks it for one."""
        super().setServiceParent(parent)
        if self._sink is not None:
            settings = self.settings
            observer = log_observer(self._sink, settings.log_format, settings.log_level)
            parent.setComponent(ILogObserver, observer)

    def privilegedStartService(self) -> None:
        """Listen, or end the program with one line."""
        use_monotonic_time(self.reactor)
        try:
            super().privilegedStartService()
        except CannotStart as error:
            self.log.critical("rtcsig: {error}", error=error)
            raise _StartFailed(str(error)) from None
        stop_on_signals(self.reactor)

    def startService(self) -> None:
        """Start, and log by a thread: a daemon has forked before.

        What was made until now is there for good: the garbage collector, which everybody
        waits for, need not look at it again.
        """
        gc.freeze()
        if self._sink is not None:
            self._sink.start()
        super().startService()


def makeService(options: Options) -> Service:
    """The service that ``twistd rtcsig`` runs."""
    from twisted.internet import reactor  # noqa: PLC0415 importing it chooses the reactor: not before twistd has

    settings = options.settings or Settings()
    sink = log_sink(settings.log_format, options.parent or {})
    try:
        return _Application(settings, reactor, sink)
    except SettingError as error:
        raise SystemExit(f"rtcsig: {error}") from None
