"""The accepted transports: Twisted's, that send at once.

Twisted queues what is written and waits for the reactor to say that the socket
can be written to, which nearly always it can: two more system calls and a turn
of the reactor for each message. Here the kernel is asked first, when nothing is
queued. What it does not take, and whatever is written once the connection
begins to end, goes Twisted's way; so an error is met again there, by
``doWrite``, and ends the connection from the reactor and not in the middle of
another peer's call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet import tcp, unix
from twisted.internet.address import IPv6Address
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from rtcsig.door.poller import Poller

if TYPE_CHECKING:
    from twisted.internet.abstract import FileDescriptor
else:
    FileDescriptor = object

__all__ = ["PromptServer", "PromptUnixServer", "queued_bytes", "served_by"]

# Twisted reads 64 KiB at once. This is a thousand small messages, some five
# milliseconds: so long is the turn of a peer that everybody else waits for.
_READ_BYTES = 32_768


class PromptMixin(FileDescriptor):
    """Sends at once what the kernel takes at once."""

    socket: Any
    reactor: Any  # a Poller
    _aborting = False
    # Whether nothing is queued and nothing keeps it from being written to.
    _is_idle = True
    # Whether it waits in the outbox.
    _is_held = False

    def write(self, data: bytes) -> None:
        """Send ``data``, or queue what the kernel does not take now."""
        if self._is_idle:
            if self.reactor.outbox.holds:
                self._hold(data)
                return
            try:
                sent = self.socket.send(data)
            except OSError:
                sent = 0
            if sent != len(data):
                super().write(data[sent:])
        elif self._is_held:
            self._tempDataBuffer.append(data)
            self._tempDataLen += len(data)
        else:
            super().write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send the pieces as one."""
        self.write(b"".join(iovec))

    def flush(self) -> None:
        """Send what was held. Once the connection begins to end that is Twisted's to do."""
        self._is_held = False
        if self._is_ending():
            return
        data = b"".join(self._tempDataBuffer)
        self._tempDataBuffer = []
        self._tempDataLen = 0
        self._is_idle = True
        self.write(data)

    def startWriting(self) -> None:
        """Wait until the kernel takes more: something is queued, or the connection ends."""
        self._is_idle = False
        super().startWriting()

    def stopWriting(self) -> None:
        """Wait no more: the queue is empty, or all is over."""
        self._is_idle = not (self._is_ending() or self._tempDataLen or self.dataBuffer)
        super().stopWriting()

    def _hold(self, data: bytes) -> None:
        self._is_idle = False
        self._is_held = True
        self._tempDataBuffer.append(data)
        self._tempDataLen = len(data)
        self.reactor.outbox.waiting.append(self)

    def _is_ending(self) -> bool:
        return bool(
            self.disconnecting or self._writeDisconnecting or self._aborting or not self.connected
        )


class PromptServer(PromptMixin, tcp.Server):
    """A connection over TCP; what only a line in Twisted's log would use is made for that line."""

    # Twisted's name. Closing is enough: no other process has the descriptor.
    _shouldShutdown = False  # noqa: N815 as above

    def __init__(  # noqa: PLR0917 Twisted's
        self,
        sock: Any,
        protocol: Any,
        client: tuple[Any, ...],
        server: Any,
        sessionno: int,
        reactor: Any,
    ) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        self.reactor = reactor
        self.server = server
        self.client = client
        self.sessionno = sessionno
        self._tempDataBuffer = []
        self._tempDataLen = 0
        self._is_idle = True
        if len(client) != 2:  # noqa: PLR2004 host and port: IPv4
            self._addressType = IPv6Address
        self.startReading()
        self.connected = 1

    def doRead(self) -> Any:
        """Read once and hand it on; what Twisted does, in one call instead of three."""
        try:
            data = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        return self.protocol.dataReceived(data)

    @property
    def hostname(self) -> Any:  # type: ignore[override]  # Twisted only reads it
        """The peer's host."""
        return self.client[0]

    @property
    def logstr(self) -> str:  # type: ignore[override]  # as above
        """What Twisted's log calls it."""
        return f"{type(self).__name__},{self.sessionno},{self.hostname}"

    @property
    def repstr(self) -> str:  # type: ignore[override]  # as above
        """What ``repr`` says."""
        return f"<{self.logstr}>"


class PromptUnixServer(PromptMixin, unix.Server):
    """A connection over a unix socket."""


_PROMPT = {tcp.Server: PromptServer, unix.Server: PromptUnixServer}


def served_by(poller: Poller, transport: Any) -> Callable[..., Any]:
    """What a port shall make of an accepted socket, in place of Twisted's ``transport``."""
    prompt = _PROMPT[transport]

    def accepted(sock: Any, protocol: Any, client: Any, server: Any, number: int, _: Any) -> Any:
        return prompt(sock, protocol, client, server, number, poller)

    return accepted


def queued_bytes(transport: Any) -> int:
    """Bytes that were written to a transport and that the kernel has not taken yet.

    Reads what ``FileDescriptor`` and ``TLSMemoryBIOProtocol`` keep for
    themselves; a transport without any of it has no queue that can be seen: 0.
    """
    queued = 0
    for layer in _layers(transport):
        queued += sum(map(len, getattr(layer, "_appSendBuffer", ())))
        transport = layer
    buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return queued + buffered + getattr(transport, "_tempDataLen", 0)


def _layers(transport: Any) -> Iterator[Any]:
    """The transport and those below it, as TLS has them."""
    while transport is not None:
        yield transport
        transport = getattr(transport, "transport", None)
