"""Whatever happens, in whatever order, a connection is counted, bounded and over in the end.

Hypothesis drives several connections of one house, with time by hand, and looks
at all of them after every step. A new way to harm a connection is a new rule,
a new line in ``FAULTS``, or a new word in ``tests/support/utterances.py``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.task import Clock

from rtcsig.codes import CloseCode
from rtcsig.dialects import Mount, MountTable
from rtcsig.door.life import State
from rtcsig.hub import Namespace
from tests.support.memory import house_of
from tests.support.promises import LIMITS, MAX_MESSAGE_BYTES, Promises
from tests.support.utterances import FRAMES, HEADS, pieces_of
from tests.support.watched import WATCHED, WatchedConnection

LEAST_STEPS = 10_000 if os.environ.get("CI") else 1_000
STEPS_PER_EXAMPLE = 50

# Longer than any connection can last whose peer says nothing.
SILENCE_QUARTERS = 4 * int(sum(LIMITS[name] for name in LIMITS if name.endswith("_s")) + 1)
FEW = 5  # to end them all at once too often would leave nothing to look at

SET_UP_FAULTS = (
    "transport.getPeer",
    "transport.setTcpNoDelay",
    "protocol._set_alarm",
)
FAULTS = (
    "transport.getPeer",
    "transport.write",
    "transport.loseConnection",
    "transport.loseWriteConnection",
    "transport.registerProducer",
    "transport.unregisterProducer",
    "protocol._set_alarm",
    "protocol.processHandshake",
    "protocol.processData",
    "protocol.sendMessage",
    "protocol.sendPing",
    "protocol.sendPong",
    "protocol.sendCloseFrame",
    "protocol.dropConnection",
    "protocol.admit",
    "protocol.take",
    "protocol.ponged",
    "session.made",
    "session.opened",
    "session.received",
    "session.received_binary",
    "session.closed",
)
# Mostly open ones: to act on one that is gone must do nothing, and rarely does.
CONNECTION = st.runner().flatmap(lambda machine: st.sampled_from(machine.worth_a_step()))
ANY_CONNECTION = st.runner().flatmap(lambda machine: st.sampled_from(machine.all))
PATH = st.sampled_from(["/peers/ada", "/peers/ada", "/peers/bob", "/echo/x"])
PEER = st.sampled_from(["ada", "bob", "nobody"])
HEAD = st.one_of(st.just("right"), st.just("deflate"), st.sampled_from(sorted(HEADS)))
FRAME = st.one_of(st.just("text"), st.just("right pong"), st.sampled_from(sorted(FRAMES)))
CUTS = st.lists(st.integers(-12, 200), max_size=4)
QUARTERS = st.sampled_from([1, 1, 1, 2, 3, 4, 8, 20])
SELDOM = st.sampled_from([False, False, False, True])
WHEN = st.sampled_from(["before", "after"])
FAULT = st.tuples(st.sampled_from(FAULTS), WHEN)
NO_FAULTS = st.just([])
any_is_there = precondition(lambda machine: machine.all)


@dataclass
class Tally:
    """How often the machine was looked at."""

    examples: int = 0
    looks: int = 0

    @property
    def steps(self) -> int:
        """How many rules were run: the first look at each example comes before them."""
        return self.looks - self.examples


class ConnectionMachine(Promises, RuleBasedStateMachine):
    """Several connections of one house."""

    def __init__(self, logged, tally):
        super().__init__()
        self.logged = logged
        self.logged.errors()  # those of an example that failed say nothing of this one
        self.tally = tally
        self.tally.examples += 1
        self.has_held = False
        self.clock = Clock()
        self.namespaces = [Namespace("/peers"), Namespace("/echo")]
        self.all: list[WatchedConnection] = []

    @initialize(compression=st.sampled_from(["off", "deflate"]))
    def build(self, compression):
        """Build the house; two peers who can hear each other are there first."""
        self.house = house_of(self.clock, compression=compression, **LIMITS)
        self.house.mounts = MountTable(
            [
                Mount(namespace.name, dialect, namespace)
                for dialect, namespace in zip(WATCHED, self.namespaces, strict=True)
            ]
        )

        self.join("/peers/ada", [])
        self.join("/peers/bob", [])

    # -- what peers do --------------------------------------------------------------

    def living(self) -> list[WatchedConnection]:
        """The connections whose transport has not reported the end."""
        return [connection for connection in self.all if not connection.transport.is_lost]

    def worth_a_step(self) -> list[WatchedConnection]:
        """Those that something can still happen to, the open ones twice; all, if there are none."""
        living = [there for there in self.living() if not there.transport.is_aborted]
        return living + [there for there in living if there.life is State.OPEN] or self.all

    def _accept(self, faults) -> WatchedConnection:
        connection = WatchedConnection(self.house, f"connection-{len(self.all) + 1}")
        self.all.append(connection)
        for point, when in faults:
            connection.arm(point, when)
        connection.transport.accepted(connection.protocol)
        return connection

    @rule()
    def connect(self):
        """A peer comes and says nothing yet."""
        self._accept([])

    @rule(point=st.sampled_from(SET_UP_FAULTS), when=WHEN)
    def connect_in_vain(self, point, when):
        """A connection's set-up fails: it is aborted at once and leaves nothing."""
        connection = self._accept([(point, when)])
        assert connection.transport.ends == ["reset"]
        assert connection.protocol not in self.house.connections
        assert connection.life is State.CLOSED
        assert connection.protocol._alarm is None

    @rule(when=WHEN)
    def arrive_in_vain(self, when):
        """A connection that is set up meets a fault before its request is read."""
        connection = self._accept([("protocol.arrived", when)])
        assert connection.life is State.CLOSING

    @rule()
    def come_while_it_lags(self):
        """A newcomer is refused while the reactor lags; those who are there are not."""
        self.house.turnstile.is_lagging = True
        connection = self._accept([])
        self.house.turnstile.is_lagging = False
        assert connection.life is State.CLOSING
        assert connection.protocol._ticket is None

    @rule(path=PATH, faults=st.one_of(NO_FAULTS, NO_FAULTS, st.lists(FAULT, max_size=2)))
    def join(self, path, faults):
        """A peer comes and asks as it should; what comes of it may fail."""
        connection = self._accept([])
        for point, when in faults:
            connection.arm(point, when)
        connection.transport.receive(HEADS["deflate"](path))

    @any_is_there
    @rule(connection=CONNECTION, head=HEAD, path=PATH, cuts=CUTS, holds=SELDOM)
    def ask(self, connection, head, path, cuts, holds):
        """A request comes in pieces; the last one may be late."""
        self._deliver(connection, HEADS[head](path), cuts, holds)

    @any_is_there
    @rule(
        connection=CONNECTION,
        frames=st.lists(FRAME, min_size=1, max_size=4),
        to=PEER,
        cuts=CUTS,
        holds=SELDOM,
    )
    def speak(self, connection, frames, to, cuts, holds):
        """Frames come, several in one read or one in several; the last piece may be late."""
        ping = connection.protocol._ping_payload or b""
        data = b"".join(FRAMES[name](to, ping) for name in frames)
        self._deliver(connection, data, cuts, holds)

    @any_is_there
    @rule(connection=CONNECTION, to=PEER, times=st.integers(1, 6), binary=SELDOM)
    def talk(self, connection, to, times, binary):
        """A peer behaves, and has much to say."""
        frame = FRAMES["binary" if binary else "large text"](to, b"")
        self._deliver(connection, frame * times, [], holds=False)

    @any_is_there
    @rule(
        connection=CONNECTION,
        name=st.sampled_from(["text to nobody", "ping", "wrong pong", "next fragment"]),
        times=st.integers(2, 40),
        cuts=CUTS,
    )
    def flood(self, connection, name, times, cuts):
        """A peer says one thing again and again, perhaps more often than it may."""
        first = FRAMES["first fragment"]("bob", b"") if name == "next fragment" else b""
        self._deliver(connection, first + FRAMES[name]("", b"") * times, cuts, holds=False)

    def _deliver(self, connection, data, cuts, holds):
        pieces = pieces_of(connection.held + data, cuts)
        connection.held = pieces.pop() if holds else b""
        for piece in pieces:
            connection.transport.receive(piece)

    @any_is_there
    @rule(connection=CONNECTION)
    def half_close(self, connection):
        """The peer shuts its side."""
        connection.transport.half_close()

    @any_is_there
    @rule(connection=ANY_CONNECTION, how=st.sampled_from(["fin", "reset"]))
    def leave(self, connection, how):
        """The peer, or the network, ends it."""
        connection.transport.lose(how)

    @any_is_there
    @rule(connection=CONNECTION)
    def stall(self, connection):
        """The peer reads nothing from now on."""
        connection.transport.stalled = True

    @any_is_there
    @rule(connection=CONNECTION, max_bytes=st.one_of(st.none(), st.integers(1, 70_000)))
    def read(self, connection, max_bytes):
        """The peer reads again, all or some."""
        stalled, connection.transport.stalled = connection.transport.stalled, False
        connection.transport.turn(max_bytes)
        connection.transport.stalled = stalled and max_bytes is not None

    # -- what the server and the machine do ---------------------------------------------

    @any_is_there
    @rule(
        connection=ANY_CONNECTION,
        size_bytes=st.sampled_from([1, MAX_MESSAGE_BYTES]),
        times=st.integers(1, 5),
        binary=st.booleans(),
    )
    def say(self, connection, size_bytes, times, binary):
        """A session sends."""
        link = connection.protocol
        for _ in range(times):
            (link.send_binary if binary else link.send)(b"s" * size_bytes)

    @any_is_there
    @rule(
        connection=ANY_CONNECTION,
        code=st.sampled_from([CloseCode.NORMAL, CloseCode.REPLACED]),
    )
    def close(self, connection, code):
        """A session closes."""
        connection.protocol.close(code, "a reason")

    @precondition(lambda machine: len(machine.living()) > FEW)
    @rule()
    def drain(self):
        """The server stops: no connection goes on."""
        self.house.close_all(CloseCode.GOING_AWAY, "the server stops")
        for connection in self.all:
            assert connection.life in (State.CLOSING, State.CLOSED) or connection.fired

    @any_is_there
    @rule()
    def turn(self):
        """The reactor comes to every transport."""
        for connection in self.all:
            connection.transport.turn()

    @any_is_there
    @rule(quarters=QUARTERS, turns=st.booleans(), pongs=st.sampled_from([True, True, False]))
    def tick(self, quarters, turns, pongs):
        """Quarters of a second go by, with or without turns of the reactor, and pongs."""
        self.has_held = False  # what a timer raises comes out here
        for _ in range(quarters):
            self.clock.advance(0.25)
            if turns:
                self.turn()
            if pongs:
                self._answer_pings()

    def _answer_pings(self):
        for connection in self.living():
            if not connection.held and connection.protocol._ping_payload is not None:
                self.speak(connection, ["right pong"], "", [], holds=False)

    @any_is_there
    @rule(connection=CONNECTION, faults=st.lists(FAULT, min_size=1, max_size=3))
    def arm(self, connection, faults):
        """Steps of this connection's life will fail once."""
        for point, when in faults:
            connection.arm(point, when)

    # -- what holds after every step ------------------------------------------------------

    @invariant()
    def everything_holds(self):
        """Look at all connections, and count the step."""
        self.tally.looks += 1
        self.has_held = False
        self.look_at_everything()
        self.has_held = True

    # -- how it ends --------------------------------------------------------------------------

    def teardown(self):
        """All peers fall silent: every connection ends by itself, and nothing is left."""
        if not self.has_held:
            return  # the step that failed is what is to be shown
        nobody_left = self.house.empty()
        self.tick(SILENCE_QUARTERS, turns=True, pongs=False)
        for connection in self.all:
            assert connection.transport.is_lost, connection
        assert nobody_left.called
        assert not self.house.connections
        assert not any(self.house.ledger.states.values())
        for session in (session for connection in self.all for session in connection.sessions):
            assert "opened" not in session.calls or session.calls.count("closed") == 1
        self.nothing_escapes()
        self.house.reporter.flush()
        self.only_faults_are_logged()
        assert not self.clock.getDelayedCalls()
        self.logged.events.clear()


def test_connections_keep_their_promises_in_any_order(logged):
    """Thousands of steps in hundreds of lives."""
    tally = Tally()
    run_state_machine_as_test(
        lambda: ConnectionMachine(logged, tally),
        settings=settings(
            max_examples=LEAST_STEPS // STEPS_PER_EXAMPLE * 16 // 10,
            stateful_step_count=STEPS_PER_EXAMPLE,
        ),
    )
    assert tally.steps >= LEAST_STEPS
