"""Watches all accepted connections for the reactor, in one descriptor.

Twisted's reactor gives each event a log context and several calls of its own,
which together cost as much as relaying a message. An epoll descriptor can be
watched by another one: here all accepted connections are in the inner one, the
reactor sees the inner one only, and one turn of it serves all who are ready.

To the transports a poller is their reactor: it has what they use of one. What
it does with a connection that ends or fails is Twisted's own code, as in its
``_ContinuousPolling``.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any

from twisted.internet import posixbase
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rtcsig.door.outbox import Outbox

__all__ = ["Poller"]

# The listeners and the timers get their turn after so many.
_MAX_EVENTS_PER_TURN = 256


@implementer(IReadDescriptor)
class Poller(posixbase._PollLikeMixin, posixbase._DisconnectSelectableMixin):
    """Serves the connections that are added to it, from ``start`` to ``stop``."""

    _POLL_DISCONNECTED = select.EPOLLHUP | select.EPOLLERR
    _POLL_IN = select.EPOLLIN
    _POLL_OUT = select.EPOLLOUT

    log = Logger("rtcsig")

    def __init__(self, reactor: Any, outbox: Outbox) -> None:
        self.outbox = outbox
        self.callLater = reactor.callLater
        self._reactor = reactor
        self._epoll = select.epoll()
        self._connections: dict[int, Any] = {}
        self._reads: set[int] = set()
        self._writes: set[int] = set()

    def start(self) -> None:
        """Begin to serve."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """End; the connections must have ended before."""
        self._reactor.removeReader(self)
        self._epoll.close()

    def waiting(self) -> Iterator[Any]:
        """The connections that wait until the kernel takes more of what they have to write."""
        for descriptor in self._writes:
            yield self._connections[descriptor]

    # -- what the reactor asks ---------------------------------------------------

    def fileno(self) -> int:
        """The descriptor that is readable when any connection is ready."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """For the log of the reactor."""
        return "connections"

    def doRead(self) -> None:
        """Serve those who are ready, and those who become ready meanwhile, within bounds.

        The end of the last connection can be that of the poller.
        """
        left = _MAX_EVENTS_PER_TURN
        while left > 0 and not self._epoll.closed and (events := self._epoll.poll(0, left)):
            left -= len(events)
            self._serve(events)

    def _serve(self, events: list[tuple[int, int]]) -> None:
        """Let connections read or write. What fails in one of them ends that one."""
        connections = self._connections
        for descriptor, event in events:
            connection = connections.get(descriptor)
            if connection is None:
                continue  # ended by one who came before it
            if event != select.EPOLLIN:
                self._doReadOrWrite(connection, descriptor, event)
                continue
            try:
                why = connection.doRead()
            except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
                self.log.failure("reading failed")
                why = error
            if why is not None:
                self._disconnectSelectable(connection, why, True)

    def connectionLost(self, reason: Failure) -> None:
        """End all connections: the reactor shuts down."""
        for connection in tuple(self._connections.values()):
            self.removeReader(connection)
            self.removeWriter(connection)
            connection.connectionLost(reason)

    # -- what the transports ask --------------------------------------------------

    def addReader(self, connection: Any) -> None:
        """Tell ``connection`` when it can read. Raises ``OSError`` when epoll refuses."""
        self._add(connection, self._reads)

    def addWriter(self, connection: Any) -> None:
        """Tell ``connection`` when it can write. Raises ``OSError`` when epoll refuses."""
        self._add(connection, self._writes)

    def removeReader(self, connection: Any) -> None:
        """Tell ``connection`` no longer when it can read."""
        self._remove(connection, self._reads)

    def removeWriter(self, connection: Any) -> None:
        """Tell ``connection`` no longer when it can write."""
        self._remove(connection, self._writes)

    def _add(self, connection: Any, interest: set[int]) -> None:
        descriptor = connection.fileno()
        if descriptor in interest:
            return
        interest.add(descriptor)
        try:
            if descriptor in self._connections:
                self._epoll.modify(descriptor, self._events(descriptor))
            else:
                self._epoll.register(descriptor, self._events(descriptor))
        except BaseException:
            interest.discard(descriptor)
            raise
        self._connections[descriptor] = connection

    def _remove(self, connection: Any, interest: set[int]) -> None:
        descriptor = connection.fileno()
        if descriptor not in interest:
            return
        interest.discard(descriptor)
        events = self._events(descriptor)
        if events:
            self._epoll.modify(descriptor, events)
        else:
            del self._connections[descriptor]
            self._epoll.unregister(descriptor)

    def _events(self, descriptor: int) -> int:
        reads = select.EPOLLIN if descriptor in self._reads else 0
        return reads | (select.EPOLLOUT if descriptor in self._writes else 0)
