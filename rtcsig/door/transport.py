"""The transports of accepted connections."""

from __future__ import annotations

from socket import socket
from typing import Any

from twisted.internet import tcp, unix

__all__ = ["AcceptedTransport", "AcceptedUnixTransport"]


class AcceptedTransport(tcp.Server):
    """Twisted's transport, whose own set-up may fail.

    ``tcp.Server.__init__`` puts the socket into the reactor, and epoll can
    refuse that (ENOENT, ENOMEM, ENOSPC: Twisted #11625, #6373). The exception
    would leave ``Port.doRead`` with the rest of its batch unserved and a
    protocol that nobody tells of its end. Here it is kept: the protocol, which
    gets this transport next, finds it in ``set_up_error``.
    """

    set_up_error: Exception | None = None

    def __init__(self, sock: socket, *args: Any) -> None:
        try:
            super().__init__(sock, *args)
        except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
            self.set_up_error = error
            self.connected = 0
            sock.close()

    def abortConnection(self) -> None:
        """Reset the connection; nothing to do when its set-up failed."""
        if self.set_up_error is None:
            super().abortConnection()


class AcceptedUnixTransport(AcceptedTransport, unix.Server):
    """The same for a unix socket, whose peer has no host and port."""
