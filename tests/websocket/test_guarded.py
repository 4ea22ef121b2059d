"""Every step of a connection's life fails once, and costs that connection."""

from __future__ import annotations

import errno
import os

import pytest
from twisted.internet.interfaces import IFileDescriptorReceiver, INegotiated
from twisted.python.failure import Failure
from zope.interface import directlyProvides

from rtcsig.codes import CloseCode
from rtcsig.door.descriptors import MAX_BEYOND
from rtcsig.door.life import State
from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import TEXT, frame

CALLBACKS = {
    "made": ("admission", None),
    "opened": ("open", CloseCode.INTERNAL_ERROR),
    "received": ("message", CloseCode.INTERNAL_ERROR),
    "received_binary": ("message", CloseCode.INTERNAL_ERROR),
    "closed": ("close", CloseCode.NORMAL),
}

UNUSUAL = "Upgrade-Insecure-Requests : 1"  # a head that Autobahn reads


def raiser(error):
    """A function that raises."""

    def raising(*args, **kwargs):
        raise error

    return raising


def assert_nothing_is_left(house, clock):
    """No connection, no state, no timer but the log's."""
    assert not house.connections
    assert house.ledger.connections == 0
    assert not any(house.ledger.states.values())
    house.reporter.flush()
    assert not clock.getDelayedCalls()


@pytest.fixture
def clock():
    """Time by hand."""
    return SteadyClock()


def faulty_set_up(step, error):
    """A peer whose connection fails at one step of its set-up."""
    clock = SteadyClock()
    house = house_of(clock)
    peer = MemoryPeer(house)
    if step == "peer":
        peer.transport.getPeer = raiser(error)
    elif step == "options":
        peer.transport.setTcpNoDelay = raiser(error)
    else:
        peer.protocol._set_alarm = raiser(error)
    return house, clock, peer


@pytest.mark.parametrize("step", ["peer", "options", "timer"])
def test_a_failing_set_up_aborts_at_once(step, logged):
    """The transport is aborted, the failure counted and logged with its context."""
    house, clock, peer = faulty_set_up(step, OSError(errno.ENOTCONN, "gone"))
    peer.connect()
    assert peer.transport.ends == ["reset"]
    assert house.ledger.set_up_failures == {(step, "ENOTCONN"): 1}
    (line,) = logged.lines("connection set-up failed")
    fields = line["fields"]
    assert line["log_level"].name == "warn"
    assert fields["listener"] == "memory"
    assert (fields["stage"], fields["error"], fields["connection"]) == (step, "ENOTCONN", 1)
    assert fields["connections"] == 0
    assert 0 < fields["descriptors"] <= fields["descriptor_limit"]
    assert_nothing_is_left(house, clock)


@pytest.mark.parametrize("step", ["peer", "options", "timer"])
def test_a_half_built_connection_is_deaf(step):
    """Bytes and the loss that follow a failed set-up do nothing, and fail nowhere."""
    house, clock, peer = faulty_set_up(step, OSError(errno.ENOTCONN, "gone"))
    peer.connect()
    peer.protocol.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    peer.lost("aborted")
    assert peer.transport.value() == b""
    assert_nothing_is_left(house, clock)


def test_a_bug_in_the_set_up_leaves_a_traceback(logged):
    """What is no OSError is ours: it is logged as an error, with the traceback."""
    _, _, peer = faulty_set_up("peer", RuntimeError("secret text"))
    peer.connect()
    (error,) = logged.errors()
    assert error["log_failure"].type is RuntimeError
    assert error["fields"]["stage"] == "peer"


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_failing_callback_ends_its_connection(callback, logged, clock):
    """HTTP 500 without our text before the WebSocket is open, 1011 later; one traceback."""
    sessions = []
    house = house_of(clock, recording_dialect(sessions, callback))
    peer = MemoryPeer(house)
    peer.connect()
    status, head, body = peer.upgrade("/a")
    if callback == "made":
        assert status == 500
        assert "secret" not in head + body
    else:
        assert status == 101
    if callback.startswith("received"):
        peer.send_frame(1 if callback == "received" else 2, b"x")
    elif callback == "closed":
        peer.send_frame(8, (1000).to_bytes(2, "big"))
    stage, code = CALLBACKS[callback]
    assert peer.close_codes() == ([code] if code else [])
    assert house.ledger.callback_failures == {(stage, "RuntimeError"): 1}
    assert len(logged.errors()) == 1
    peer.lost()
    assert sessions[0].calls.count("closed") == (0 if callback == "made" else 1)
    assert_nothing_is_left(house, clock)


