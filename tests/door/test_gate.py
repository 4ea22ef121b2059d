"""The accept loop: a port whose socket answers what the test says."""

from __future__ import annotations

import errno

import pytest
from twisted.internet import tcp
from twisted.internet.task import Clock
from twisted.logger import Logger

from rtcsig.door.accepting import FULL_PAUSE_S, MAX_GONE_IN_A_ROW, PAUSE_S
from rtcsig.door.gate import AcceptGate
from rtcsig.door.ledger import Ledger
from rtcsig.door.report import Reporter

ADDRESS = ("192.0.2.1", 40_000)


def failing(number):
    """An answer of accept."""
    return OSError(number, "as the test says")


class Connection:
    """An accepted socket."""

    closed = False

    def close(self):
        self.closed = True


class Protocol:
    """Keeps its transport, or raises."""

    def __init__(self, fails):
        self.transport = None
        self._fails = fails

    def makeConnection(self, transport):
        self.transport = transport
        if "connect" in self._fails:
            raise RuntimeError("secret")


class Port:
    """A listening port with answers to accept, and switches for what fails."""

    sessionno = 0
    reactor = None

    def __init__(self, *answers):
        self.socket = self.factory = self
        self.answers = list(answers)
        self.listens = True
        self.fails = {}
        self.protocols = []
        self.transports = []
        self.aborted = 0

    def accept(self):
        answer = self.answers.pop(0) if self.answers else failing(errno.EAGAIN)
        if isinstance(answer, Exception):
            raise answer
        return answer, ADDRESS

    def pauseProducing(self):
        self.listens = False

    def resumeProducing(self):
        self.listens = True

    def _buildAddr(self, address):
        return address

    def buildProtocol(self, address):
        if "build" in self.fails:
            raise self.fails["build"]
        self.protocols.append(Protocol(self.fails))
        return self.protocols[-1]

    def transport(self, connection, *rest):
        if "register" in self.fails:
            raise self.fails["register"]
        self.transports.append(connection)
        return self

    def abortConnection(self):
        self.aborted += 1

    @property
    def served(self):
        """How many connections met their protocol."""
        return sum(protocol.transport is not None for protocol in self.protocols)


class Gated:
    """A gate, with what is around it."""

    def __init__(self, *answers):
        self.clock = Clock()
        self.ledger = Ledger()
        self.reporter = Reporter(Logger("rtcsig"), self.clock, self.ledger)
        self.port = Port(*answers)
        self.room = 1_000_000
        self.gate = AcceptGate(
            self.port,
            "tcp:1",
            self.ledger,
            self.reporter,
            self.clock,
            has_room=lambda: self.port.served < self.room,
        )

    def turn(self):
        """The reactor says that somebody waits, until nobody does or the listener pauses."""
        while self.port.answers and self.port.listens:
            self.port.doRead()


def test_everybody_who_waits_is_served():
    """Also more than one turn takes."""
    gated = Gated(*(Connection() for _ in range(250)))
    gated.turn()
    assert gated.port.served == 250
    assert not gated.ledger.accept_errors


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EBADF])
def test_trouble_pauses_the_listener_and_throws_nobody_away(number, logged):
    """Those behind the error wait, and are served when the pause is over."""
    gated = Gated(Connection(), failing(number), *(Connection() for _ in range(5)))
    gated.turn()
    assert (gated.port.served, gated.port.listens, gated.gate.is_paused) == (1, False, True)
    gated.clock.advance(PAUSE_S)
    assert gated.port.listens
    gated.turn()
    assert gated.port.served == 6
    name = errno.errorcode[number]
    assert gated.ledger.accept_pauses == gated.ledger.accept_errors == {name: 1}
    (line,) = logged.lines("listener pauses")
    assert line["fields"]["error"] == name
    assert line["fields"]["remedy"]


def test_trouble_that_stays_costs_two_calls_a_second(logged):
    """No spinning, and a bounded number of lines."""
    gated = Gated()
    calls = 0
    for _ in range(240):
        gated.port.answers = [failing(errno.EMFILE)]
        if gated.port.listens:
            gated.port.doRead()
            calls += 1
        gated.clock.advance(0.25)
    assert calls == 120
    assert len(logged.lines("listener pauses")) <= 6 * 11


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN])
def test_a_connection_that_is_gone_holds_up_nobody(number, logged):
    """It is counted, and not worth a line."""
    gated = Gated(failing(number), Connection(), failing(number), Connection())
    gated.turn()
    assert gated.port.served == 2
    assert gated.ledger.accept_errors == {errno.errorcode[number]: 2}
    assert not gated.ledger.accept_pauses
    assert logged.events == []


