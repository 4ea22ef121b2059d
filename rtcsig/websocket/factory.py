"""The Autobahn factory: one for each listener, all of one house."""

from __future__ import annotations

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime

from rtcsig.codes import CloseCode
from rtcsig.dialects import MountTable
from rtcsig.door.admission import OriginPolicy
from rtcsig.door.deadlines import Deadlines
from rtcsig.door.ledger import Ledger, Reading, Traffic
from rtcsig.door.outbox import Outbox
from rtcsig.door.proxies import Networks, TrustedProxies
from rtcsig.door.report import Reporter
from rtcsig.door.talk import Rates
from rtcsig.door.turnstile import SourceLimits, Turnstile
from rtcsig.settings import Settings
from rtcsig.websocket.beginning import beginning_of
from rtcsig.websocket.guarded import GuardedProtocol
from rtcsig.websocket.protocol import SignallingProtocol

__all__ = ["House", "SignallingFactory"]


class Pages(Protocol):
    """Web pages on the same port: their paths, who may read them in any case, and a channel."""

    @property
    def paths(self) -> Container[str | None]:
        """The paths of the pages."""

    @property
    def allowed(self) -> Networks:
        """The hosts that are let in by their address; None for a unix socket."""

    def for_one_answer(self) -> Any:
        """A protocol that answers one request."""


@dataclass
class House:
    """What all connections of one server share."""

    settings: Settings
    mounts: MountTable
    origins: OriginPolicy
    proxies: TrustedProxies
    turnstile: Turnstile
    ledger: Ledger
    reporter: Reporter
    clock: IReactorTime
    site: Pages | None = None
    random: random.Random = field(default_factory=random.Random)
    outbox: Outbox = field(default_factory=Outbox)
    connections: set[GuardedProtocol] = field(default_factory=set)
    _waiting_for_the_last: list[Deferred[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.deadlines = Deadlines(self.clock)
        self.rates = _rates(self.settings)

    def follow(
        self,
        settings: Settings,
        mounts: MountTable,
        origins: OriginPolicy,
        proxies: TrustedProxies,
        limits: SourceLimits,
    ) -> None:
        """Go on by other settings. Who is open keeps rates, sizes and session as they were."""
        self.settings = settings
        self.mounts = mounts
        self.origins = origins
        self.proxies = proxies
        self.turnstile.limits = limits
        self.rates = _rates(settings)

    def readings(self) -> Iterator[Reading]:
        """What all connections of the house have said and are sent, those who are gone too."""
        totals: dict[str, Traffic] = {}
        for dialect, traffic in self.ledger.traffic.items():
            totals.setdefault(dialect, Traffic()).add(traffic)
        for connection in self.connections:
            if connection.is_counted:
                totals.setdefault(connection.dialect, Traffic()).add(connection)
        for dialect, traffic in totals.items():
            for way in ("in", "out"):
                labels = {"dialect": dialect, "direction": way}
                yield Reading("messages", labels, getattr(traffic, f"messages_{way}"))
                yield Reading("bytes", labels, getattr(traffic, f"bytes_{way}"))

    def left(self, connection: GuardedProtocol) -> None:
        """Forget a connection that is gone."""
        self.connections.discard(connection)
        if not self.connections:
            waiting, self._waiting_for_the_last = self._waiting_for_the_last, []
            for last_left in waiting:
                last_left.callback(None)

    def empty(self) -> Deferred[None]:
        """Fires when no connection is there."""
        if not self.connections:
            return succeed(None)
        last_left: Deferred[None] = Deferred()
        self._waiting_for_the_last.append(last_left)
        return last_left

    def close_all(self, code: CloseCode, reason: str) -> None:
        """Begin the end of every connection: open ones with a close frame, others at once."""
        for connection in tuple(self.connections):
            connection.leave(code, reason)


def _rates(settings: Settings) -> Rates:
    return Rates(settings.max_message_rate, settings.max_byte_rate, settings.max_control_frame_rate)


class SignallingFactory(WebSocketServerFactory):
    """Makes the protocols of one listener.

    Autobahn copies its options onto every connection, formats them all for a debug
    line, and sets a state of forty attributes. Here all of it stands on a class made
    for the factory, as does the factory itself: a connection has what is its own.
    """

    noisy = False

    def __init__(self, house: House, listener: str) -> None:
        super().__init__(server=None, reactor=house.clock)
        self.house = house
        self.listener = listener
        self.expects_proxy_header = listener in house.settings.proxy_protocol
        self.protocol: Any = None
        self.follow()

    def follow(self) -> None:
        """Make protocols by the settings of the house as they are now."""
        shared = {
            "factory": self,
            "allowedOriginsPatterns": self.allowedOriginsPatterns,
            **beginning_of(self.house.settings),
        }
        self.protocol = type("Protocol", (SignallingProtocol,), shared)

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002 Twisted's
        """A protocol for a connection; it knows its factory by its class."""
        return self.protocol()
