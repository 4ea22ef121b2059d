"""A blocking WebSocket client that does what it is told, byte by byte."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
from types import TracebackType
from typing import Any

__all__ = ["Frame", "Peer", "frame", "request", "reset"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_TIMEOUT_S = 15.0


class Frame(tuple):  # noqa: SLOT001 a tuple with two names
    """A received frame: its opcode and its payload."""

    opcode = property(lambda self: self[0])
    payload = property(lambda self: self[1])

    @property
    def close_code(self) -> int:
        """The code in a close frame."""
        assert self.opcode == CLOSE, self
        return int.from_bytes(self.payload[:2], "big")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    final: bool = True,
    masked: bool = True,
    rsv: int = 0,
    mask: bytes | None = None,
) -> bytes:
    """A client's frame; what is against the RFC can be asked for, and a mask that is not random."""
    first = (0x80 if final else 0) | rsv << 4 | opcode
    flag = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, flag | len(payload))
    elif len(payload) < 65_536:
        head = struct.pack("!BBH", first, flag | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, flag | 127, len(payload))
    if not masked:
        return head + payload
    mask = mask or os.urandom(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def request(path: str, *lines: str) -> bytes:
    """An upgrade request; ``lines`` are further header lines."""
    key = base64.b64encode(os.urandom(16)).decode()
    head = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *lines,
        "",
        "",
    ]
    return "\r\n".join(head).encode()


def reset(sock: socket.socket) -> None:
    """Close with a TCP reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Peer:
    """One connection, over TLS if there is a context for it.

    Every wait has an end, which is a failure.
    """

    def __init__(
        self,
        port: int,
        path: str | None = None,
        *lines: str,
        address: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        connected = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S, (address, 0))
        self._use(tls.wrap_socket(connected) if tls else connected)
        if path is not None:
            status, _, _ = self.upgrade(path, *lines)
            assert status == 101, status

    @classmethod
    def over(cls, connected: socket.socket) -> Peer:
        """Make a peer on a socket that is connected already."""
        peer = cls.__new__(cls)
        peer._use(connected)
        return peer

    def _use(self, connected: socket.socket) -> None:
        connected.settimeout(_TIMEOUT_S)
        if connected.family != socket.AF_UNIX:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connected
        self._received = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def upgrade(self, path: str, *lines: str) -> tuple[int, dict[str, str], str]:
        """Ask for the upgrade; returns status, header fields (lower case) and body."""
        self.socket.sendall(request(path, *lines))
        return self.http_answer()

    def http_answer(self) -> tuple[int, dict[str, str], str]:
        """Read an HTTP answer; for 101 what follows its head stays to be read as frames."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        body = self._take(int(fields.get("content-length", 0)))
        return int(status_line.split()[1]), fields, body.decode()

    def send(self, message: Any) -> None:
        """Send a text message: bytes as they are, anything else as JSON."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.socket.sendall(frame(TEXT, payload))

    def send_frame(self, opcode: int, payload: bytes = b"", **faults: Any) -> None:
        """Send one frame."""
        self.socket.sendall(frame(opcode, payload, **faults))

    def receive(self) -> Any:
        """The next message, from JSON; pings are answered on the way."""
        return json.loads(self.receive_raw())

    def receive_raw(self) -> bytes:
        """The next text message as bytes; pings are answered on the way."""
        while True:
            received = self.receive_frame()
            if received.opcode == PING:
                self.send_frame(PONG, received.payload)
            else:
                assert received.opcode == TEXT, received
                return received.payload

    def receive_frame(self) -> Frame:
        """The next frame, of whatever kind. Raises ``EOFError`` at the end of the stream."""
        first, second = self._take(2)
        length = second & 0x7F
        assert not second & 0x80, "a server's frame is not masked"
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return Frame((first & 0x0F, self._take(length)))

    def close(self) -> Frame:
        """Do the closing handshake; returns the answer."""
        self.send_frame(CLOSE, struct.pack("!H", 1000))
        while (received := self.receive_frame()).opcode != CLOSE:
            pass
        self.wait_for_end()
        self.socket.close()
        return received

    def wait_for_end(self) -> str:
        """Read until the server ends the connection: ``eof`` or ``reset``."""
        try:
            while self.socket.recv(65_536):
                pass
        except ConnectionResetError:
            return "reset"
        return "eof"

    def reset(self) -> None:
        """Close with a TCP reset."""
        reset(self.socket)

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            self._more()
        taken, self._received = self._received[:count], self._received[count:]
        return taken

    def _more(self) -> None:
        more = self.socket.recv(65_536)
        if not more:
            raise EOFError("the server ended the connection")
        self._received += more
