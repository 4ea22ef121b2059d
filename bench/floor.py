"""The floor of Python: a relay with nothing in it but what a relay of JSON needs.

    python floor.py PORT

As ``floor.c``, it is no server: no limits, no deadlines, no frames but whole ones of
text, nothing for a peer that does not read, and whatever is wrong ends it. What it
does, it does as rtcsig does it: one epoll, big integers to unmask, orjson, one
send for each message. So it shows what is left for a server in this language.
"""

from __future__ import annotations

import hashlib
import select
import socket
import sys
from base64 import b64encode

import orjson

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_READ_BYTES = 32_768


class Client:
    """A connection: its socket, the beginning of a frame, and the id as it is written."""

    __slots__ = ("name", "quoted", "rest", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.rest = b""
        self.name = ""
        self.quoted = b""


def main(port: int) -> None:
    """Relay until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    clients: dict[int, Client] = {}
    by_name: dict[str, Client] = {}
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == listener.fileno():
                accept(listener, poller, clients)
                continue
            client = clients[descriptor]
            try:
                data = client.socket.recv(_READ_BYTES)
            except OSError:
                data = b""
            if not data:
                poller.unregister(descriptor)
                client.socket.close()
                del clients[descriptor]
                if by_name.get(client.name) is client:
                    del by_name[client.name]
            elif client.name:
                relay(client, data, by_name)
            else:
                upgrade(client, data)
                by_name[client.name] = client


def accept(listener: socket.socket, poller: select.epoll, clients: dict[int, Client]) -> None:
    """Take one who waits."""
    connection, _ = listener.accept()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    poller.register(connection, select.EPOLLIN)
    clients[connection.fileno()] = Client(connection)


def upgrade(client: Client, head: bytes) -> None:
    """Open the WebSocket; the request is all there."""
    key = head.partition(b"Sec-WebSocket-Key: ")[2][:24]
    accepted = b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    client.name = head.split(b" ", 2)[1][1:].decode()
    client.quoted = b'"' + client.name.encode() + b'"'
    client.socket.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accepted
    )


def relay(client: Client, data: bytes, by_name: dict[str, Client]) -> None:
    """Pass on all whole messages, each with the sender's id in place of the receiver's."""
    data = client.rest + data
    start, available = 0, len(data)
    while available >= start + 6:
        length, mask = data[start + 1] & 0x7F, start + 2
        if length == 126:  # noqa: PLR2004 RFC 6455, 5.2
            length, mask = data[start + 2] << 8 | data[start + 3], start + 4
        end = mask + 4 + length
        if end > available:
            break
        key = (data[mask : mask + 4] * (length // 4 + 1))[:length]
        unmasked = int.from_bytes(data[mask + 4 : end], "little") ^ int.from_bytes(key, "little")
        text = unmasked.to_bytes(length, "little")
        start = end
        target = by_name.get(orjson.loads(text)["id"])
        if target is not None:
            at = text.find(b'"id":') + 5
            text = text[:at] + client.quoted + text[text.find(b'"', at + 1) + 1 :]
            size = len(text)
            header = (0x81, size) if size < 126 else (0x81, 126, size >> 8, size & 0xFF)  # noqa: PLR2004
            try:
                target.socket.send(bytes(header) + text)
            except OSError:
                continue
    client.rest = data[start:]


main(int(sys.argv[1]))
