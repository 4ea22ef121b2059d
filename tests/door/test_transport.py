"""The accepted transports: at once when the kernel takes it, Twisted's way when not."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import tcp, unix
from twisted.internet.address import IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactor, MemoryReactorClock, StringTransport
from zope.interface import implementer

from rtcsig.door.outbox import Outbox
from rtcsig.door.transport import PromptServer, PromptUnixServer, queued_bytes, served_by


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


@implementer(IHalfCloseableProtocol)
class Receiver(Protocol):
    """Keeps what comes, and how it ends."""

    def __init__(self):
        self.received = []
        self.reason = None

    def dataReceived(self, data):
        self.received.append(data)

    def connectionLost(self, reason):
        self.reason = reason.type

    def readConnectionLost(self):
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass


class Producer:
    """Notes what the transport asks of it."""

    def __init__(self):
        self.asked = []

    def pauseProducing(self):
        self.asked.append("pause")

    def resumeProducing(self):
        self.asked.append("resume")

    def stopProducing(self):
        self.asked.append("stop")


class Kernel:
    """A socket whose ``send`` answers as it is told: a number of bytes, or an errno."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = b""
        self.sends = 0
        self.is_closed = False
        self.shut = []
        self._descriptor = os.open(os.devnull, os.O_RDONLY)

    def fileno(self):
        return self._descriptor

    def setblocking(self, flag):
        assert not flag

    def setsockopt(self, *option):
        pass

    def send(self, data):
        self.sends += 1
        answer = self.answers.pop(0) if self.answers else len(data)
        if isinstance(answer, OSError):
            raise answer
        self.sent += bytes(data[:answer])
        return min(answer, len(data))

    def shutdown(self, how):
        self.shut.append(how)

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            os.close(self._descriptor)


class WatchingPoller:
    """Knows who wants to read and to write, as a poller does; turns are made by hand."""

    def __init__(self):
        self.outbox = Outbox()
        self.readers, self.writers = set(), set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard
        self._clock = MemoryReactorClock()
        self.callLater = self._clock.callLater

    def turn(self):
        """Let those write who want to; what they return ends them."""
        self._clock.advance(0)
        for transport in tuple(self.writers):
            why = transport.doWrite()
            if why is not None:
                self.writers.discard(transport)
                self.readers.discard(transport)
                transport.connectionLost(_failures[type(why)])


_failures = {
    type(error): tcp.failure.Failure(error) for error in (ConnectionDone(), ConnectionLost())
}


class Written:
    """A connection whose socket answers as told."""

    def __init__(self, *answers):
        self.kernel = Kernel(*answers)
        self.poller = WatchingPoller()
        self.protocol = Receiver()
        address = ("192.0.2.1", 1)
        self.transport = PromptServer(self.kernel, self.protocol, address, None, 1, self.poller)
        self.protocol.makeConnection(self.transport)
        self.write = self.transport.write

    @property
    def waits(self):
        """Whether it asks to be told when the kernel takes more."""
        return self.transport in self.poller.writers


@pytest.fixture
def written():
    """Makes connections and closes their sockets."""
    made = []

    def make(*answers):
        made.append(Written(*answers))
        return made[-1]

    yield make
    for connection in made:
        connection.kernel.close()


FULL = OSError(errno.EAGAIN, "full")
BROKEN = OSError(errno.EPIPE, "broken")
RESET = OSError(errno.ECONNRESET, "reset")


def test_what_the_kernel_takes_is_gone_at_once(written):
    """No turn of the reactor is needed, and nothing is asked of it."""
    connection = written()
    connection.write(b"one")
    connection.write(b"two")
    connection.transport.writeSequence([b"th", b"ree"])
    assert (connection.kernel.sent, connection.kernel.sends) == (b"onetwothree", 3)
    assert not connection.waits
    assert queued_bytes(connection.transport) == 0


