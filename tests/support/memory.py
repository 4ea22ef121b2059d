"""A server's connection in memory: real protocol, real house, no socket, time by hand."""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from rtcsig.dialects import DIALECTS, Dialect, Mount, MountTable, Session
from rtcsig.door.admission import OriginPolicy
from rtcsig.door.deadlines import Deadlines
from rtcsig.door.ledger import Ledger
from rtcsig.door.proxies import TrustedProxies
from rtcsig.door.report import Reporter
from rtcsig.door.turnstile import SourceLimits, Turnstile
from rtcsig.hub import Hub, Terms
from rtcsig.settings import Settings
from rtcsig.websocket.factory import House, SignallingFactory
from tests.support.peer import CLOSE, Frame, frame, request

__all__ = [
    "MemoryPeer",
    "MemoryTransport",
    "RecordingSession",
    "SteadyClock",
    "house_of",
    "loss",
    "recording_dialect",
]


_LOSSES = {"fin": ConnectionDone, "reset": ConnectionLost, "aborted": ConnectionAborted}


def loss(how: str) -> Failure:
    """What Twisted says when a connection ended like that."""
    return Failure(_LOSSES[how]())


class SteadyClock(Clock):
    """Time that passes without a leap: every call comes when it is due."""

    def advance(self, amount: float) -> None:
        """Let time pass, from one due call to the next."""
        end_s = self.seconds() + amount
        while self.calls and self.calls[0].getTime() <= end_s:
            super().advance(max(0.0, self.calls[0].getTime() - self.seconds()))
        super().advance(end_s - self.seconds())

    def leap(self, amount: float) -> None:
        """Let time pass while the process stands still: calls come late."""
        super().advance(amount)


class MemoryTransport(StringTransport):
    """Keeps what is written, and how the connection was ended.

    While it is ``stalled`` the peer reads nothing.
    """

    def __init__(self) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.0.2.1", 40_000))
        self.ends: list[str] = []
        self.no_delay = False
        self.dataBuffer = b""
        self.stalled = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.stalled:
            self.dataBuffer += data
            if len(self.dataBuffer) > 65_536 and self.producer is not None:
                self.producer.pauseProducing()

    def drain(self) -> None:
        """The peer has read everything."""
        self.dataBuffer = b""
        self.producer.resumeProducing()

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def loseConnection(self) -> None:
        self.ends.append("fin")

    def loseWriteConnection(self) -> None:
        self.ends.append("half")

    def abortConnection(self) -> None:
        self.ends.append("reset")

    def unregisterProducer(self) -> None:
        self.producer = None


class RecordingSession(Session):
    """Keeps what happens to it; raises where it is told to."""

    def __init__(self, link: Any, raises: set[str]) -> None:
        self.link = link
        self.calls: list[Any] = []
        self._raises = raises
        self._note("made")

    def _note(self, call: str, *details: Any) -> None:
        self.calls.append((call, *details) if details else call)
        if call in self._raises:
            raise RuntimeError("secret text")

    def opened(self) -> None:
        self._note("opened")

    def received(self, text: bytes) -> None:
        self._note("received", text)

    def received_binary(self, data: bytes) -> None:
        self._note("received_binary", data)

    def closed(self, *, lost: bool = False) -> None:
        self._note("closed")


def recording_dialect(sessions: list[RecordingSession], *raises: str) -> Dialect:
    """A dialect that puts its sessions into a list; they raise in the methods named."""

    def session(namespace: Any, link: Any) -> RecordingSession:
        made = RecordingSession.__new__(RecordingSession)
        sessions.append(made)
        made.__init__(link, set(raises))
        return made

    return Dialect("recording", session, ("spoken", "also-spoken"))


def house_of(
    clock: Clock, dialect: Dialect | None = None, terms: Terms | None = None, **settings: Any
) -> House:
    """A house with one mount at ``/`` and Twisted's test clock."""
    checked = Settings(**settings)
    ledger = Ledger()
    dialect = dialect or DIALECTS["datachannel"]
    return House(
        settings=checked,
        mounts=MountTable([Mount("/", dialect, Hub(terms, Deadlines(clock)).namespace("/"))]),
        origins=OriginPolicy(
            checked.allow_origin, absent_is_allowed=checked.absent_origin == "allow"
        ),
        proxies=TrustedProxies(checked.trusted_proxy),
        turnstile=Turnstile(
            checked.max_connections or 1000,
            SourceLimits(
                checked.max_connections_per_address,
                checked.max_half_open_per_address,
                checked.max_connection_rate_per_address,
            ),
        ),
        ledger=ledger,
        reporter=Reporter(Logger("rtcsig"), clock, ledger),
        clock=clock,
        random=random.Random(1),
    )


class MemoryPeer:
    """A peer whose bytes go straight into a server protocol."""

    def __init__(
        self,
        house: House,
        path: str | None = None,
        *lines: str,
        transport: MemoryTransport | None = None,
    ) -> None:
        self.house = house
        self.protocol = SignallingFactory(house, "memory").buildProtocol(None)
        self.transport = transport or MemoryTransport()
        self._received = b""
        if path is not None:
            self.connect()
            assert self.upgrade(path, *lines)[0] == 101

    def connect(self) -> None:
        """The server has accepted the connection."""
        self.protocol.makeConnection(self.transport)

    def upgrade(self, path: str, *lines: str) -> tuple[int, str, str]:
        """Ask for the upgrade; returns status, head and body of the answer."""
        self.protocol.dataReceived(request(path, *lines))
        return self.http_answer()

    def http_answer(self) -> tuple[int, str, str]:
        """The HTTP answer that was written: status, head, body."""
        self._read()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        self._received, body = (rest, b"") if status == 101 else (b"", rest)
        return status, head.decode(), body.decode()

    def send(self, message: Any) -> None:
        """Send a text message: bytes as they are, anything else as JSON."""
        self.send_frame(1, message if isinstance(message, bytes) else json.dumps(message).encode())

    def send_frame(self, opcode: int, payload: bytes = b"", **faults: Any) -> None:
        """Send one frame."""
        self.protocol.dataReceived(frame(opcode, payload, **faults))

    def frames(self) -> list[Frame]:
        """The frames that were written since the last call."""
        self._read()
        frames = []
        while self._received:
            length, start = self._received[1], 2
            if length == 126:
                length, start = int.from_bytes(self._received[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(self._received[2:10], "big"), 10
            payload = self._received[start : start + length]
            frames.append(Frame((self._received[0] & 0x0F, payload)))
            self._received = self._received[start + length :]
        return frames

    def messages(self) -> list[Any]:
        """The text messages that were written since the last call, from JSON."""
        return [json.loads(received.payload) for received in self.frames() if received.opcode == 1]

    def close_codes(self) -> list[int]:
        """The codes of the close frames that were written since the last call."""
        return [received.close_code for received in self.frames() if received.opcode == CLOSE]

    def lost(self, how: str = "fin") -> None:
        """The transport says that the connection is over."""
        self.protocol.connectionLost(loss(how))

    def _read(self) -> None:
        self._received += self.transport.value()
        self.transport.clear()
