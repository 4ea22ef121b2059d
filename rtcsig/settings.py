"""Every setting of the server, once: name, default, unit, bounds, help.

The flag ``--max-message-bytes``, the variable ``RTCSIG_MAX_MESSAGE_BYTES`` and
the key ``max_message_bytes`` in a TOML file are one setting. The flag wins over
the variable, the variable over the file, the file over the default.

Plain Python, and no I/O but reading the file.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtcsig.setting import Setting, SettingError, read_toml, split, value_of
from rtcsig.setting import setting as _setting
from rtcsig.values import (
    one_of,
    optional_text,
    path_and_dialect,
    seconds,
    switch,
    text,
    whole,
)

__all__ = ["CONFIG_FLAG", "ENVIRONMENT_PREFIX", "Setting", "SettingError", "Settings", "declared"]

ENVIRONMENT_PREFIX = "RTCSIG_"
# What Kubernetes sets in every container when a Service is called rtcsig.
_KUBERNETES = re.compile(
    r"RTCSIG_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)"
)
CONFIG_FLAG = "config"
_BURST_S = 5  # door.talk.BURST_S


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one server, checked. Make them with ``load``, or with defaults."""

    listen: tuple[str, ...] = _setting(
        ("tcp:8000:interface=127.0.0.1",),
        text,
        "ENDPOINT",
        "Where to listen, as a Twisted server endpoint description. Repeatable.",
        at_start_only=True,
    )
    mount: tuple[tuple[str, str], ...] = _setting(
        (("/", "datachannel"),),
        path_and_dialect,
        "PATH=DIALECT",
        "Which wire protocol answers under which path. Repeatable.",
    )
    backlog: int = _setting(
        1024,
        whole(1, 65_535),
        "COUNT",
        "Connections that may wait in the kernel to be accepted, per listener; "
        "an endpoint description's own backlog goes first.",
        at_start_only=True,
    )
    allow_origin: tuple[str, ...] = _setting(
        (),
        text,
        "ORIGIN",
        "A web origin whose pages may connect, e.g. https://example.org, or null. Repeatable; "
        "without any, all may.",
    )
    absent_origin: str = _setting(
        "allow",
        one_of("allow", "refuse"),
        "allow|refuse",
        "Whether a request without an Origin may connect: it comes from no browser.",
    )
    trusted_proxy: tuple[str, ...] = _setting(
        (),
        text,
        "CIDR",
        "A network whose proxies are believed when they say whose connection they bring, "
        "e.g. 10.0.0.0/8, or unix. Repeatable.",
    )
    proxy_header: str = _setting(
        "x-forwarded-for",
        one_of("x-forwarded-for", "forwarded"),
        "x-forwarded-for|forwarded",
        "The request header in which trusted proxies say it.",
    )
    proxy_protocol: tuple[str, ...] = _setting(
        (),
        text,
        "ENDPOINT",
        "One of the --listen endpoints, whose connections begin with a PROXY protocol header, "
        "version 1 or 2, and come from trusted proxies only. Not with ssl: the header would be "
        "expected inside TLS, where no proxy writes it. Repeatable.",
        at_start_only=True,
    )
    tls_client_ca: str = _setting(
        "",
        optional_text,
        "FILE",
        "Certificates in PEM; a client of an ssl: endpoint must show one that they signed.",
    )
    max_connections: int = _setting(
        0,
        whole(0, 1 << 30),
        "COUNT",
        "The most connections at once; beyond it the answer is 503. "
        "0 takes what the limit of descriptors allows.",
    )
    max_connections_per_address: int = _setting(
        1000,
        whole(0, 1 << 30),
        "COUNT",
        "The most connections at once from one IPv4 address or IPv6 /64; beyond it the answer "
        "is 429. 0 for no bound.",
    )
    max_half_open_per_address: int = _setting(
        500,
        whole(0, 1 << 30),
        "COUNT",
        "The same for connections whose WebSocket is not open yet.",
    )
    max_connection_rate_per_address: int = _setting(
        1000,
        whole(0, 1 << 30),
        "PER_SECOND",
        "New connections in a second from one address in the long run, five times as many at "
        "once; beyond it the answer is 429. 0 for no bound.",
    )
    max_lag_s: float = _setting(
        2.0,
        seconds(0, 3600),
        "SECONDS",
        "While timers are later than this, newcomers are answered 503. 0 for no bound.",
    )
    max_message_rate: int = _setting(
        10_000,
        whole(0, 1 << 30),
        "PER_SECOND",
        "Messages in a second from one peer in the long run, five times as many at once; beyond "
        "it the connection ends with 1008. Each frame of a message beyond its fourth counts as "
        "three sixteenths of one. 0 for no bound.",
    )
    max_byte_rate: int = _setting(
        1 << 24,
        whole(0, 1 << 30),
        "BYTES_PER_SECOND",
        "The same for bytes; five seconds' worth must hold the largest message.",
    )
    max_control_frame_rate: int = _setting(
        100,
        whole(0, 1 << 30),
        "PER_SECOND",
        "The same for pings and pongs.",
    )
    max_frames_per_message: int = _setting(
        128,
        whole(0, 1 << 30),
        "COUNT",
        "The most frames that a message may come in; beyond it the connection ends with 1009. "
        "0 for no bound.",
    )
    max_message_bytes: int = _setting(
        65_536,
        whole(125, 1 << 30),
        "BYTES",
        "The largest message that is taken, uncompressed; beyond it the connection ends with 1009.",
    )
    max_request_head_bytes: int = _setting(
        16_384,
        whole(1024, 1 << 20),
        "BYTES",
        "The largest HTTP request head that is taken; beyond it the answer is 431.",
    )
    open_timeout_s: float = _setting(
        5.0,
        seconds(0.1, 3600),
        "SECONDS",
        "Time from accept until the WebSocket is open; then the answer is 408.",
    )
    ping_interval_s: float = _setting(
        25.0,
        seconds(0.1, 86_400),
        "SECONDS",
        "Longest time between a peer's pong and the next ping to it.",
    )
    pong_timeout_s: float = _setting(
        10.0,
        seconds(0.1, 3600),
        "SECONDS",
        "Time for the pong; then the peer is taken for gone.",
    )
    same_id: str = _setting(
        "probe",
        one_of("replace", "reject", "probe"),
        "replace|reject|probe",
        "Who has an id that is claimed while its holder is connected: the newcomer, the holder, "
        "or the holder if it answers a ping within two seconds. Who is not let in gets 409.",
    )
    resume_grace_s: float = _setting(
        30.0,
        seconds(0, 86_400),
        "SECONDS",
        "Time that the place of a peer is kept, with messages for it, when its connection was "
        "lost without a close frame. 0 for none.",
    )
    hold_absent_s: float = _setting(
        5.0,
        seconds(0, 3600),
        "SECONDS",
        "Time that a message is held for a peer that was not there yet; then its sender is told "
        "peer-not-found. 0 tells it at once.",
    )
    max_held_messages: int = _setting(
        256,
        whole(1, 1 << 20),
        "COUNT",
        "The most messages held for one peer, and of one sender.",
    )
    max_held_bytes: int = _setting(
        1 << 19,
        whole(1024, 1 << 30),
        "BYTES",
        "The same for their bytes, each message counted as 512 more than it has. No more than "
        "may be queued for a peer, which gets them all at once.",
    )
    max_kept_bytes: int = _setting(
        1 << 26,
        whole(0, 1 << 34),
        "BYTES",
        "The most that is kept in all for peers who are not there: messages with 512 for each, "
        "512 for each peer that was lost and 1,024 for each that is written to or writes, with "
        "four for each character of its id.",
    )
    close_timeout_s: float = _setting(
        5.0,
        seconds(0.1, 3600),
        "SECONDS",
        "Time from the beginning of a connection's end until it is cut.",
    )
    max_backlog_bytes: int = _setting(
        1 << 20,
        whole(65_536, 1 << 30),
        "BYTES",
        "Bytes queued for a peer that does not read; beyond it the connection ends with 1013.",
    )
    slow_reader_timeout_s: float = _setting(
        5.0,
        seconds(0.1, 3600),
        "SECONDS",
        "Time that a peer's queue may stay full; then the connection ends with 1013.",
    )
    admin_listen: tuple[str, ...] = _setting(
        (),
        text,
        "ENDPOINT",
        "Where health, metrics and the page about the server answer, in place of the ports of "
        "--listen. Repeatable.",
        at_start_only=True,
    )
    admin_allow: tuple[str, ...] = _setting(
        ("127.0.0.0/8", "::1/128", "unix"),
        text,
        "CIDR",
        "A network from which they may be read, or unix. Repeatable.",
    )
    admin_token_file: str = _setting(
        "",
        optional_text,
        "FILE",
        "A file with a token; who shows it, as Authorization: Bearer, may read them from anywhere.",
    )
    demo: bool = _setting(
        False,
        switch,
        "yes|no",
        "Serve a page at /demo/ on which two browsers meet. Everybody may read it.",
        at_start_only=True,
    )
    drain_s: float = _setting(
        20.0,
        seconds(0, 86_400),
        "SECONDS",
        "Time over which the peers are sent away, evenly, before the server ends. 0 for at once.",
    )
    drain_code: str = _setting(
        "restart",
        one_of("restart", "going-away"),
        "restart|going-away",
        "What they are told: 1012, come back soon, or 1001.",
    )
    supervise: bool = _setting(
        False,
        switch,
        "yes|no",
        "Run the server in a process of its own, and start it again when it dies or hangs. "
        "Newcomers wait meanwhile: its parent has the listening sockets.",
        at_start_only=True,
    )
    watchdog_s: float = _setting(
        10.0,
        seconds(0.5, 3600),
        "SECONDS",
        "A supervised server that gives no sign of life for so long is killed.",
        at_start_only=True,
    )
    max_restart_pause_s: float = _setting(
        30.0,
        seconds(0, 3600),
        "SECONDS",
        "Pauses before a supervised server is started again grow up to this, until it has run "
        "for a minute.",
        at_start_only=True,
    )
    compression: str = _setting(
        "off",
        one_of("off", "deflate"),
        "off|deflate",
        "Whether permessage-deflate is agreed to. It costs tens of kilobytes per connection.",
    )
    log_format: str = _setting(
        "text",
        one_of("text", "json"),
        "text|json",
        "Log lines for people, or one JSON object each.",
        at_start_only=True,
    )
    log_level: str = _setting(
        "info",
        one_of("debug", "info", "warn", "error", "critical"),
        "LEVEL",
        "The least level that is logged: debug, info, warn, error or critical.",
    )

    log_connections: bool = _setting(
        False,
        switch,
        "yes|no",
        "Write a line for each connection that ends.",
    )
    log_peer_ids: str = _setting(
        "short",
        one_of("short", "hash", "full", "none"),
        "short|hash|full|none",
        "How peers' ids stand in the log: eight characters of them, or of their SHA-256, the "
        "whole, or nothing.",
    )

    @classmethod
    def load(
        cls, flags: Mapping[str, list[str]], environment: Mapping[str, str], config: str | None
    ) -> Settings:
        """Settings from all their sources, or ``SettingError``.

        ``flags`` has every value that was given for a name, ``environment`` is
        searched for ``RTCSIG_*``, ``config`` is the path of a TOML file. The
        variable ``RTCSIG_CONFIG`` names the file when ``config`` does not. In a
        variable, the values of a repeatable setting are separated by spaces.
        """
        variables = {
            name.removeprefix(ENVIRONMENT_PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(ENVIRONMENT_PREFIX) and not _KUBERNETES.fullmatch(name)
        }
        config_variable = variables.pop(CONFIG_FLAG, None)
        config = config or config_variable
        values: dict[str, Any] = {}
        if config:
            for name, raw in read_toml(config).items():
                source = f"{name} in {config}"
                setting = _known(name, source)
                raws = raw if setting.repeatable and isinstance(raw, list) else [raw]
                values[name] = value_of(setting, raws, source)
        for name, raw in variables.items():
            source = f"{ENVIRONMENT_PREFIX}{name.upper()}"
            setting = _known(name, source)
            values[name] = value_of(
                setting, split(raw, source) if setting.repeatable else [raw], source
            )
        for name, raws in flags.items():
            setting = _known(name, f"--{name}")
            values[name] = value_of(setting, raws, f"--{setting.flag}")
        settings = cls(**values)
        settings._check()
        return settings

    def reloaded(self, wanted: Settings) -> tuple[Settings, list[str]]:
        """These settings with all that may change from ``wanted``, and the names of the rest.

        The rest is what differs and holds from the start only.
        """
        kept = [
            setting.name
            for setting in declared()
            if setting.at_start_only
            and getattr(self, setting.name) != getattr(wanted, setting.name)
        ]
        return dataclasses.replace(wanted, **{name: getattr(self, name) for name in kept}), kept

    def _check(self) -> None:
        """What only holds between settings."""
        paths = [path.rstrip("/") or "/" for path, _ in self.mount]
        for path in paths:
            if paths.count(path) > 1:
                raise SettingError(f"mount: {path} is given twice")
        for description in self.proxy_protocol:
            if description not in self.listen:
                raise SettingError(f"proxy_protocol: {description!r} is not among the listeners")
            if description.partition(":")[0] == "ssl":
                raise SettingError(
                    f"proxy_protocol: {description!r} would expect the header inside TLS"
                )
        if self.proxy_protocol and not self.trusted_proxy:
            raise SettingError("proxy_protocol: needs a trusted_proxy, or nobody may connect")
        if 0 < self.max_byte_rate * _BURST_S < self.max_message_bytes:
            raise SettingError(
                f"max_byte_rate: {_BURST_S} seconds of {self.max_byte_rate} bytes hold no message "
                f"of max_message_bytes, {self.max_message_bytes}"
            )


def _declarations() -> dict[str, Setting]:
    return {
        field.name: Setting(
            field.name,
            field.default,
            field.metadata["help"],
            field.metadata["placeholder"],
            isinstance(field.default, tuple),
            field.metadata["parse"],
            field.metadata["at_start_only"],
        )
        for field in dataclasses.fields(Settings)
    }


_DECLARED = _declarations()


def declared() -> tuple[Setting, ...]:
    """All settings in the order of their declaration."""
    return tuple(_DECLARED.values())


def _known(name: str, source: str) -> Setting:
    setting = _DECLARED.get(name)
    if setting is None:
        raise SettingError(f"{source}: there is no such setting")
    return setting
