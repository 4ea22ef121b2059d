"""A transport whose own set-up fails."""

from __future__ import annotations

import errno
import socket

from rtcsig.door.transport import AcceptedTransport


class RefusingReactor:
    """A reactor whose epoll takes no more."""

    def addReader(self, reader):
        raise OSError(errno.ENOSPC, "no space in epoll")

    def removeReader(self, reader):
        pass

    def removeWriter(self, writer):
        pass


def test_the_error_is_kept_and_the_socket_closed():
    """The protocol finds the error; the peer sees the end; abort has nothing to do."""
    client, server = socket.socketpair()
    descriptor = server.fileno()
    transport = AcceptedTransport(server, object(), ("192.0.2.1", 1), None, 1, RefusingReactor())
    assert transport.set_up_error.errno == errno.ENOSPC
    assert server.fileno() == -1 != descriptor
    assert client.recv(1) == b""
    transport.abortConnection()
    client.close()
