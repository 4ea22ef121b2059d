"""What a house and its connections promise at every moment, whatever happened before."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import eventAsText

from rtcsig.codes import CloseCode
from rtcsig.door.life import State
from rtcsig.door.transport import queued_bytes
from rtcsig.hub import Namespace
from rtcsig.websocket.factory import House
from tests.support.watched import InjectedFault, WatchedConnection

__all__ = ["LIMITS", "MAX_MESSAGE_BYTES", "Promises"]

MAX_HEAD_BYTES = 1024
MAX_MESSAGE_BYTES = 20_000
MAX_BACKLOG_BYTES = 65_536
LIMITS = {
    "max_request_head_bytes": MAX_HEAD_BYTES,
    "max_message_bytes": MAX_MESSAGE_BYTES,
    "max_backlog_bytes": MAX_BACKLOG_BYTES,
    "open_timeout_s": 1.0,
    "ping_interval_s": 2.0,
    "pong_timeout_s": 1.0,
    "close_timeout_s": 1.0,
    "slow_reader_timeout_s": 1.0,
    "allow_origin": ("https://good.example",),
    "max_connections": 8,
    "max_frames_per_message": 8,
    # Each lets five seconds' worth through at once.
    "max_message_rate": 3,
    "max_control_frame_rate": 2,
    "max_byte_rate": 60_000,
}
# One message over the bound, a close frame, and what a message grows by on its way.
SLACK_BYTES = MAX_MESSAGE_BYTES + 1024
ALIVE = (State.HANDSHAKE, State.OPEN, State.CLOSING)


class Promises:
    """Looks at all connections of one house."""

    house: House
    clock: Clock
    logged: Any
    namespaces: list[Namespace]
    all: list[WatchedConnection]

    def look_at_everything(self):
        """Look for whatever must hold now."""
        self.nothing_escapes()
        self.only_faults_are_logged()
        self.the_books_are_right()
        self.places_are_counted()
        self.timers_belong_to_the_living()
        self.bytes_are_bounded()
        self.sessions_get_what_was_promised()
        self.ids_belong_to_open_sessions()
        self.a_fault_costs_its_own_connection()

    def nothing_escapes(self):
        """No exception gets out of what Twisted calls."""
        for connection in self.all:
            assert [escape.trace for escape in connection.transport.escaped] == []

    def only_faults_are_logged(self):
        """Every traceback is that of an injected fault, and each fault is counted once."""
        for event in self.logged.errors():
            assert self._is_ours(event), eventAsText(event)
        counted = self.house.ledger.callback_failures + self.house.ledger.set_up_failures
        assert {name for _, name in counted} <= {"InjectedFault"}
        fired = [fault for connection in self.all for fault in connection.fired]
        assert counted.total() == len(fired), (counted, fired)

    def _is_ours(self, event):
        """Whether an error is a fault's, written with its context, or says how many more came."""
        if "log_failure" not in event:
            return "left_out" in event["fields"]
        return event["log_failure"].check(InjectedFault) and event["fields"]["connection"]

    def the_books_are_right(self):
        """What is counted is what is there: made, and not reported lost yet."""
        there = {
            connection.protocol
            for connection in self.all
            if connection.life is not State.CLOSED or connection.protocol in self.house.connections
        }
        ledger = self.house.ledger
        assert there == self.house.connections
        assert ledger.connections == len(there)
        states = Counter(protocol._life for protocol in there)
        assert ledger.states == {state: states[state] for state in State}
        for connection in self.all:
            is_over = connection.transport.is_lost or connection.transport.is_aborted
            assert connection.life in ALIVE or is_over
            assert connection.life is State.CLOSED or not connection.transport.is_lost

    def places_are_counted(self):
        """Whoever was let in has a place until its transport is gone, and no more have one."""
        turnstile = self.house.turnstile
        inside = {
            connection.protocol
            for connection in self.all
            if connection.protocol._ticket is not None and connection.protocol._ticket._is_in
        }
        assert inside <= self.house.connections
        assert turnstile.connections == len(inside) <= turnstile.max_connections
        assert sum(source.connections for source in turnstile._sources.values()) == len(inside)
        half_open = [protocol for protocol in inside if protocol._ticket._is_half_open]
        assert sum(source.half_open for source in turnstile._sources.values()) == len(half_open)
        assert all(protocol._life is not State.OPEN for protocol in half_open)

    def timers_belong_to_the_living(self):
        """No timer is left behind, none is set twice, and whoever stays has one."""
        calls = [call.func for call in self.clock.getDelayedCalls()]
        actions = [deadline.action for deadline in self.house.deadlines]
        owners = Counter((call.__self__, call.__name__) for call in calls + actions)
        assert all(count == 1 for count in owners.values()), owners
        ours = {self.house.reporter, self.house.deadlines}
        connections = {owner for owner, _ in owners} - ours
        assert connections <= self.house.connections
        for connection in self.all:
            if connection.life in ALIVE and not connection.transport.is_aborted:
                assert connection.protocol in connections, connection

    def bytes_are_bounded(self):
        """No peer makes the server keep more than the settings say."""
        for connection in self.all:
            protocol = connection.protocol
            assert queued_bytes(connection.transport) <= MAX_BACKLOG_BYTES + SLACK_BYTES
            assert connection.transport.largest_queue_bytes <= MAX_BACKLOG_BYTES + SLACK_BYTES
            if protocol in self.house.connections:
                # What Autobahn has not looked at yet: at most the rest of one read behind a fault.
                most = max(MAX_HEAD_BYTES, connection.transport.largest_read_bytes + 14)
                assert len(protocol.data) <= most, connection
                kept = getattr(protocol, "message_data", None) or []
                assert sum(map(len, kept)) <= MAX_MESSAGE_BYTES, connection

    def sessions_get_what_was_promised(self):
        """Nothing, or opened, messages, and closed once, as soon as the connection ends."""
        for connection in self.all:
            assert len(connection.sessions) <= 1
            for session in connection.sessions:
                self._look_at_session(connection, session)

    def _look_at_session(self, connection, session):
        assert session.keeps_the_contract() or session.is_kept_by_a_fault, session.calls
        is_open = "opened" in session.calls and "closed" not in session.calls
        assert connection.life is State.OPEN or not is_open, session.calls
        assert is_open or connection.life is not State.OPEN or connection.fired, session.calls

    def ids_belong_to_open_sessions(self):
        """Every id's holder is open, and its newest claimant."""
        for namespace in self.namespaces:
            for peer_id, member in namespace._members.items():
                assert member.peer_id == peer_id
                is_open = member.watched.life is State.OPEN
                assert is_open or member.is_kept_by_a_fault, member.calls
        for connection in self.all:
            if connection.life is State.OPEN and not connection.fired:
                for session in connection.sessions:
                    peer_id = session.peer_id
                    assert not peer_id or self.namespaces[0]._members[peer_id] is session

    def a_fault_costs_its_own_connection(self):
        """Nobody hears of a fault of the server that did not happen on its own connection."""
        for connection in self.all:
            if getattr(connection.protocol, "localCloseCode", None) == CloseCode.INTERNAL_ERROR:
                assert connection.fired
