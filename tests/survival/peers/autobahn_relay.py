"""Twisted and Autobahn as shipped, as a relay in the manner of Autobahn's examples."""

from __future__ import annotations

import os
import sys

import orjson
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString

_peers: dict[str, Relay] = {}


class Relay(WebSocketServerProtocol):
    """One peer, by the id in its path."""

    name = ""

    def onConnect(self, request):
        """Take the id."""
        self.name = request.path.split("/")[1]

    def onOpen(self) -> None:
        """Be found by others."""
        _peers[self.name] = self

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """Pass on what the peer sends."""
        message = orjson.loads(payload)
        destination = _peers.get(message["id"])
        if destination is not None:
            message["id"] = self.name
            destination.sendMessage(orjson.dumps(message), isBinary)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        """Be found no more."""
        if _peers.get(self.name) is self:
            del _peers[self.name]


factory = WebSocketServerFactory()
factory.protocol = Relay
endpoint = f"tcp:{sys.argv[1]}:interface=127.0.0.1"
if "TLS_KEY" in os.environ:
    key, certificate = os.environ["TLS_KEY"], os.environ["TLS_CERTIFICATE"]
    endpoint = f"ssl:{sys.argv[1]}:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
serverFromString(reactor, endpoint).listen(factory)
reactor.run()
