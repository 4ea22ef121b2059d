"""Autobahn cannot set up every third connection."""

import itertools

from autobahn.websocket.protocol import WebSocketServerProtocol

_connection_made = WebSocketServerProtocol._connectionMade
_fails = itertools.cycle((False, False, True))


def _connectionMade(self):
    """Fail when half of it is done."""
    _connection_made(self)
    if next(_fails):
        raise KeyError("a bug")


WebSocketServerProtocol._connectionMade = _connectionMade
