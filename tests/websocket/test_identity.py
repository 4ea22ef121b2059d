"""A request for an id that another has waits for the answer, to the byte."""

from __future__ import annotations

import pytest

from rtcsig.door.life import State
from rtcsig.hub import SameId, Terms
from tests.support.memory import MemoryPeer, SteadyClock, house_of
from tests.support.peer import frame, request

PING, PONG = 9, 10
PROBE = Terms(same_id=SameId.PROBE)
# One that is read here, and one that is left to Autobahn.
WAYS = pytest.mark.parametrize(
    "lines", [(), ("Connection: x, Upgrade",)], ids=["short", "autobahn"]
)


@pytest.fixture
def clock():
    """Time by hand."""
    return SteadyClock()


@pytest.fixture
def house(clock):
    """A house in which holders are asked."""
    return house_of(clock, terms=PROBE, compression="deflate")


@pytest.fixture
def holder(house):
    """A peer that is there."""
    return MemoryPeer(house, "/ann")


def newcomer(house, *lines, more=b""):
    """A connection that wants the same id, and is not answered."""
    peer = MemoryPeer(house)
    peer.connect()
    asked = request("/ann", *lines)
    if any(line.startswith("Connection:") for line in lines):
        asked = asked.replace(b"Connection: Upgrade\r\n", b"")
    peer.protocol.dataReceived(asked + more)
    assert not peer.transport.value()
    return peer


def pings(peer):
    """The payloads of the pings that came since the last call."""
    return [received.payload for received in peer.frames() if received.opcode == PING]


@WAYS
def test_a_holder_that_answers(house, holder, clock, lines):
    """Keeps its id; the newcomer gets 409 and gives its place back."""
    peer = newcomer(house, *lines)
    (payload,) = pings(holder)
    holder.send_frame(PONG, payload)
    clock.advance(0)
    status, _, body = peer.http_answer()
    assert (status, body) == (409, "a peer with this id is connected\n")
    assert house.turnstile.connections == 1
    assert not holder.close_codes()
    assert house.ledger.refusals[409, "id-taken"] == 1


@WAYS
def test_a_holder_that_does_not(house, holder, clock, lines):
    """Loses it after two seconds, with 4500."""
    peer = newcomer(house, *lines)
    clock.advance(1.9)
    assert not peer.transport.value()
    clock.advance(0.2)
    assert peer.http_answer()[0] == 101
    assert holder.close_codes() == [4500]
    other = MemoryPeer(house, "/bob")
    other.send({"id": "ann"})
    assert peer.messages() == [{"id": "bob"}]


@WAYS
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_a_holder_that_goes_meanwhile(house, holder, clock, lines, how):
    """Is not waited for."""
    peer = newcomer(house, *lines)
    holder.lost(how)
    clock.advance(0)
    assert peer.http_answer()[0] == 101


@WAYS
def test_what_comes_behind_the_request_is_taken_after_it(house, holder, clock, lines):
    """In one piece with it, or later, byte by byte."""
    other = MemoryPeer(house, "/bob")
    message = frame(1, b'{"id":"bob"}')
    peer = newcomer(house, *lines, more=message)
    for byte in message:
        peer.protocol.dataReceived(bytes([byte]))
    holder.lost()
    clock.advance(0)
    assert peer.http_answer()[0] == 101
    assert other.messages() == [{"id": "ann"}, {"id": "ann"}]


