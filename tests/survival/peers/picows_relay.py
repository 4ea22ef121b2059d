"""``picows`` as a relay, in the manner of its documentation, on uvloop as that advises."""

from __future__ import annotations

import os
import ssl
import sys

import orjson
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

_transports: dict[str, WSTransport] = {}


class Relay(WSListener):
    """One peer, by the id in its path."""

    def __init__(self, request: WSUpgradeRequest) -> None:
        super().__init__()
        self.name = request.path.decode().split("/")[1]

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Be found by others."""
        self.transport = transport
        _transports[self.name] = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Pass on what the peer sends."""
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        message = orjson.loads(frame.get_payload_as_memoryview())
        destination = _transports.get(message["id"])
        if destination is not None:
            message["id"] = self.name
            destination.send(WSMsgType.TEXT, orjson.dumps(message))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Be found no more."""
        if _transports.get(self.name) is transport:
            del _transports[self.name]


def tls() -> ssl.SSLContext | None:
    """TLS, if there is a certificate."""
    if "TLS_KEY" not in os.environ:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    return context


async def main(port: int) -> None:
    """Serve until the process is ended."""
    server = await ws_create_server(Relay, "127.0.0.1", port, ssl=tls())
    await server.serve_forever()


uvloop.run(main(int(sys.argv[1])))