def test_a_failing_pong_or_timer_ends_the_connection(logged, clock):
    """What runs from a timer or for a control frame is guarded like the rest."""
    house = house_of(clock, recording_dialect([]))
    first, second = MemoryPeer(house, "/a"), MemoryPeer(house, "/b")
    first.protocol.ponged = raiser(RuntimeError())
    second.protocol.sendPing = raiser(RuntimeError())
    first.send_frame(10, b"x")
    clock.advance(25)
    assert first.close_codes() == [1011]
    assert second.close_codes() == [1011]
    assert set(house.ledger.callback_failures) == {
        ("pong", "RuntimeError"),
        ("timer", "RuntimeError"),
    }
    assert len(logged.errors()) == 2


def test_a_failing_parser_ends_the_connection(logged, clock):
    """After an exception in Autobahn's parser 1011 is sent and nothing more is read."""
    house = house_of(clock, recording_dialect([]))
    peer = MemoryPeer(house, "/a")
    peer.protocol.processData = raiser(RuntimeError())
    peer.send_frame(9, b"x")
    peer.send_frame(9, b"x")
    assert peer.close_codes() == [1011]
    assert peer.transport.ends == ["fin"]
    assert len(logged.errors()) == 1
    peer.lost()
    assert_nothing_is_left(house, clock)


def test_a_failing_handshake_parser_is_answered_500(logged, clock):
    """An exception in Autobahn's handshake reaches the client as HTTP 500."""
    house = house_of(clock)
    peer = MemoryPeer(house)
    peer.protocol.processHandshake = raiser(RuntimeError("secret text"))
    peer.connect()
    status, head, body = peer.upgrade("/a", UNUSUAL)
    assert status == 500
    assert "secret" not in head + body
    assert len(logged.errors()) == 1


def test_a_failing_answer_is_no_deferred_that_nobody_reads(logged, clock):
    """An exception while the 101 is built is seen: HTTP 500, one traceback."""
    house = house_of(clock, compression="deflate")
    peer = MemoryPeer(house)
    peer.connect()
    peer.protocol.perMessageCompressionAccept = raiser(RuntimeError("secret text"))
    extension = "Sec-WebSocket-Extensions: permessage-deflate"
    status, head, body = peer.upgrade("/a", extension)
    assert status == 500
    assert "secret" not in head + body
    assert len(logged.errors()) == 1


@pytest.mark.parametrize("operation", ["send", "close", "refuse"])
def test_a_transport_that_raises_harms_nobody_else(operation, logged, clock):
    """``send`` and ``close`` are called by other peers' sessions: they never raise."""
    house = house_of(clock, recording_dialect([]))
    peer = MemoryPeer(house, None if operation == "refuse" else "/a")
    peer.transport.write = raiser(RuntimeError())
    if operation == "refuse":
        peer.connect()
        peer.protocol.dataReceived(b"POST / HTTP/1.1\r\n\r\n")
    elif operation == "send":
        peer.protocol.send(b"x")
    else:
        peer.protocol.close(CloseCode.REPLACED, "x")
    assert peer.transport.ends == ["reset"]
    assert logged.errors()
    peer.lost("aborted")
    assert_nothing_is_left(house, clock)


def test_a_failing_loss_gives_everything_back(logged, clock):
    """What follows on the end fails: it was counted out before."""
    house = house_of(clock)
    peer = MemoryPeer(house, "/a")
    peer.protocol.gone = raiser(RuntimeError())
    peer.lost()
    assert len(logged.errors()) == 1
    assert_nothing_is_left(house, clock)


def test_a_loss_counts_once(clock):
    """A transport that reports its end twice does not count twice."""
    house = house_of(clock)
    peer = MemoryPeer(house, "/a")
    peer.lost("reset")
    peer.lost("reset")
    assert_nothing_is_left(house, clock)