@WAYS
@pytest.mark.parametrize("pieces", [1, 17])
def test_too_much_behind_the_request(house, holder, lines, pieces):
    """Is refused: nobody may speak before the answer."""
    peer = newcomer(house, *lines)
    for _ in range(pieces):
        peer.protocol.dataReceived(b"." * (17 * 1024 // pieces))
    assert peer.http_answer()[0] == 400
    assert house.ledger.refusals[400, "early-data"] == 1


@WAYS
def test_half_a_close_meanwhile(house, holder, clock, lines):
    """Is an end: nothing is decided for it any more."""
    peer = newcomer(house, *lines)
    peer.protocol.readConnectionLost()
    holder.lost()
    clock.advance(0)
    assert not peer.transport.value()
    assert len(house.mounts.find("/")[0].namespace) == 0
    assert not house.ledger.callback_failures


@WAYS
def test_a_request_behind_a_proxy_is_believed_once(clock, lines, logged):
    """That it is taken again is no claim of the client's own."""
    house = house_of(clock, terms=PROBE, compression="deflate", trusted_proxy=("192.0.2.1",))
    holder = MemoryPeer(house, "/ann", "X-Forwarded-For: 203.0.113.7")
    peer = newcomer(house, *lines, "X-Forwarded-For: 203.0.113.8")
    holder.lost()
    clock.advance(0)
    assert peer.http_answer()[0] == 101
    assert peer.protocol.address == "203.0.113.8"
    assert not logged.lines("forwarding not believed")


def test_a_holder_that_ends_by_its_answer_ends_in_time(house, holder, clock):
    """The terms became other ones meanwhile, and its pong lets the newcomer replace it."""
    peer = newcomer(house)
    (payload,) = pings(holder)
    house.mounts.find("/")[0].namespace._keeping.terms = Terms(same_id=SameId.REPLACE)
    holder.send_frame(PONG, payload)
    clock.advance(0)
    assert peer.http_answer()[0] == 101
    assert holder.close_codes() == [4500]
    clock.advance(house.settings.close_timeout_s)
    assert holder.transport.ends


@WAYS
def test_a_newcomer_that_goes(house, holder, clock, lines):
    """Takes nothing from the holder."""
    peer = newcomer(house, *lines)
    peer.lost()
    clock.advance(3)
    assert not holder.close_codes()
    assert house.turnstile.connections == 1


@WAYS
def test_a_newcomer_out_of_time(holder, house, clock, lines):
    """Gets 408, and the holder stays."""
    house.settings = house_of(clock, open_timeout_s=1.0).settings
    peer = newcomer(house, *lines)
    clock.advance(3)
    assert peer.http_answer()[0] == 408
    assert not holder.close_codes()


@WAYS
def test_the_end_of_the_server_meanwhile(house, holder, lines):
    """Is told."""
    peer = newcomer(house, *lines)
    peer.protocol.leave(1001, "the server stops")
    assert peer.http_answer()[0] == 503
    (payload,) = pings(holder)
    holder.send_frame(PONG, payload)
    assert not peer.transport.value()


def test_a_ping_that_is_under_way_serves_as_well(house, holder, clock):
    """It is repeated with its payload, and one answer is enough for all who wait."""
    clock.advance(24.9)
    first = newcomer(house)
    second = newcomer(house)
    payloads = pings(holder)
    assert len(payloads) == 2
    assert len(set(payloads)) == 1
    holder.send_frame(PONG, payloads[0])
    clock.advance(0)
    assert first.http_answer()[0] == second.http_answer()[0] == 409
    clock.advance(100)
    assert holder.transport.ends


def test_a_holder_that_is_closing_is_not_there(house, holder):
    """Its id is free as soon as its end has begun."""
    holder.protocol.close(1001, "")
    assert newcomer_status(house) == 101


def newcomer_status(house):
    """How a newcomer is answered at once."""
    peer = MemoryPeer(house)
    peer.connect()
    return peer.upgrade("/ann")[0]


def test_a_connection_that_is_not_open_is_not_probed(house):
    """Nothing is written to it."""
    peer = MemoryPeer(house)
    peer.connect()
    peer.protocol.probe(lambda: None)
    assert not peer.transport.value()
    assert house.ledger.states[State.HANDSHAKE] == 1


def test_a_ping_that_fails_costs_the_holder_its_connection(house, holder, logged, monkeypatch):
    """It is our fault; the newcomer has the id."""
    monkeypatch.setattr(holder.protocol, "sendPing", lambda payload: 1 // 0)
    peer = MemoryPeer(house)
    peer.connect()
    assert peer.upgrade("/ann")[0] == 101
    assert [str(event["log_failure"].value) for event in logged.errors()] == [
        "integer division or modulo by zero"
    ]
