"""The ports of a server: endpoints, their accept gates, and sockets that a supervisor holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.tcp import Port
from twisted.logger import Logger
from twisted.python.failure import Failure

from rtcsig.door.address import address_text
from rtcsig.door.gate import AcceptGate
from rtcsig.door.listeners import endpoint_of, inherited_endpoint
from rtcsig.settings import SettingError, Settings

__all__ = ["CannotStart", "Listener", "Listeners"]


class CannotStart(Exception):
    """The server cannot listen; its text is one line that says where and why."""


@dataclass
class Listener:
    """One endpoint of the settings, and its port once it listens."""

    setting: str
    description: str
    endpoint: IStreamServerEndpoint
    port: IListeningPort | None = field(default=None)

    @property
    def is_for_admin(self) -> bool:
        """Whether it is for the pages about the server only."""
        return self.setting == "admin_listen"


class Listeners:
    """All listeners of some settings, those of ``--listen`` first.

    ``inherited`` has descriptors of sockets that listen already, one for each, when a
    supervisor holds them: they stay open, and their paths stay, when the server ends.
    Raises ``SettingError`` for a description that cannot be used.
    """

    def __init__(self, settings: Settings, reactor: Any, inherited: Sequence[int] = ()) -> None:
        self.log = Logger("rtcsig")
        self.gates: list[AcceptGate] = []
        named = [("listen", each) for each in settings.listen]
        named += [("admin_listen", each) for each in settings.admin_listen]
        self._all = [
            self._listener(reactor, settings, setting, description, descriptor)
            for (setting, description), descriptor in zip_longest(named, inherited)
        ]

    def _listener(
        self,
        reactor: Any,
        settings: Settings,
        setting: str,
        description: str,
        descriptor: int | None,
    ) -> Listener:
        try:
            if descriptor is None:
                endpoint = endpoint_of(
                    reactor, description, settings.backlog, settings.tls_client_ca
                )
            else:
                endpoint = inherited_endpoint(
                    reactor, description, descriptor, settings.backlog, settings.tls_client_ca
                )
        except ValueError as error:
            raise SettingError(f"{setting}: {description!r}: {error}") from None
        return Listener(setting, description, endpoint)

    def __iter__(self) -> Iterator[Listener]:
        return iter(self._all)

    def certificates(self) -> Iterator[tuple[str, Any]]:
        """The descriptions of those for TLS, and the ``Certificates`` of each."""
        for listener in self._all:
            certificates = getattr(listener.endpoint, "certificates", None)
            if certificates is not None:
                yield listener.description, certificates

    def read_certificates(self, client_ca: str) -> list[tuple[Any, Any]]:
        """Each of the ``Certificates`` with what its files have now. Raises ``SettingError``."""
        read = []
        for description, certificates in self.certificates():
            try:
                read.append((certificates, certificates.read(client_ca)))
            except ValueError as error:
                raise SettingError(f"listen: {description!r}: {error}") from None
        return read

    def ports(self) -> list[Any]:
        """The ports of those that listen."""
        return [each.port for each in self._all if each.port is not None]

    def open(
        self, factory_of: Callable[[Listener], Any], opened: Callable[[Listener], None]
    ) -> None:
        """Listen, each with its factory, and tell of each that does. Raises ``CannotStart``."""
        for listener in self._all:
            self._open(listener, factory_of(listener), opened)

    def close(self) -> Deferred[Any]:
        """Listen no more; fires when that is so."""
        for gate in self.gates:
            gate.stop()
        closing = []
        for listener in self._all:
            port, listener.port = listener.port, None
            if port is not None:
                closing.append(maybeDeferred(port.stopListening))
        return DeferredList(closing)

    def _open(self, listener: Listener, factory: Any, opened: Callable[[Listener], None]) -> None:
        def listens(port: IListeningPort) -> None:
            listener.port = port
            opened(listener)
            self.log.info(
                "rtcsig listens on {listener}: {address}",
                listener=listener.description,
                address=address_text(port.getHost()),
            )

        failures: list[Failure] = []
        listening = listener.endpoint.listen(factory)
        listening.addCallback(listens)
        if listening.called:
            listening.addErrback(failures.append)
        if failures:
            raise CannotStart(f"cannot listen on {listener.description}: {_why(failures[0])}")
        # Nearly every endpoint answers at once; one that does not can only log.
        listening.addErrback(
            lambda failure: self.log.failure(
                "cannot listen on {listener}", failure, listener=listener.description
            )
        )

    def guard(self, listener: Listener, gate_of: Callable[[Port, str], AcceptGate]) -> None:
        """Put an accept gate on a port that is a socket of this process."""
        if isinstance(listener.port, Port):
            self.gates.append(gate_of(listener.port, listener.description))


def _why(failure: Failure) -> str:
    error = failure.value
    if isinstance(error, CannotListenError):
        # With a lock file it is a text.
        return str(getattr(error.socketError, "strerror", None) or error.socketError)
    return failure.getErrorMessage()
