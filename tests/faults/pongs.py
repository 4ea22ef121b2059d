"""Thousands of peers that do nothing but answer pings, late."""

from __future__ import annotations

import heapq
import itertools
import random
import selectors
import socket
import time

from tests.support.peer import PING, PONG, frame, request

__all__ = ["LatePongs"]

_TIMEOUT_S = 60.0
_AT_ONCE = 100  # handshakes under way, well below what one address may have
_ADDRESSES = 10


class LatePongs:
    """``count`` peers from ten addresses, whose pongs come up to ``delay_s`` after the pings."""

    def __init__(self, port: int, count: int, delay_s: float, chance: random.Random) -> None:
        self.pongs = 0
        self.ended = 0
        self._delay_s = delay_s
        self._chance = chance
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, socket.socket, bytes]] = []
        self._order = itertools.count()
        self._sockets: list[socket.socket] = []
        for first in range(0, count, _AT_ONCE):
            self._join(port, range(first, min(count, first + _AT_ONCE)))

    def __enter__(self) -> LatePongs:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in self._sockets:
            sock.close()

    def _join(self, port: int, numbers: range) -> None:
        """Do the handshakes of some, all at once."""
        joining = []
        for number in numbers:
            source = (f"127.0.5.{number % _ADDRESSES + 1}", 0)
            sock = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S, source)
            sock.sendall(request(f"/late-{number}"))
            joining.append(sock)
        for sock in joining:
            head, _, rest = sock.recv(4096).partition(b"\r\n\r\n")
            assert b" 101 " in head
            self._sockets.append(sock)
            self._selector.register(sock, selectors.EVENT_READ)
            self._take(sock, rest)

    def run(self, pongs: int) -> None:
        """Answer pings until so many were answered."""
        end_s = time.monotonic() + _TIMEOUT_S
        while self.pongs < pongs:
            assert time.monotonic() < end_s, f"{self.pongs} pongs in {_TIMEOUT_S:g} s"
            wait_s = self._due[0][0] - time.monotonic() if self._due else 1.0
            for key, _ in self._selector.select(max(0.0, wait_s)):
                self._read(key.fileobj)
            self._answer()

    def _read(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(4096)
        except ConnectionResetError:
            data = b""
        if data:
            self._take(sock, data)
        else:
            self.ended += 1
            self._selector.unregister(sock)

    def _take(self, sock: socket.socket, data: bytes) -> None:
        """Note when to answer; a ping is short, and nothing else comes."""
        if not data:
            return
        assert data[0] == 0x80 | PING
        due_s = time.monotonic() + self._chance.uniform(0, self._delay_s)
        heapq.heappush(self._due, (due_s, next(self._order), sock, data[2:]))

    def _answer(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, sock, payload = heapq.heappop(self._due)
            try:
                sock.sendall(frame(PONG, payload))
            except (BrokenPipeError, ConnectionResetError):
                continue
            self.pongs += 1
