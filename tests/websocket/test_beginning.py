"""What stands on the class is what Autobahn would have set on the connection."""

from __future__ import annotations

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.task import Clock

from rtcsig.settings import Settings
from rtcsig.websocket.beginning import beginning_of
from tests.support.memory import MemoryPeer, house_of, recording_dialect

# Made when it is used; and of those that follow, one does for all.
LAZY = {"utf8validator"}
SHARED = {"is_open", "is_closed", "trafficStats"}
# Ours is a tuple: what is only looked at needs no list.
EMPTY = {"send_queue"}


def test_nothing_that_autobahn_sets_is_missing_or_different():
    """Should a release of Autobahn set more, this fails."""
    ours = beginning_of(Settings())
    theirs = WebSocketServerProtocol()
    theirs.factory = MemoryPeer(house_of(Clock())).protocol.factory
    theirs.trackTimings, theirs.openHandshakeTimeout, theirs.CONFIG_ATTRS = False, 0, ()
    theirs._connectionMade()
    # Of events that we have none of, and of a transport that we know.
    begun = vars(theirs).keys() - {"factory", "_valid_events", "_results"}
    assert begun - ours.keys() == LAZY
    for name in begun - LAZY - SHARED - EMPTY - {"_transport_details", "trackTimings"}:
        assert ours[name] == vars(theirs)[name], name
    assert all(not ours[name] and not vars(theirs)[name] for name in EMPTY)


def test_every_option_of_autobahn_is_set():
    """But for those that the factory is asked for, and one that is ours to set."""
    options = set(WebSocketServerProtocol.CONFIG_ATTRS)
    elsewhere = {"allowedOrigins", "allowedOriginsPatterns", "allowNullOrigin", "tcpNoDelay"}
    assert options - elsewhere <= beginning_of(Settings()).keys()


def test_an_idle_connection_has_little_of_its_own():
    """Neither Autobahn's state nor the request, whichever way it was read."""
    for more in ([], ["Unusual : field"]):
        peer = MemoryPeer(house_of(Clock(), recording_dialect([])), "/x", *more)
        own = vars(peer.protocol)
        # Up to thirty names CPython keeps once for all of a class.
        assert len(own) <= 30, sorted(own)
        assert not [name for name in own if name.startswith(("http_", "websocket_o"))]


def test_a_connection_has_a_validator_of_its_own():
    """Two that are amid a text at once do not meet."""
    house = house_of(Clock())
    one, other = MemoryPeer(house, "/a").protocol, MemoryPeer(house, "/b").protocol
    assert one.utf8validator is one.utf8validator
    assert one.utf8validator is not other.utf8validator
