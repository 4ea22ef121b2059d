"""Endpoints, and sockets that somebody else accepted."""

from __future__ import annotations

import os
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from rtcsig.door.listeners import adopt_connection, endpoint_of
from rtcsig.websocket.factory import SignallingFactory
from tests.support.memory import house_of
from tests.support.peer import Peer, reset


def accepted_pair():
    """A client's socket and the descriptor of its accepted, non-blocking counterpart."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    return client, server.detach()


def adopt(house, descriptor):
    """Hand a descriptor to the reactor."""
    factory = SignallingFactory(house, "adopted")
    return adopt_connection(reactor, descriptor, factory, house.reporter)


def descriptor_is_open(descriptor):
    """Whether the number means something."""
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_client_that_is_gone_is_logged_counted_and_closed(logged):
    """Asked for the peer, the kernel really fails with ENOTCONN; the descriptor does not stay."""
    client, descriptor = accepted_pair()
    reset(client)
    house = house_of(Clock())
    assert adopt(house, descriptor) is False
    assert not descriptor_is_open(descriptor)
    assert house.ledger.set_up_failures == {("adopt", "ENOTCONN"): 1}
    (line,) = logged.lines("connection set-up failed")
    assert line["fields"]["stage"] == "adopt"
    assert line["fields"]["descriptors"] > 0


@pytest_twisted.ensureDeferred
async def test_a_client_that_is_there_is_served():
    """The reactor works on a duplicate: the handed descriptor is closed."""
    client, descriptor = accepted_pair()
    house = house_of(reactor)
    assert adopt(house, descriptor) is True
    assert not descriptor_is_open(descriptor)
    peer = Peer.over(client)

    def talk():
        assert peer.upgrade("/a")[0] == 101
        peer.send({"id": "a", "n": 1})
        assert peer.receive() == {"id": "a", "n": 1}
        peer.close()

    await deferToThread(talk)
    house.reporter.flush()


@pytest.mark.parametrize(
    ("description", "backlog"),
    [("tcp:0", 77), ("tcp:0:backlog=5", 5), ("unix:/nowhere", 77), ("tcp6:0", 77)],
)
def test_the_backlog_is_ours_unless_the_description_has_one(description, backlog):
    """Twisted's default of 50 is too small for all clients at once."""
    assert endpoint_of(reactor, description, 77)._backlog == backlog


@pytest.mark.parametrize("description", ["gaga", "gaga:1", "tcp", "tcp:x", "tcp:0:gaga=1", ""])
def test_a_description_that_cannot_be_used(description):
    """Is a ValueError, whatever the parser raised."""
    with pytest.raises(ValueError, match=r"."):
        endpoint_of(reactor, description, 77)


@pytest.mark.parametrize(
    "description", ["haproxy:tcp:0", "haproxy:tcp:port=0", "haproxy:", "haproxy"]
)
def test_a_proxy_that_everybody_may_be_is_refused(description):
    """Twisted's wrapper believes any client's header; the text names what does not."""
    with pytest.raises(ValueError, match="--proxy-protocol"):
        endpoint_of(reactor, description, 77)