def test_connections_that_are_gone_on_and_on_pause():
    """An error that takes nothing out of the queue does not spin either."""
    gated = Gated(*(failing(errno.EPROTO) for _ in range(1000)))
    gated.turn()
    assert gated.gate.is_paused
    assert gated.ledger.accept_errors["EPROTO"] == MAX_GONE_IN_A_ROW + 1


def test_an_exception_of_another_kind_does_not_end_the_listener(logged):
    """The reactor would take a listener out whose doRead raises."""
    gated = Gated(MemoryError(), Connection())
    gated.turn()
    assert gated.ledger.accept_pauses == {"MemoryError": 1}
    gated.clock.advance(PAUSE_S)
    gated.turn()
    assert gated.port.served == 1
    assert len(logged.lines("listener pauses")) == 1


@pytest.mark.parametrize("stage", ["build", "register"])
@pytest.mark.parametrize("error", [failing(errno.ENOSPC), RuntimeError("secret")])
def test_a_failing_set_up_closes_that_socket(stage, error, logged):
    """It is logged and counted; the next is served."""
    bad, good = Connection(), Connection()
    gated = Gated(bad, good)
    gated.port.fails = {stage: error}
    gated.port.doRead.__self__._accepts_per_turn = 1
    gated.port.doRead()
    gated.port.fails = {}
    gated.turn()
    assert bad.closed
    assert not good.closed
    assert gated.port.served == 1
    name = "ENOSPC" if isinstance(error, OSError) else "RuntimeError"
    assert gated.ledger.set_up_failures == {(stage, name): 1}
    (line,) = logged.lines("connection set-up failed")
    assert (line["fields"]["connection"], line["fields"]["address"]) == (1, ADDRESS)
    assert len(logged.errors()) == (0 if name == "ENOSPC" else 1)


def test_a_protocol_that_raises_is_aborted(logged):
    """Its transport is in the reactor by then: the transport has to end it."""
    gated = Gated(Connection())
    gated.port.fails = {"connect": True}
    gated.turn()
    assert gated.port.aborted == 1
    assert gated.ledger.set_up_failures == {("connect", "RuntimeError"): 1}
    assert len(logged.errors()) == 1


def test_a_gate_that_stops_does_not_resume():
    """Nor leave a timer behind."""
    gated = Gated(failing(errno.EMFILE))
    gated.turn()
    gated.gate.stop()
    gated.gate.stop()
    gated.reporter.flush()
    assert not gated.clock.getDelayedCalls()
    assert not gated.gate.is_paused


def test_without_room_everybody_waits(logged):
    """Nobody is accepted only to be thrown away; they are served as soon as there is room."""
    gated = Gated(*(Connection() for _ in range(5)))
    gated.room = 3
    gated.turn()
    assert (gated.port.served, gated.port.listens, gated.gate.is_paused) == (3, False, True)
    assert gated.ledger.accept_pauses == {"full": 1}
    gated.room = 6
    gated.clock.advance(FULL_PAUSE_S)
    gated.turn()
    assert (gated.port.served, gated.port.listens) == (5, True)
    assert not gated.ledger.accept_errors
    assert logged.events == []


def test_a_server_that_stays_full_does_not_spin():
    """One look for each short pause, and none at the queue."""
    gated = Gated(Connection())
    gated.room = 0
    for pauses in range(1, 101):
        gated.turn()
        assert gated.ledger.accept_pauses == {"full": pauses}
        gated.clock.advance(FULL_PAUSE_S)
    assert len(gated.port.answers) == 1


@pytest.fixture
def reserved_by(monkeypatch):
    """Put a reserved descriptor that was lost in the place of Twisted's."""

    def put(opener):
        reserved = tcp._FileDescriptorReservation(opener)
        monkeypatch.setattr(tcp, "_reservedFD", reserved)
        return reserved

    return put


def test_the_reserved_descriptor_is_taken_again(reserved_by):
    """When the pause is over there may be one: Twisted's own loop spins without."""
    reserved = reserved_by(Connection)
    gated = Gated(failing(errno.EMFILE))
    gated.turn()
    assert not reserved.available()
    gated.clock.advance(PAUSE_S)
    assert reserved.available()


@pytest.mark.parametrize("number", [errno.ENFILE, errno.EMFILE])
def test_a_descriptor_that_cannot_be_reserved_keeps_nobody_out(reserved_by, number):
    """The listener goes on without, and the log has no traceback each time it tries."""

    def fail():
        raise failing(number)

    reserved = reserved_by(fail)
    gated = Gated(failing(errno.EMFILE), Connection())
    gated.turn()
    gated.clock.advance(PAUSE_S)
    gated.turn()
    assert gated.port.served == 1
    assert not reserved.available()
