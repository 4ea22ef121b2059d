"""Control clients: pairs of peers that exchange a message every 100 ms, whatever else happens.

They run as a program of their own, so that what a test does in its process
delays nothing that they measure:
``python -m tests.support.control PORT PAIRS ADDRESS``. It says ``ready`` when all
are connected, ends when its standard input does, and prints then, as JSON, each
message that was sent and what became of it. ``Control`` runs it for a test.
"""

from __future__ import annotations

import json
import math
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.peer import CLOSE, PING, PONG, TEXT, frame, request

__all__ = ["Control", "Window"]

INTERVAL_S = 0.1
ADDRESS = "127.0.9.9"  # so that no limit for one address concerns them
_PAIRS = 10
_PATIENCE_S = 30.0


class Client:
    """One control client: blocking to connect, then only read when there is something."""

    def __init__(self, port: int, address: str, name: str, other: str) -> None:
        self.name = name
        self._other = other
        self._buffer = b""
        self.is_over = False
        self.socket = socket.socket()
        self.socket.settimeout(_PATIENCE_S)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request(f"/{name}"))
        while b"\r\n\r\n" not in self._buffer:
            more = self.socket.recv(65_536)
            if not more:
                raise ConnectionError("no answer")
            self._buffer += more
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise ConnectionError(head.decode("latin-1"))

    def send(self, number: int) -> None:
        """Send a numbered message to the other one of the pair."""
        message = {"id": self._other, "type": "candidate", "number": number}
        self.socket.sendall(frame(TEXT, json.dumps(message).encode()))

    def read(self) -> list[int]:
        """Read what is there; the numbers of the messages that came."""
        try:
            more = self.socket.recv(65_536)
        except OSError:
            more = b""
        self.is_over = self.is_over or not more
        self._buffer += more
        numbers = []
        while (received := self._next_frame()) is not None:
            opcode, payload = received
            if opcode == PING:
                self.socket.sendall(frame(PONG, payload))
            elif opcode == CLOSE:
                self.is_over = True
            elif opcode == TEXT:
                numbers.append(json.loads(payload).get("number", -1))
        return numbers

    def _next_frame(self) -> tuple[int, bytes] | None:
        if len(self._buffer) < 2:
            return None
        length, start = self._buffer[1], 2
        if length == 126:
            length, start = int.from_bytes(self._buffer[2:4], "big"), 4
        if len(self._buffer) < start + length:
            return None
        opcode = self._buffer[0] & 0x0F
        payload = self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        return opcode, payload


class Clients:
    """All control clients of one run, and the fate of their messages."""

    def __init__(self, port: int, pairs: int, address: str) -> None:
        self._sent: list[float] = []
        self._received: list[list[float]] = []
        self._lost_connections = 0
        self._selector = selectors.DefaultSelector()
        self._clients = []
        for number in range(pairs):
            for one, other in (("a", "b"), ("b", "a")):
                name, partner = f"control-{number}-{one}", f"control-{number}-{other}"
                client = Client(port, address, name, partner)
                self._clients.append(client)
                self._selector.register(client.socket, selectors.EVENT_READ, client)
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Exchange messages until the standard input ends; then wait for what is under way."""
        share_s = INTERVAL_S / len(self._clients)
        due_s = time.monotonic()
        turn = 0
        while self._take(max(0.0, due_s - time.monotonic())):
            while due_s <= time.monotonic():
                self._say(self._clients[turn % len(self._clients)])
                turn += 1
                due_s += share_s
        self._selector.unregister(sys.stdin)
        end_s = time.monotonic() + _PATIENCE_S
        while not all(self._received) and time.monotonic() < end_s and not self._all_are_over():
            self._take(INTERVAL_S)
        for client in self._clients:
            client.socket.close()

    def report(self) -> dict[str, Any]:
        """What was sent when, and received when."""
        return {
            "sent": self._sent,
            "received": self._received,
            "lost_connections": self._lost_connections,
        }

    def _all_are_over(self) -> bool:
        return all(client.is_over for client in self._clients)

    def _say(self, client: Client) -> None:
        if client.is_over:
            return
        self._sent.append(time.monotonic())
        self._received.append([])
        try:
            client.send(len(self._sent) - 1)
        except OSError:
            self._is_over(client)

    def _take(self, wait_s: float) -> bool:
        """Read from who has something to say; whether the standard input is open still."""
        for key, _ in self._selector.select(wait_s):
            client = key.data
            if client is None:
                return False
            for number in client.read():
                if number >= 0:
                    self._received[number].append(time.monotonic())
            if client.is_over:
                self._is_over(client)
        return True

    def _is_over(self, client: Client) -> None:
        if client.socket in self._selector.get_map():
            client.is_over = True
            self._lost_connections += 1
            self._selector.unregister(client.socket)


@dataclass(frozen=True)
class Window:
    """What control clients saw of the messages that they sent in some time."""

    latencies_s: list[float]
    missed: int
    repeated: int

    def quantile_ms(self, part: float) -> float:
        """The latency, in milliseconds, below which this part of the messages stayed."""
        ordered = sorted(self.latencies_s)
        if not ordered:
            return math.nan
        return 1000 * ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Control:
    """Runs control clients beside a test; a context manager, to be asked after its end."""

    def __init__(self, port: int, pairs: int = _PAIRS) -> None:
        self._command = [
            sys.executable, "-m", "tests.support.control", str(port), str(pairs), ADDRESS,
        ]  # fmt: skip
        self.clients = 2 * pairs
        self._report: dict[str, Any] = {}

    def __enter__(self) -> Control:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            text=True,
        )
        if self._process.stdout.readline() != "ready\n":
            raise AssertionError("the control clients could not connect")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        output, _ = self._process.communicate()
        if error is None:
            assert self._process.returncode == 0
            self._report = json.loads(output)

    @property
    def lost_connections(self) -> int:
        """How many control clients were cut off."""
        return self._report["lost_connections"]

    def window(self, begin_s: float = 0.0, end_s: float = math.inf) -> Window:
        """The fate of the messages that were sent between two times of ``time.monotonic``."""
        fates = [
            (sent_s, received_s)
            for sent_s, received_s in zip(
                self._report["sent"], self._report["received"], strict=True
            )
            if begin_s <= sent_s < end_s
        ]
        return Window(
            [received_s[0] - sent_s for sent_s, received_s in fates if received_s],
            sum(not received_s for _, received_s in fates),
            sum(len(received_s) > 1 for _, received_s in fates),
        )


if __name__ == "__main__":
    clients = Clients(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    print("ready", flush=True)
    clients.run()
    print(json.dumps(clients.report()))
