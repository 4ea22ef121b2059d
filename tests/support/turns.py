"""A transport in memory that acts as Twisted's TCP transport does, one turn at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.memory import MemoryTransport, loss

__all__ = ["Escape", "TurnTransport"]

_FULL_BYTES = 65_536  # FileDescriptor.bufferSize


@dataclass(frozen=True)
class Escape:
    """An exception out of a method that Twisted calls; ``point`` is where it was put, if it was."""

    method: str
    point: str | None
    trace: str


class TurnTransport(MemoryTransport):
    """Queues what is written, and does the rest when the reactor's turn comes.

    Follows ``twisted.internet.tcp`` in what a connection can rely on: an abort
    is followed by one loss and no more bytes; a close by one loss, when the
    queue is empty and no producer is paused; a close behind a half close by a
    loss at once. Unlike TCP, and like TLS, it can deliver bytes after a close.

    ``escaped`` has what the connection let out of the methods that Twisted calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.escaped: list[Escape] = []
        self.is_lost = self.is_aborted = self.is_half_closed = False
        self.largest_queue_bytes = self.largest_read_bytes = 0
        self._is_closing = self._is_shutting = self._is_shut = False
        self._wants_to_write = self._has_paused = False

    # -- what the connection calls ---------------------------------------------

    def write(self, data: bytes) -> None:
        if self.is_lost or self._is_shut or not data:
            return
        self.dataBuffer += data
        self._wants_to_write = True
        self.largest_queue_bytes = max(self.largest_queue_bytes, len(self.dataBuffer))
        if len(self.dataBuffer) > _FULL_BYTES and self.producer is not None:
            self._has_paused = True
            self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.is_lost:
            producer.stopProducing()
        else:
            super().registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        self._wants_to_write |= self._is_closing

    def loseConnection(self) -> None:
        super().loseConnection()
        if self._is_shut:
            self.lose("fin")
        self._is_closing = self._wants_to_write = True

    def loseWriteConnection(self) -> None:
        super().loseWriteConnection()
        self._is_shutting = self._wants_to_write = True

    def abortConnection(self) -> None:
        super().abortConnection()
        self.is_aborted = True

    # -- what the reactor and the peer do ----------------------------------------

    def accepted(self, protocol: Any) -> None:
        """Begin: the kernel accepted the connection."""
        self.protocol = protocol
        self._call(protocol.makeConnection, self)

    def receive(self, data: bytes) -> None:
        """Bytes came from the peer."""
        if not (self.is_lost or self.is_aborted or self.is_half_closed):
            self.largest_read_bytes = max(self.largest_read_bytes, len(data))
            self._call(self.protocol.dataReceived, data)

    def half_close(self) -> None:
        """The peer shut its side."""
        if not (self.is_lost or self.is_aborted or self.is_half_closed or self._is_closing):
            self.is_half_closed = True
            self._call(self.protocol.readConnectionLost)

    def turn(self, max_bytes: int | None = None) -> None:
        """The reactor's turn: write what the peer takes, and end what is to be ended."""
        if self.is_aborted:
            self.lose("aborted")
        elif self._wants_to_write and not self.is_lost and not self.stalled:
            self._flush(len(self.dataBuffer) if max_bytes is None else max_bytes)

    def lose(self, how: str) -> None:
        """The connection is over: told once, whatever happens later."""
        if self.is_lost:
            return
        self.is_lost = True
        producer, self.producer = self.producer, None
        if producer is not None:
            self._call(producer.stopProducing)
        self._call(self.protocol.connectionLost, loss(how))

    def _flush(self, max_bytes: int) -> None:
        self.io.write(self.dataBuffer[:max_bytes])
        self.dataBuffer = self.dataBuffer[max_bytes:]
        if self.dataBuffer:
            return
        self._wants_to_write = False
        if self.producer is not None and self._has_paused:
            self._has_paused = False
            self._call(self.producer.resumeProducing)
        elif self._is_closing:
            self.lose("fin")
        elif self._is_shutting:
            self._is_shut = True
            self._call(self.protocol.writeConnectionLost)

    def _call(self, method: Callable[..., None], *arguments: Any) -> None:
        """Call the connection; an exception is kept, and costs the connection as with Twisted."""
        try:
            method(*arguments)
        except Exception as error:  # noqa: BLE001 the test looks at what was kept
            point = getattr(error, "point", None)
            self.escaped.append(Escape(method.__name__, point, traceback.format_exc()))
            self.lose("reset")
