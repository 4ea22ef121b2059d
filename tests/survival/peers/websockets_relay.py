"""``websockets`` as a relay, in the manner of its documentation: a dictionary of connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import sys
from urllib.parse import unquote

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

_connections: dict[str, ServerConnection] = {}


async def handler(connection: ServerConnection) -> None:
    """Pass on what one peer sends. What is raised here ends this connection with 1011."""
    name = unquote(connection.request.path.split("/")[1])
    _connections[name] = connection
    try:
        async for text in connection:
            message = json.loads(text)
            destination = _connections.get(message["id"])
            if destination is not None:
                await pass_on(destination, message | {"id": name})
    finally:
        if _connections.get(name) is connection:
            del _connections[name]


async def pass_on(destination: ServerConnection, message: dict[str, object]) -> None:
    """Send to a peer, which may have gone meanwhile."""
    with contextlib.suppress(ConnectionClosed):
        await destination.send(json.dumps(message))


def tls() -> ssl.SSLContext | None:
    """TLS, if there is a certificate."""
    if "TLS_KEY" not in os.environ:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    return context


async def main(port: int) -> None:
    """Serve until the process is ended."""
    async with serve(handler, "127.0.0.1", port, ssl=tls()) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
