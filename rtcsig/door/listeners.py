"""Listening endpoints, and sockets that somebody else accepted."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import endpoints, unix
from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IListeningPort, IReactorSocket, IStreamServerEndpoint
from zope.interface import implementer

from rtcsig.door.report import Reporter

__all__ = ["adopt_connection", "endpoint_of", "inherited_endpoint"]

_WITH_BACKLOG = ("tcp", "tcp6", "ssl", "unix")


def endpoint_of(
    reactor: object, description: str, backlog: int, client_ca: str = ""
) -> IStreamServerEndpoint:
    """The endpoint of a Twisted description, with ``backlog`` where it names none.

    One for TLS asks clients for certificates signed by those in ``client_ca``, if there are any.

    Twisted's default of 50 is too small for clients that all come back at
    once. Raises ``ValueError`` for a description that cannot be used.
    """
    kind = description.partition(":")[0]
    if kind == "stdio":
        raise ValueError("a server listens for connections, and standard input is one")
    if kind == "haproxy":
        raise ValueError("it would believe everybody: name the endpoint in --proxy-protocol too")
    if kind in _WITH_BACKLOG and "backlog=" not in description:
        description = f"{description}:backlog={backlog}"
    if kind == "ssl":
        return _tls_endpoint(reactor, description, client_ca)
    try:
        endpoint: IStreamServerEndpoint = endpoints.serverFromString(reactor, description)
        if kind == "systemd":
            endpoint = _adopting(reactor, endpoint.fileno, backlog)  # type: ignore[attr-defined]
    except (KeyError, IndexError):
        raise ValueError("no such socket was handed down") from None
    except Exception as error:
        # The parsers of Twisted and of its plugins raise whatever they meet.
        why = f"wrong arguments for {kind}:" if isinstance(error, TypeError) else str(error)
        raise ValueError(why or type(error).__name__) from error
    return endpoint


def _tls_endpoint(
    reactor: object,
    description: str,
    client_ca: str,
    below: IStreamServerEndpoint | None = None,
) -> IStreamServerEndpoint:
    try:
        from rtcsig.door.certificates import Certificates, TLSEndpoint  # noqa: PLC0415 an extra
    except ImportError:
        raise ValueError("TLS needs what is installed with rtcsig[tls]") from None
    try:
        return TLSEndpoint(reactor, Certificates(reactor, description, client_ca), below)
    except (TypeError, AttributeError):
        raise ValueError("wrong arguments for ssl:") from None
    except MemoryError:
        # pyOpenSSL's callbacks are made by cffi, in memory that is written and executed.
        raise ValueError("TLS does not go with MemoryDenyWriteExecute=yes") from None


def inherited_endpoint(
    reactor: object, description: str, descriptor: int, backlog: int, client_ca: str = ""
) -> IStreamServerEndpoint:
    """The endpoint of a socket that listens already, for one that was made for ``description``.

    ``descriptor`` is closed when it listens; the reactor works on a duplicate.
    """
    endpoint = _adopting(reactor, descriptor, backlog)
    if description.partition(":")[0] == "ssl":
        return _tls_endpoint(reactor, description, client_ca, endpoint)
    return endpoint


def _adopting(reactor: object, descriptor: int, backlog: int) -> IStreamServerEndpoint:
    with socket.socket(fileno=socket.dup(descriptor)) as handed_down:
        family = socket.AddressFamily(handed_down.family)
    if family is socket.AF_UNIX:
        return _AdoptedUnixEndpoint(reactor, descriptor, backlog)
    adopted: IStreamServerEndpoint = endpoints.AdoptedStreamServerEndpoint(
        reactor, descriptor, family
    )
    return adopted


@implementer(IStreamServerEndpoint)
class _AdoptedUnixEndpoint:
    """A unix socket that is somebody else's: its path, its mode, and its life.

    Twisted treats one that it is given like one that it has made: it sets the mode to
    0666, and at the end unlinks the path and shuts the socket down, for all who have it.
    """

    def __init__(self, reactor: Any, descriptor: int, backlog: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._backlog = backlog

    def listen(self, factory: Any) -> Deferred[IListeningPort]:
        """Listen on a duplicate; the descriptor is closed."""
        os.set_blocking(self._descriptor, False)
        port: Any = unix.Port._fromListeningDescriptor(self._reactor, self._descriptor, factory)
        os.close(self._descriptor)
        for name in ("_bindPath", "port"):
            if isinstance(getattr(port, name, None), str | bytes):
                # Twisted takes it for one outside of the file system.
                setattr(port, name, b"\0" if name == "_bindPath" else "\0")
        port.backlog = self._backlog
        port._shouldShutdown = False
        return execute(_started, port)


def _started(port: Any) -> IListeningPort:
    port.startListening()
    started: IListeningPort = port
    return started


def adopt_connection(
    reactor: IReactorSocket, descriptor: int, factory: Any, reporter: Reporter
) -> bool:
    """Serve a connected socket that came from elsewhere; whether that worked.

    ``descriptor`` is taken over and closed in any case: the reactor works on
    a duplicate. A client that is gone already makes getpeername fail with
    ENOTCONN; like every failure here that is logged, counted, and stays with
    this connection.
    """
    try:
        with socket.socket(fileno=descriptor) as handed_over:
            handed_over.setblocking(False)
            # Twisted asks as well, but when it fails there, its duplicate is
            # left to the garbage collector.
            handed_over.getpeername()
            family = socket.AddressFamily(handed_over.family)
            reactor.adoptStreamConnection(handed_over.fileno(), family, factory)
    except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
        reporter.set_up_failure("adopt", error, {})
        return False
    return True
