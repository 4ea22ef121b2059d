"""``twistd rtcsig``: flags, environment and file to settings, settings to the service."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.python import usage

from rtcsig.application import ServerApplication, SupervisorApplication
from rtcsig.ops.inheritance import Inheritance
from rtcsig.ops.logs import log_sink
from rtcsig.settings import CONFIG_FLAG, Setting, SettingError, Settings, declared

__all__ = ["Options", "makeService"]


def _described(setting: Setting) -> str:
    default = setting.default
    if setting.name == "mount":
        default = tuple(f"{path}={dialect}" for path, dialect in default)
    if isinstance(default, tuple):
        default = " ".join(default)
    if setting.is_switch:
        default = "yes" if default else "no"
    if default == "":
        default = "none"
    return f"{setting.help} [default: {default}]"


def _option(setting: Setting) -> Callable[..., None]:
    def option(self: Options, value: str) -> None:
        self.given.setdefault(setting.name, []).append(value)

    def flag(self: Options) -> None:
        option(self, "yes")

    chosen: Callable[..., None] = flag if setting.is_switch else option
    chosen.__doc__ = _described(setting)
    return chosen


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
        self.arguments: list[str] = []
        self.mistake: str | None = None
        self.settings: Settings | None = None

    def opt_config(self, path: str) -> None:
        """A TOML file with settings."""
        self[CONFIG_FLAG] = path

    def parseOptions(self, options: Any = None) -> None:
        """Parse; what is wrong ends the program with one line that names it."""
        self.arguments = list(options or ())
        try:
            super().parseOptions(options)
        except usage.UsageError as error:
            raise SystemExit(f"rtcsig: {error}") from None

    def postOptions(self) -> None:
        """Check all settings, now that the flags are known."""
        try:
            self.settings = self.read()
        except SettingError as error:
            inheritance = Inheritance.of(os.environ)
            if inheritance is None or not inheritance.restarts:
                raise SystemExit(f"rtcsig: {error}") from None
            # It has run with others: a file that is broken since must not keep it from coming back.
            self.settings, self.mistake = inheritance.settings, str(error)

    def read(self) -> Settings:
        """The settings, from all their sources as they are now. Raises ``SettingError``."""
        return Settings.load(self.given, os.environ, self.get(CONFIG_FLAG))


for _setting in declared():
    setattr(Options, f"opt_{_setting.name}", _option(_setting))


def makeService(options: Options) -> Service:
    """The service that ``twistd rtcsig`` runs: the server, or its supervisor."""
    from twisted.internet import reactor  # noqa: PLC0415 importing it chooses the reactor: not before twistd has

    settings = options.settings or Settings()
    sink = log_sink(settings.log_format, options.parent or {})
    inheritance = Inheritance.of(os.environ)
    try:
        if settings.supervise and inheritance is None:
            return SupervisorApplication(settings, reactor, sink, options.arguments)
        return ServerApplication(
            settings,
            reactor,
            sink,
            options.read,
            inheritance=inheritance,
            mistake=options.mistake,
        )
    except SettingError as error:
        raise SystemExit(f"rtcsig: {error}") from None