@pytest.mark.parametrize("answer", [0, 2, FULL, OSError(errno.ENOBUFS, "no memory")])
def test_what_it_does_not_take_waits(written, answer):
    """And nothing overtakes it."""
    connection = written(answer)
    connection.write(b"first")
    connection.write(b"second")
    assert connection.waits
    rest = 5 - answer if isinstance(answer, int) else 5
    assert queued_bytes(connection.transport) == rest + 6
    connection.poller.turn()
    assert connection.kernel.sent == b"firstsecond"
    assert not connection.waits
    connection.write(b"third")
    assert connection.kernel.sent == b"firstsecondthird"


@pytest.mark.parametrize("error", [BROKEN, RESET])
def test_a_loss_met_while_writing_is_told_by_the_reactor(written, error):
    """Not in the middle of the write, which another peer's session may have made."""
    connection = written(error, BROKEN)
    connection.write(b"lost")
    connection.write(b"too")
    assert connection.protocol.reason is None
    connection.poller.turn()
    assert connection.protocol.reason is ConnectionLost
    connection.write(b"more")
    connection.transport.loseConnection()
    assert connection.kernel.sent == b""


@pytest.mark.parametrize("answers", [(), (3,), (FULL,)])
def test_what_was_written_before_an_end_goes_out_first(written, answers):
    """And what is written after it, as Twisted does; then the socket is closed."""
    connection = written(*answers)
    connection.write(b"before")
    connection.transport.loseConnection()
    connection.write(b"after")
    assert connection.protocol.reason is None
    connection.poller.turn()
    assert connection.kernel.sent == b"beforeafter"
    assert connection.protocol.reason is ConnectionDone
    assert connection.kernel.is_closed


def test_half_a_close_comes_after_what_was_written(written):
    """And nothing is written behind it."""
    connection = written(3)
    connection.write(b"answer")
    connection.transport.loseWriteConnection()
    connection.poller.turn()
    assert (connection.kernel.sent, connection.kernel.shut) == (b"answer", [socket.SHUT_WR])
    connection.write(b"more")
    connection.poller.turn()
    assert connection.kernel.sent == b"answer"


def test_an_aborted_connection_sends_nothing_more(written):
    """Neither what was queued nor what comes."""
    connection = written(3)
    connection.write(b"queued")
    connection.transport.abortConnection()
    connection.write(b"more")
    connection.poller.turn()
    assert connection.kernel.sent == b"que"
    assert connection.protocol.reason is ConnectionAborted


def test_a_producer_hears_of_a_full_queue_and_of_an_empty_one(written):
    """The queue is full at 64 KiB, as it is with Twisted's own."""
    connection = written(0)
    producer = Producer()
    connection.transport.registerProducer(producer, True)
    connection.write(b"a" * 65_536)
    assert producer.asked == []
    connection.write(b"a")
    assert producer.asked == ["pause"]
    connection.poller.turn()
    assert producer.asked == ["pause", "resume"]
    connection.transport.unregisterProducer()


