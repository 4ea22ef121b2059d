"""Control clients in a process of their own: ``python -m tests.support.control_program JSON``.

Pairs of well-behaved clients that send each other a numbered message at a
steady pace, and write down all that they see, one JSON list a line:

    ["open", when_s, client, attempts]      ["ready", when_s]     ["now", when_s]
    ["sent", when_s, client, number]        ["got", when_s, client, number]
    ["lost", when_s, client, how]           ["error", when_s, client, code]

The times are those of ``time.monotonic``, which all processes share. The
program ends when its standard input ends, or after ``limit_s``.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.peer import CLOSE, PING, PONG, TEXT, frame, request

_MAX_ATTEMPTS = 50
_TIMEOUT_S = 30.0
_IN_FLIGHT_S = 30.0
_GOODBYE_S = 5.0

_Note = Callable[..., None]


def _ignore(*note: Any) -> None:
    """Write nothing down."""


def _connected(options: dict[str, Any], peer_id: str) -> tuple[socket.socket, bytes, int]:
    """An open WebSocket, what came behind its opening, and how many attempts it took.

    A server in which every third set-up fails is tried again: that fault is
    not what the control clients are there to see.
    """
    where = ("127.0.0.1", options["port"])
    for attempt in range(1, _MAX_ATTEMPTS + 1):
        try:
            sock = socket.create_connection(where, _TIMEOUT_S, (options["address"], 0))
        except ConnectionResetError:  # as soon as that: connect(2) itself says so
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            rest = _upgraded(sock, f"/{peer_id}", options["lines"])
        except OSError:
            rest = None
        if rest is not None:
            sock.setblocking(False)
            return sock, rest, attempt
        sock.close()
    raise SystemExit(f"no WebSocket in {_MAX_ATTEMPTS} attempts")


def _upgraded(sock: socket.socket, path: str, lines: list[str]) -> bytes | None:
    """What came behind the answer 101; None for another answer or none."""
    sock.sendall(request(path, *lines))
    received = b""
    while b"\r\n\r\n" not in received:
        more = sock.recv(4096)
        if not more:
            return None
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    return rest if b" 101 " in head.split(b"\r\n")[0] else None


class _Client:
    """One control client, whose partner's messages are numbered without a gap."""

    def __init__(self, options: dict[str, Any], own: str, partner: str, note: _Note) -> None:
        self.socket, self._received, attempts = _connected(options, own)
        self.own = own
        self.is_open = True
        self.next_s = 0.0
        self._partner = partner
        self._note = note
        self.received = 0
        self.sent = 0
        self._unsent = b""
        note("open", own, attempts)

    def send_message(self) -> None:
        """Send the next message to the partner."""
        message = json.dumps({"id": self._partner, "type": "control", "n": self.sent})
        self._note("sent", self.own, self.sent)
        self.sent += 1
        self._send(frame(TEXT, message.encode()))

    def say_goodbye(self) -> None:
        """Begin the closing handshake; what comes after it is no loss."""
        self._note = _ignore
        self._send(frame(CLOSE, (1000).to_bytes(2, "big")))

    def take(self) -> None:
        """Take what has come."""
        try:
            more = self.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error.strerror or "error")
            return
        if not more:
            self._lost("eof")
            return
        self._received += more
        for opcode, payload in self._frames():
            self._take_frame(opcode, payload)

    def flush(self) -> None:
        """Send what the kernel did not take before."""
        self._send(b"")

    def _take_frame(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._send(frame(PONG, payload))
        elif opcode == CLOSE:
            self._lost(f"close {int.from_bytes(payload[:2], 'big')}")
        elif opcode == TEXT:
            message = json.loads(payload)
            if message.get("type") == "control":
                self.received += 1
                self._note("got", self.own, message["n"])
            else:
                self._note("error", self.own, message.get("code"))

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        """The whole frames that have come; no message of ours is longer than 64 KiB."""
        while len(self._received) >= 4:
            length, start = self._received[1], 2
            if length == 126:
                length, start = int.from_bytes(self._received[2:4], "big"), 4
            if len(self._received) < start + length:
                return
            whole = self._received[: start + length]
            self._received = self._received[start + length :]
            yield whole[0] & 0x0F, whole[start:]

    def _send(self, data: bytes) -> None:
        self._unsent += data
        try:
            while self.is_open and self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._lost(error.strerror or "error")

    def _lost(self, how: str) -> None:
        if self.is_open:
            self.is_open = False
            self._note("lost", self.own, how)


class _Program:
    """All clients, in one loop."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._interval_s = options["interval_s"]
        self._end_s = time.monotonic() + options["limit_s"]
        self._book = Path(options["book"]).open("w", encoding="utf-8")  # noqa: SIM115 it is open as long as the program runs
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)
        names = [f"{options['name']}{number}" for number in range(2 * options["pairs"])]
        self._clients = [
            _Client(options, own, names[place ^ 1], self._note) for place, own in enumerate(names)
        ]
        for client in self._clients:
            self._selector.register(client.socket, selectors.EVENT_READ, client)

    def run(self) -> None:
        """Exchange messages until the end, then close every connection."""
        now_s = time.monotonic()
        for place, client in enumerate(self._clients):
            client.next_s = now_s + self._interval_s * place / len(self._clients)
        self._note("ready")
        while self._turn(self._until_next_s()) and time.monotonic() < self._end_s:
            self._send_due()
        self._turn_while(self._some_are_in_flight, _IN_FLIGHT_S)
        for client in self._clients:
            client.say_goodbye()
        self._turn_while(self._some_are_open, _GOODBYE_S)
        for client in self._clients:
            client.socket.close()
        self._book.close()

    def _turn_while(self, condition: Callable[[], bool], timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        while condition() and time.monotonic() < end_s:
            self._turn(self._interval_s)

    def _some_are_open(self) -> bool:
        return any(client.is_open for client in self._clients)

    def _some_are_in_flight(self) -> bool:
        """Whether messages are under way; not when they may have been lost with a connection."""
        return all(client.is_open for client in self._clients) and (
            sum(client.sent - client.received for client in self._clients) > 0
        )

    def _turn(self, timeout_s: float) -> bool:
        """Take what comes; whether standard input is still open."""
        goes_on = True
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                goes_on = False
                self._selector.unregister(sys.stdin)
                continue
            key.data.take()
            if not key.data.is_open:
                self._selector.unregister(key.data.socket)
        self._note("now")
        self._book.flush()
        return goes_on

    def _until_next_s(self) -> float:
        due = [client.next_s for client in self._clients if client.is_open]
        return max(0.0, min(due, default=time.monotonic() + self._interval_s) - time.monotonic())

    def _send_due(self) -> None:
        now_s = time.monotonic()
        for client in self._clients:
            if client.is_open and client.next_s <= now_s:
                client.flush()
                client.send_message()
                client.next_s = max(client.next_s + self._interval_s, now_s)

    def _note(self, what: str, *details: Any) -> None:
        self._book.write(json.dumps([what, time.monotonic(), *details]) + "\n")


if __name__ == "__main__":
    _Program(json.loads(sys.argv[1])).run()
