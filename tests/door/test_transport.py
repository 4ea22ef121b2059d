"""What is queued in a transport, on the transports that there are."""

from __future__ import annotations

import socket

from twisted.internet import tcp
from twisted.internet.testing import MemoryReactor, StringTransport

from rtcsig.door.transport import queued_bytes


def test_what_the_kernel_has_not_taken():
    """Twisted's own transport, before and after it could write."""
    client, server = socket.socketpair()
    transport = tcp.Server(server, object(), ("192.0.2.1", 1), None, 1, MemoryReactor())
    assert queued_bytes(transport) == 0
    for _ in range(10):
        transport.write(b"a" * 100_000)
    assert queued_bytes(transport) == 1_000_000
    transport.doWrite()
    sent = 1_000_000 - queued_bytes(transport)
    assert 0 < sent < 1_000_000
    received = 0
    while received < sent:
        received += len(client.recv(sent - received))
    server.close()
    client.close()


class Wrapper:
    """A transport over another, as TLS has it."""

    def __init__(self, below, *waiting):
        self.transport = below
        self._appSendBuffer = waiting


def test_what_waits_in_layers_above_counts():
    """TLS keeps what it cannot encrypt yet."""
    below = StringTransport()
    below.dataBuffer = b"a" * 10
    assert queued_bytes(Wrapper(Wrapper(below), b"bb", b"c")) == 13


def test_a_transport_without_a_queue():
    """Has nothing in it."""
    assert queued_bytes(StringTransport()) == 0