def test_lines_of_one_kind_are_bounded_and_counted(logged, clock):
    """A hundred equal failures make ten lines and one with the count of the rest."""
    house = house_of(clock)
    for _ in range(100):
        peer = MemoryPeer(house)
        peer.transport.getPeer = raiser(OSError(errno.ENOTCONN, "gone"))
        peer.connect()
    clock.advance(10)
    lines = logged.lines("connection set-up failed")
    assert len(lines) == 11
    assert lines[-1]["fields"]["left_out"] == 90
    assert house.ledger.set_up_failures["peer", "ENOTCONN"] == 100


def test_the_state_table_is_the_one_in_use(clock):
    """A connection goes through the states of ``door.life``."""
    house = house_of(clock)
    peer = MemoryPeer(house)
    seen = [peer.protocol._life]
    peer.connect()
    seen.append(peer.protocol._life)
    peer.upgrade("/a")
    seen.append(peer.protocol._life)
    peer.protocol.close(CloseCode.NORMAL, "")
    seen.append(peer.protocol._life)
    peer.protocol.connectionLost(Failure(Exception()))
    seen.append(peer.protocol._life)
    assert seen == [State.NEW, State.HANDSHAKE, State.OPEN, State.CLOSING, State.CLOSED]


@pytest.mark.parametrize(("tls", "end"), [(False, "half"), (True, "fin")])
def test_a_refusal_lets_the_answer_out(clock, tls, end):
    """Our side is shut while the peer may still send; TLS has no half of a close."""
    peer = MemoryPeer(house_of(clock))
    if tls:
        directlyProvides(peer.transport, INegotiated)
    peer.connect()
    assert peer.upgrade("/")[0] == 400
    assert peer.transport.ends == [end]


def lingering(house):
    """As many refused TLS connections as may take their time to go."""
    return [refused_over_tls(house) for _ in range(MAX_BEYOND)]


def refused_over_tls(house):
    """A TLS connection that was refused."""
    peer = MemoryPeer(house)
    directlyProvides(peer.transport, INegotiated)
    peer.connect()
    assert peer.upgrade("/")[0] == 400
    return peer


def test_who_is_refused_over_tls_beyond_the_bound_is_cut(clock):
    """Its close would wait for the peer; there is room again when one of them has gone."""
    house = house_of(clock)
    peers = lingering(house)
    assert {end for peer in peers for end in peer.transport.ends} == {"fin"}
    assert refused_over_tls(house).transport.ends == ["reset"]
    for peer in peers[:2]:
        peer.lost()
    assert refused_over_tls(house).transport.ends == ["fin"]


def test_who_says_too_much_over_tls_is_told_so_in_any_case(clock):
    """It has its place among those who were let in, and is not one of the refused."""
    house = house_of(clock, max_message_rate=1)
    peer = MemoryPeer(house, "/a")
    directlyProvides(peer.transport, INegotiated)
    lingering(house)
    refused_over_tls(house)
    peer.protocol.dataReceived(frame(TEXT, b"{}") * 10)
    assert peer.close_codes() == [1008]
    assert peer.transport.ends == ["fin"]


def test_descriptors_that_a_peer_passes_are_closed(clock):
    """A peer of a unix socket can make the server have no others than its own."""
    peer = MemoryPeer(house_of(clock), "/a")
    ours, passed = os.pipe()
    assert IFileDescriptorReceiver.providedBy(peer.protocol)
    peer.protocol.fileDescriptorReceived(passed)
    assert os.read(ours, 1) == b"", "no writer is left"
    os.close(ours)


def test_an_arrival_that_fails_is_answered_500(logged, clock):
    """A bug before the request is read costs that connection, which is counted and given back."""
    house = house_of(clock)
    peer = MemoryPeer(house)
    peer.protocol.arrived = raiser(RuntimeError("secret text"))
    peer.connect()
    assert peer.http_answer()[0] == 500
    assert house.ledger.callback_failures == {("arrival", "RuntimeError"): 1}
    assert len(logged.errors()) == 1
    peer.lost()
    assert_nothing_is_left(house, clock)


def test_a_failing_farewell_gives_everything_back(logged, clock):
    """The house forgets the connection whatever its end meets."""
    house = house_of(clock)
    peer = MemoryPeer(house, "/a")
    peer.protocol.gone = raiser(RuntimeError("secret text"))
    peer.lost()
    assert house.ledger.callback_failures == {("gone", "RuntimeError"): 1}
    assert len(logged.errors()) == 1
    assert_nothing_is_left(house, clock)
