"""The service: what starts and stops, and in which order."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from rtcsig.codes import CloseCode
from rtcsig.dialects import DIALECTS, Mount, MountTable
from rtcsig.door.address import address_text
from rtcsig.door.admission import OriginPolicy
from rtcsig.door.descriptors import MAX_BEYOND, capacity, raise_descriptor_limit
from rtcsig.door.gate import AcceptGate
from rtcsig.door.ledger import Ledger
from rtcsig.door.listeners import endpoint_of
from rtcsig.door.poller import Poller
from rtcsig.door.proxies import TrustedProxies
from rtcsig.door.report import Reporter
from rtcsig.door.transport import served_by
from rtcsig.door.turnstile import SourceLimits, Turnstile
from rtcsig.hub import Hub
from rtcsig.ops.pulse import Pulse
from rtcsig.settings import SettingError, Settings
from rtcsig.websocket.factory import House, SignallingFactory

__all__ = ["CannotStart", "SignallingService"]

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class CannotStart(Exception):
    """The server cannot listen; its text is one line that says where and why."""


class SignallingService(Service):
    """A signalling server as a Twisted service.

    Raises ``SettingError`` when made from settings that cannot be used, and
    ``CannotStart`` from ``privilegedStartService`` when a port is taken.
    """

    def __init__(self, settings: Settings, reactor: Any) -> None:
        # Not a class attribute: there, Twisted would name it after the class.
        self.log = Logger("rtcsig")
        self.settings = settings
        self.reactor = reactor
        ledger = Ledger()
        self.house = house = House(
            settings=settings,
            mounts=MountTable(_mounts(settings, Hub())),
            origins=_origins(settings),
            proxies=_proxies(settings),
            turnstile=Turnstile(settings.max_connections, _source_limits(settings)),
            ledger=ledger,
            reporter=Reporter(self.log, reactor, ledger),
            clock=reactor,
        )
        self._pulse = Pulse(ledger, house.turnstile, house.reporter, reactor, settings.max_lag_s)
        self._endpoints = [
            (description, _endpoint(reactor, description, settings.backlog))
            for description in settings.listen
        ]
        self.ports: list[IListeningPort] = []
        self.gates: list[AcceptGate] = []

    def privilegedStartService(self) -> None:
        """Listen, while the process may still have the right to do so."""
        super().privilegedStartService()
        self._make_room()
        self._poller = Poller(self.reactor, self.house.outbox)
        self._poller.start()
        for description, endpoint in self._endpoints:
            self._listen(description, endpoint)

    def startService(self) -> None:
        """Begin to watch the process itself."""
        super().startService()
        self._pulse.start()

    def stopService(self) -> Deferred[None]:
        """Stop listening, close every connection with 1001, and wait for their end.

        The wait has an end itself: each connection is cut when
        ``close_timeout_s`` is over.
        """
        super().stopService()
        self._pulse.stop()
        for gate in self.gates:
            gate.stop()
        ports, self.ports = self.ports, []
        stopped = DeferredList([maybeDeferred(port.stopListening) for port in ports])
        self.house.close_all(CloseCode.GOING_AWAY, "the server stops")
        return stopped.addCallback(lambda _: self.house.empty()).addCallback(self._finish)

    def _make_room(self) -> None:
        """Find out how many connections there is room for: descriptors are what runs out."""
        limit = raise_descriptor_limit()
        try:
            most = capacity(limit, self.settings.max_connections)
        except ValueError as error:
            raise CannotStart(f"max_connections: {error}") from None
        self.house.turnstile.max_connections = self.house.ledger.max_connections = most

    def _has_room(self) -> bool:
        """Whether one more can be held, if only to be told that the server is full."""
        house = self.house
        return house.ledger.connections < house.turnstile.max_connections + MAX_BEYOND

    def _listen(self, description: str, endpoint: IStreamServerEndpoint) -> None:
        failures: list[Failure] = []
        factory = SignallingFactory(self.house, description)
        listening = endpoint.listen(factory)
        listening.addCallback(self._listens, description)
        if listening.called:
            listening.addErrback(failures.append)
        if failures:
            raise CannotStart(f"cannot listen on {description}: {_why(failures[0])}")
        # Nearly every endpoint answers at once; one that does not can only log.
        listening.addErrback(
            lambda failure: self.log.failure(
                "cannot listen on {listener}", failure, listener=description
            )
        )

    def _listens(self, port: IListeningPort, description: str) -> None:
        self.ports.append(port)
        if isinstance(port, Port):
            house = self.house
            port.transport = served_by(self._poller, port.transport)  # type: ignore[assignment]
            books = (house.ledger, house.reporter)
            gate = AcceptGate(port, description, *books, house.clock, has_room=self._has_room)
            self.gates.append(gate)
        self.log.info(
            "rtcsig listens on {listener}: {address}",
            listener=description,
            address=address_text(port.getHost()),
        )

    def _finish(self, result: object) -> None:  # noqa: ARG002 a callback's signature
        self._poller.stop()
        self.house.reporter.flush()
        self.log.info("rtcsig stopped: every connection has ended")


def stop_on_signals(reactor: Any) -> None:
    """Make SIGTERM and SIGINT a clean end with status 0.

    The reactor's own handlers stop it as well, but remember the signal, and
    ``twistd`` then dies of it: a supervisor would take that for a crash. They
    are set when the reactor starts, so ours are set now, and again after it;
    a signal that comes in between is made forgotten. One that comes when all
    is done changes nothing: the interpreter would else take its handler away
    before it ends, and die of it.
    """

    def install() -> None:
        for number in _ENDING_SIGNALS:
            signal.signal(number, lambda *_: reactor.callFromThread(_stop, reactor))

    def forget() -> None:
        reactor._exitSignal = None
        for number in _ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    install()
    reactor.callWhenRunning(install)
    reactor.addSystemEventTrigger("after", "shutdown", forget)


def _stop(reactor: Any) -> None:
    """Stop the reactor, if it does not stop already."""
    with suppress(ReactorNotRunning):
        reactor.stop()


def _mounts(settings: Settings, hub: Hub) -> list[Mount]:
    mounts = []
    for path, name in settings.mount:
        dialect = DIALECTS.get(name)
        if dialect is None:
            known = ", ".join(sorted(DIALECTS))
            raise SettingError(f"mount: there is no dialect {name!r}; there are {known}")
        mounts.append(Mount(path, dialect, hub.namespace(path)))
    return mounts


def _origins(settings: Settings) -> OriginPolicy:
    absent_is_allowed = settings.absent_origin == "allow"
    try:
        return OriginPolicy(settings.allow_origin, absent_is_allowed=absent_is_allowed)
    except ValueError as error:
        raise SettingError(f"allow_origin: {error}") from None


def _proxies(settings: Settings) -> TrustedProxies:
    try:
        return TrustedProxies(settings.trusted_proxy)
    except ValueError as error:
        raise SettingError(f"trusted_proxy: {error}") from None


def _source_limits(settings: Settings) -> SourceLimits:
    return SourceLimits(
        settings.max_connections_per_address,
        settings.max_half_open_per_address,
        settings.max_connection_rate_per_address,
    )


def _endpoint(reactor: Any, description: str, backlog: int) -> IStreamServerEndpoint:
    try:
        return endpoint_of(reactor, description, backlog)
    except ValueError as error:
        raise SettingError(f"listen: {description!r}: {error}") from None


def _why(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, CannotListenError):
        # With a lock file it is a text.
        return str(getattr(error.socketError, "strerror", None) or error.socketError)
    return failure.getErrorMessage()
