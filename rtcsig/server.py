"""The service: what starts and stops, and in which order, and what changes while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.tcp import Port
from twisted.logger import Logger

from rtcsig.codes import CloseCode
from rtcsig.door.deadlines import Deadlines
from rtcsig.door.descriptors import MAX_BEYOND, capacity, raise_descriptor_limit
from rtcsig.door.gate import AcceptGate
from rtcsig.door.ledger import Ledger
from rtcsig.door.life import State
from rtcsig.door.poller import Poller
from rtcsig.door.report import Reporter
from rtcsig.door.transport import served_by
from rtcsig.door.turnstile import Turnstile
from rtcsig.hub import Hub
from rtcsig.listening import CannotStart, Listener, Listeners
from rtcsig.ops.drain import Drain
from rtcsig.ops.notify import Herald, Notifier
from rtcsig.ops.pulse import Pulse
from rtcsig.rules import Rules, rules_of
from rtcsig.settings import Settings
from rtcsig.vitals import Vitals
from rtcsig.web.admin import AdminSite
from rtcsig.web.demo import demo_pages
from rtcsig.web.site import PageSite
from rtcsig.websocket.factory import House, SignallingFactory
from rtcsig.websocket.guarded import GuardedProtocol

__all__ = ["SignallingService"]

_DRAIN_CODES = {"restart": CloseCode.SERVICE_RESTART, "going-away": CloseCode.GOING_AWAY}
# Health checks and scrapes at once on ports that are for them only.
_MAX_ADMIN_CONNECTIONS = 32
# What the end may take beyond the drain and the closing of connections.
_RESERVE_S = 5.0


class SignallingService(Service):
    """A signalling server as a Twisted service.

    ``notifier`` is who hears how it is, ``watchdog_s`` how often he wants to;
    ``inherited`` are the listening sockets of a supervisor, which has started the
    server ``restarts`` times before.

    Raises ``SettingError`` when made from settings that cannot be used, and
    ``CannotStart`` from ``privilegedStartService`` when a port is taken.
    """

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        *,
        notifier: Notifier | None = None,
        watchdog_s: float | None = None,
        inherited: Sequence[int] = (),
        restarts: int = 0,
    ) -> None:
        # Not a class attribute: there, Twisted would name it after the class.
        self.log = Logger("rtcsig")
        self.settings = settings
        self.reactor = reactor
        self._hub = Hub(timers=Deadlines(reactor))
        self._rules = rules = rules_of(settings, self._hub)
        self._hub.keeping.terms = rules.terms
        self._listeners = Listeners(settings, reactor, inherited)
        self._factories: list[SignallingFactory] = []
        self._drain: Drain | None = None
        self._drains = False
        ledger = Ledger()
        self.house = house = House(
            settings=settings,
            mounts=rules.mounts,
            origins=rules.origins,
            proxies=rules.proxies,
            turnstile=Turnstile(settings.max_connections, rules.limits),
            ledger=ledger,
            reporter=Reporter(self.log, reactor, ledger),
            clock=reactor,
        )
        self.vitals = Vitals(house, self._hub, self._listeners, reactor, restarts=restarts)
        views = self.vitals.views(lambda: self._rules.access)
        demo = demo_pages() if settings.demo else {}
        if settings.admin_listen:
            self._site = AdminSite(views, reactor)
            house.site = PageSite(demo, reactor) if demo else None
        else:
            self._site = house.site = AdminSite(views, reactor, demo)
        self._pulse = Pulse(ledger, house.turnstile, house.reporter, reactor, settings.max_lag_s)
        self.herald = Herald(
            notifier or Notifier(None),
            reactor,
            watchdog_s,
            faults=self.vitals.health.faults,
            status=self.vitals.status,
            withheld=lambda faults: house.reporter.state(
                "sign of life withheld", {"faults": "; ".join(faults)}
            ),
        )

    @property
    def ports(self) -> list[Any]:
        """The ports that listen, in the order of the settings."""
        return self._listeners.ports()

    @property
    def gates(self) -> list[AcceptGate]:
        """The accept gates of those that have one."""
        return self._listeners.gates

    # -- start -------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen, while the process may still have the right to do so."""
        super().privilegedStartService()
        self._make_room(self.settings)
        self._poller = self.vitals.poller = Poller(self.reactor, self.house.outbox)
        self._poller.start()
        self._listeners.open(self._factory_of, self._opened)

    def startService(self) -> None:
        """Begin to watch the process itself, and say that it is ready."""
        super().startService()
        self.vitals.start()
        self._pulse.start()
        self.herald.started()

    def _make_room(self, settings: Settings) -> None:
        """Find out how many connections there is room for: descriptors are what runs out."""
        limit = raise_descriptor_limit()
        try:
            most = capacity(limit, settings.max_connections)
        except ValueError as error:
            raise CannotStart(f"max_connections: {error}") from None
        self.house.turnstile.max_connections = self.house.ledger.max_connections = most

    def _factory_of(self, listener: Listener) -> Any:
        if listener.is_for_admin:
            return self._site.for_a_port()
        factory = SignallingFactory(self.house, listener.description)
        self._factories.append(factory)
        return factory

    def _opened(self, listener: Listener) -> None:
        """Accept in our own way: with a gate, and for peers with our transports."""
        if listener.is_for_admin:
            self._listeners.guard(listener, self._admin_gate)
        else:
            self._listeners.guard(listener, self._gate)

    def _gate(self, port: Port, description: str) -> AcceptGate:
        house = self.house
        port.transport = served_by(self._poller, port.transport)  # type: ignore[assignment]
        books = (house.ledger, house.reporter)
        return AcceptGate(port, description, *books, house.clock, has_room=self._has_room)

    def _admin_gate(self, port: Port, description: str) -> AcceptGate:
        house = self.house
        books = (house.ledger, house.reporter)
        return AcceptGate(
            port,
            description,
            *books,
            house.clock,
            has_room=lambda: self._site.connections < _MAX_ADMIN_CONNECTIONS,
        )

    def _has_room(self) -> bool:
        """Whether one more can be held, if only to be told that the server is full."""
        house = self.house
        return house.ledger.connections < house.turnstile.max_connections + MAX_BEYOND

    # -- stop ----------------------------------------------------------------------

    def end(self, *, drains: bool) -> None:
        """End the process, after a drain if that is wanted; the second time at once."""
        if self._drain is not None:
            self.log.info("rtcsig ends at once: it was told so again")
            self._drain.hurry()
            return
        self._drains = drains
        with suppress(ReactorNotRunning):
            self.reactor.stop()

    def stopService(self) -> Deferred[None]:
        """Stop listening, close every connection, and wait for their end.

        The wait has an end itself: each connection is cut when
        ``close_timeout_s`` is over. After ``end`` with a drain the peers are sent
        away before, over ``drain_s``, while newcomers are told that it is over.
        """
        super().stopService()
        self._drains, drains = False, self._drains
        self.house.turnstile.is_draining = True
        # Nobody comes back to this process: who is written to meanwhile, is not.
        self._hub.end()
        drain_s = self.settings.drain_s if drains else 0
        self.herald.stopping(drain_s + self.settings.close_timeout_s + _RESERVE_S)
        sent_away = self._send_away(drain_s) if drains else succeed(None)
        return sent_away.addCallback(lambda _: self._stop_listening()).addCallback(self._finish)

    def _send_away(self, drain_s: float) -> Deferred[None]:
        """Refuse who is not open yet, and send the others away one after the other."""
        house = self.house
        peers = [peer for peer in house.connections if peer.is_counted]
        self.log.info(
            "rtcsig sends {peers} peers away within {drain_s:g} s",
            peers=len(peers),
            drain_s=drain_s,
        )
        for connection in tuple(house.connections):
            if not connection.is_counted:
                connection.leave(CloseCode.GOING_AWAY, "the server is about to end")
        self._drain = Drain(
            peers,
            drain_s,
            house.clock,
            send_away=self._send_one_away,
            is_empty=lambda: not house.ledger.states[State.OPEN],
        )
        self._drain.start()
        return self._drain.done

    def _send_one_away(self, peer: GuardedProtocol) -> None:
        code = _DRAIN_CODES[self.settings.drain_code]
        retry_after_s = self.house.turnstile.retry_after_s()
        peer.close(code, f"the server ends; retry_after_s={retry_after_s}")

    def _stop_listening(self) -> Deferred[None]:
        self._pulse.stop()
        stopped = self._listeners.close()
        self.house.close_all(CloseCode.GOING_AWAY, "the server stops")
        return stopped.addCallback(lambda _: self.house.empty())

    def _finish(self, result: object) -> None:  # noqa: ARG002 a callback's signature
        self._poller.stop()
        self.herald.stop()
        self.house.reporter.flush()
        self.log.info("rtcsig stopped: every connection has ended")

    # -- change ----------------------------------------------------------------------

    def reload(self, wanted: Settings) -> list[str]:
        """Go on by other settings, for newcomers at least; who is open stays open.

        Returns the names of those that hold from the start only, and so did not
        change. Raises ``SettingError`` or ``CannotStart``, and then nothing has changed.
        """
        settings, kept = self.settings.reloaded(wanted)
        rules = rules_of(settings, self._hub)
        certificates = self._listeners.read_certificates(settings.tls_client_ca)
        self._make_room(settings)
        self._follow(settings, rules)
        for each, read in certificates:
            each.use(read)
        return kept

    def _follow(self, settings: Settings, rules: Rules) -> None:
        self.settings = settings
        self._rules = rules
        self._hub.keeping.terms = rules.terms
        self._pulse.max_lag_s = settings.max_lag_s
        self.house.follow(settings, rules.mounts, rules.origins, rules.proxies, rules.limits)
        for factory in self._factories:
            factory.follow()
