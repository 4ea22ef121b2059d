"""A peer of any of the servers. All its waits have an end, which is an exception."""

from __future__ import annotations

import itertools
import json
import socket
from types import TracebackType
from typing import Any

from tests.support.peer import CLOSE, PING, PONG, TEXT, Peer, frame
from tests.survival.speech import Speech

__all__ = ["TROUBLE", "Guest", "bulk"]

# How it shows that a server does not serve: cut, refused, silent, no answer of HTTP.
TROUBLE = (OSError, EOFError, ValueError)
TIMEOUT_S = 5.0
_marks = itertools.count()


class Guest:
    """A peer with a name; it is there when it has heard itself."""

    def __init__(self, port: int, speech: Speech, name: str, receive_buffer_bytes: int = 0) -> None:
        self._speech = speech
        self._name = name
        self.socket = socket.socket()
        try:
            if receive_buffer_bytes:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            self.socket.settimeout(TIMEOUT_S)
            self.socket.connect(("127.0.0.1", port))
            self._join()
        except BaseException:
            self.socket.close()
            raise

    def _join(self) -> None:
        self._peer = Peer.over(self.socket)
        self.socket.settimeout(TIMEOUT_S)
        status = self._peer.upgrade(self._speech.path(self._name))[0]
        if status != 101:
            raise EOFError(f"HTTP status {status}")
        if joining := self._speech.joins(self._name):
            self._peer.send(joining)
        self.hear_self()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def tell(self, other: Guest) -> None:
        """A message to another peer, which has to come there."""
        mark = f"mark-{next(_marks)}."
        self._peer.send(self._speech.to(other._name, {"mark": mark}))
        other._hear(mark.encode())

    def hear_self(self) -> None:
        """A message to oneself: what was sent before has been dealt with when it comes."""
        self.tell(self)

    def _hear(self, mark: bytes) -> None:
        while mark not in (received := self._peer.receive_frame()).payload:
            if received.opcode == CLOSE:
                raise EOFError(f"close code {received.payload[:2]!r}")
            if received.opcode == PING:
                self._peer.send_frame(PONG, received.payload)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, past the protocol."""
        self.socket.sendall(data)

    def to(self, name: str, **said: Any) -> bytes:
        """The frame of a message to a peer, there or not."""
        return bulk(json.dumps(self._speech.to(name, said)).encode())

    def naming(self, names: list[str]) -> bytes:
        """The frames of messages that have these names."""
        return b"".join(bulk(json.dumps(said).encode()) for said in self._speech.naming(names))


def bulk(payload: bytes) -> bytes:
    """A text frame whose mask is zero, which is quick to make and as good as any."""
    unmasked = frame(TEXT, payload, masked=False)
    head = bytearray(unmasked[: len(unmasked) - len(payload)])
    head[1] |= 0x80
    return bytes(head) + bytes(4) + payload
