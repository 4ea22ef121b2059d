"""Many connections behind one descriptor of the reactor."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from rtcsig.door.outbox import Outbox
from rtcsig.door.poller import Poller


class Connection:
    """A selectable on a real socket; ``peer`` is the other side."""

    def __init__(self, poller, result=None):
        self.poller = poller
        self.socket, self.peer = socket.socketpair()
        self.socket.setblocking(False)
        self.result = result
        self.reads = []
        self.writes = 0
        self.lost = []

    def fileno(self):
        return self.socket.fileno()

    def doRead(self):
        if isinstance(self.result, Exception) and type(self.result) is RuntimeError:
            raise self.result
        data = self.socket.recv(100)
        self.reads.append(data)
        return self.result if data else CONNECTION_DONE

    def doWrite(self):
        self.writes += 1
        self.poller.removeWriter(self)

    def connectionLost(self, reason):
        self.poller.removeReader(self)
        self.poller.removeWriter(self)
        self.lost.append(reason.type)
        self.socket.close()

    def close(self):
        self.socket.close()
        self.peer.close()


@pytest.fixture
def reactor():
    """A reactor that polls nothing by itself."""
    return MemoryReactorClock()


@pytest.fixture
def poller(reactor):
    """A poller that was started."""
    poller = Poller(reactor, Outbox())
    poller.start()
    yield poller
    poller.stop()
    assert not reactor.getReaders()


@pytest.fixture
def connect(poller):
    """Makes connections that are read."""
    made = []

    def make(result=None):
        made.append(Connection(poller, result))
        poller.addReader(made[-1])
        return made[-1]

    yield make
    for connection in made:
        poller.removeReader(connection)
        poller.removeWriter(connection)
        connection.close()


def test_the_reactor_sees_one_descriptor(reactor, poller, connect):
    """Whatever connections there are."""
    connect()
    connect()
    assert reactor.getReaders() == [poller]
    assert poller.fileno() > 0
    assert poller.logPrefix()


def test_those_who_are_ready_are_served(poller, connect):
    """And no others; without an event nothing happens."""
    ready, quiet = connect(), connect()
    ready.peer.send(b"data")
    poller.doRead()
    poller.doRead()
    assert (ready.reads, quiet.reads) == ([b"data"], [])


def test_reading_and_writing_are_asked_for_by_themselves(poller, connect):
    """A writer is told that it can write until it is content, and goes on reading."""
    connection = connect()
    poller.addWriter(connection)
    poller.addWriter(connection)
    connection.peer.send(b"data")
    poller.doRead()
    poller.doRead()
    assert (connection.reads, connection.writes) == ([b"data"], 1)
    poller.removeReader(connection)
    poller.removeReader(connection)
    connection.peer.send(b"more")
    poller.doRead()
    assert connection.reads == [b"data"]


@pytest.mark.parametrize(
    ("result", "reason"), [(CONNECTION_LOST, ConnectionLost), (RuntimeError("why"), RuntimeError)]
)
def test_one_that_fails_ends_alone(poller, connect, logged, result, reason):
    """By what it returns or by what it raises, which is a bug of ours and logged as one."""
    failing, other = connect(result), connect()
    failing.peer.send(b"data")
    other.peer.send(b"data")
    poller.doRead()
    assert failing.lost == [reason]
    assert other.reads == [b"data"]
    assert len(logged.errors()) == (reason is RuntimeError)


def test_an_end_is_an_end(poller, connect):
    """The peer closes, in order or by a reset."""
    connection = connect()
    connection.peer.close()
    poller.doRead()
    assert connection.lost == [ConnectionDone]


def test_one_that_another_ended_meanwhile_is_let_alone(poller, connect):
    """It was ready in the same turn."""
    first, second = connect(), connect()
    read = first.doRead

    def end_the_other():
        second.connectionLost(Failure(CONNECTION_LOST))
        return read()

    first.doRead = end_the_other
    first.peer.send(b"data")
    second.peer.send(b"data")
    poller.doRead()
    poller.doRead()
    assert second.reads == [] or first.lost == []
    assert second.lost == [ConnectionLost]


def test_the_last_connection_ends_the_poller(reactor):
    """In the middle of a turn: the server stops when everybody has gone."""
    poller = Poller(reactor, Outbox())
    poller.start()
    connection = Connection(poller)
    poller.addReader(connection)
    end = connection.connectionLost

    def end_and_stop(reason):
        end(reason)
        poller.stop()

    connection.connectionLost = end_and_stop
    connection.peer.close()
    poller.doRead()
    assert connection.lost == [ConnectionDone]
    assert not reactor.getReaders()


def test_what_epoll_refuses_is_not_kept(poller):
    """A regular file cannot be watched: the caller is told, and nothing is left."""
    connection = Connection(poller)
    with closing(connection), open(__file__, "rb") as file:  # noqa: PTH123 a descriptor is meant
        connection.fileno = file.fileno
        with pytest.raises(PermissionError):
            poller.addReader(connection)
        poller.removeReader(connection)


def test_the_end_of_the_reactor_ends_all(poller, connect):
    """It disconnects what it watches, which is the poller."""
    connections = [connect(), connect()]
    poller.connectionLost(Failure(CONNECTION_LOST))
    assert [connection.lost for connection in connections] == [[ConnectionLost]] * 2
