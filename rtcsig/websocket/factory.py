"""The Autobahn factory: one for each listener, all of one house."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from rtcsig.codes import CloseCode
from rtcsig.dialects import MountTable
from rtcsig.door.admission import OriginPolicy
from rtcsig.door.ledger import Ledger
from rtcsig.door.proxies import TrustedProxies
from rtcsig.door.report import Reporter
from rtcsig.door.talk import Rates
from rtcsig.door.turnstile import Turnstile
from rtcsig.settings import Settings
from rtcsig.websocket.extensions import accept_first_offer
from rtcsig.websocket.guarded import GuardedProtocol
from rtcsig.websocket.protocol import SignallingProtocol

__all__ = ["House", "SignallingFactory"]


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
    random: random.Random = field(default_factory=random.Random)
    connections: set[GuardedProtocol] = field(default_factory=set)
    _waiting_for_the_last: list[Deferred[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.settings
        self.rates = Rates(
            settings.max_message_rate, settings.max_byte_rate, settings.max_control_frame_rate
        )

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


class SignallingFactory(WebSocketServerFactory):
    """Makes the protocols of one listener.

    Autobahn copies its options from the factory onto every connection and
    formats them all for a debug line; here they are attributes of a class made
    for the factory, and nothing is copied.
    """

    noisy = False

    def __init__(self, house: House, listener: str) -> None:
        super().__init__(server=None, reactor=house.clock)
        self.house = house
        self.listener = listener
        self.expects_proxy_header = listener in house.settings.proxy_protocol
        options = self._protocol_options()
        self.protocol: Any = type("Protocol", (SignallingProtocol,), options)

    def _protocol_options(self) -> dict[str, Any]:
        """Autobahn's options. Its timers are off: ours do not round and can be cancelled."""
        settings = self.house.settings
        return {
            "CONFIG_ATTRS": (),
            "logOctets": False,
            "logFrames": False,
            "trackTimings": False,
            "versions": (13,),
            "webStatus": False,
            "utf8validateIncoming": True,
            "requireMaskedClientFrames": True,
            "maskServerFrames": False,
            "applyMask": True,
            "maxFramePayloadSize": settings.max_message_bytes,
            "maxMessagePayloadSize": settings.max_message_bytes,
            "autoFragmentSize": 0,
            "failByDrop": False,
            "echoCloseCodeReason": False,
            "openHandshakeTimeout": 0,
            "closeHandshakeTimeout": 0,
            "autoPingInterval": 0,
            "autoPingTimeout": 0,
            "autoPingSize": 12,
            "autoPingRestartOnAnyTraffic": False,
            "perMessageCompressionAccept": staticmethod(accept_first_offer),
            "serveFlashSocketPolicy": False,
            "flashSocketPolicy": "",
            # Origins are checked by OriginPolicy, which answers 403.
            "allowedOriginsPatterns": self.allowedOriginsPatterns,
            "maxConnections": 0,
            "trustXForwardedFor": 0,
        }