class TestHeld:
    """What is written while the outbox holds."""

    def test_leaves_in_one_send(self, written):
        """When the outbox is released; nothing leaves before."""
        connection = written()
        connection.poller.outbox.hold()
        for text in (b"one", b"two", b"three"):
            connection.write(text)
        assert connection.kernel.sends == 0
        assert queued_bytes(connection.transport) == 11
        connection.poller.outbox.release()
        assert (connection.kernel.sent, connection.kernel.sends) == (b"onetwothree", 1)
        assert not connection.waits

    def test_waits_behind_what_is_queued(self, written):
        """Nothing overtakes."""
        connection = written(1)
        connection.write(b"queued")
        connection.poller.outbox.hold()
        connection.write(b"held")
        connection.poller.outbox.release()
        assert connection.kernel.sent == b"q"
        connection.poller.turn()
        assert connection.kernel.sent == b"queuedheld"

    @pytest.mark.parametrize("answer", [4, FULL])
    def test_is_queued_when_the_kernel_does_not_take_it(self, written, answer):
        """As if it had been written then."""
        connection = written(answer)
        connection.poller.outbox.hold()
        connection.write(b"one")
        connection.write(b"two")
        connection.poller.outbox.release()
        assert connection.waits
        connection.poller.turn()
        assert connection.kernel.sent == b"onetwo"

    def test_goes_out_before_an_end(self, written):
        """That began while it was held: Twisted sends it."""
        connection = written()
        connection.poller.outbox.hold()
        connection.write(b"last words")
        connection.transport.loseConnection()
        connection.poller.outbox.release()
        connection.poller.turn()
        assert connection.kernel.sent == b"last words"
        assert connection.protocol.reason is ConnectionDone

    @pytest.mark.parametrize("turns_first", [True, False])
    def test_is_lost_with_its_connection(self, written, turns_first):
        """Which was aborted meanwhile; the outbox meets one that is gone."""
        connection = written()
        connection.poller.outbox.hold()
        connection.write(b"never")
        connection.transport.abortConnection()
        if turns_first:
            connection.poller.turn()
        connection.poller.outbox.release()
        connection.poller.turn()
        assert connection.kernel.sent == b""
        assert connection.protocol.reason is ConnectionAborted


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=30).map(lambda data: ("write", data)),
            st.sampled_from(["hold", "release", "turn"]).map(lambda step: (step, b"")),
        ),
        max_size=30,
    ),
    st.lists(st.integers(0, 20) | st.just(FULL), max_size=30),
)
def test_all_that_is_written_arrives_once_and_in_order(steps, answers):
    """However the kernel takes it, whatever is held."""
    connection = Written(*answers)
    expected = b""
    for step, data in steps:
        if step == "write":
            connection.write(data)
            expected += data
        elif step == "turn":
            connection.poller.turn()
        else:
            getattr(connection.poller.outbox, step)()
        assert expected.startswith(connection.kernel.sent)
        assert queued_bytes(connection.transport) == len(expected) - len(connection.kernel.sent)
    connection.poller.outbox.release()
    connection.kernel.answers.clear()
    connection.poller.turn()
    assert connection.kernel.sent == expected
    assert not connection.waits
    connection.kernel.close()


@pytest.fixture
def sockets():
    """Both ends of a connection."""
    client, server = socket.socketpair()
    yield client, server
    client.close()
    server.close()


def test_a_read_is_a_small_one(sockets):
    """Of one peer's flood no more than 32 KiB is taken before it is another's turn."""
    client, server = sockets
    receiver = Receiver()
    transport = PromptServer(server, receiver, ("192.0.2.1", 1), None, 1, WatchingPoller())
    client.sendall(b"a" * 50_000)
    assert transport.doRead() is None
    assert [len(data) for data in receiver.received] == [32_768]


def test_what_a_read_may_find(sockets):
    """Nothing, an end, or an error."""
    client, server = sockets
    transport = PromptServer(server, Receiver(), ("192.0.2.1", 1), None, 1, WatchingPoller())
    assert transport.doRead() is None
    client.close()
    assert isinstance(transport.doRead(), ConnectionDone)
    server.close()
    assert isinstance(transport.doRead(), ConnectionLost)


def test_what_the_log_would_call_it(sockets):
    """Is made when it is asked for; addresses of IPv6 are known for what they are."""
    address = ("2001:db8::1", 1, 0, 0)
    transport = PromptServer(sockets[1], Receiver(), address, None, 7, WatchingPoller())
    assert transport.logPrefix() == "PromptServer,7,2001:db8::1"
    assert repr(transport) == "<PromptServer,7,2001:db8::1>"
    assert transport.getPeer() == IPv6Address("TCP", "2001:db8::1", 1)


@pytest.mark.parametrize(
    ("twisted", "prompt", "address"),
    [(tcp.Server, PromptServer, ("192.0.2.1", 1)), (unix.Server, PromptUnixServer, "")],
)
def test_ports_make_prompt_transports(sockets, twisted, prompt, address):
    """Of TCP and of unix sockets; their reactor is the poller."""
    poller = WatchingPoller()
    transport = served_by(poller, twisted)(sockets[1], Receiver(), address, None, 1, None)
    assert type(transport) is prompt
    assert transport.reactor is poller
    transport.write(b"at once")
    assert sockets[0].recv(100) == b"at once"
