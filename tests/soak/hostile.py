"""Every misbehaviour at once, some hundred connections a second, for a given time.

Run as a program of its own: ``python -m tests.soak.hostile PORT SECONDS PER_SECOND SEED``.
Each connection is one act of ``ACTS``, from one of many addresses of the
loopback; each act has an end of its own. At the end it prints, as JSON, how
often each act was begun and how its connections ended.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame, request

__all__ = ["ACTS"]

_HOLD_S = 8.0
_ADDRESSES = [f"127.0.1.{number}" for number in range(1, 100)]
_GREEDY = "127.0.2.1"
_NAMES = 50  # few enough that ids are taken from each other all the time
_SMALL_BUFFER_BYTES = 4096


class Line:
    """One connection of one act."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.name = f"name-{random.randrange(_NAMES)}"

    async def send(self, data: bytes) -> None:
        """Send, and wait until the kernel has it."""
        self.writer.write(data)
        await self.writer.drain()

    async def upgrade(self, name: str | None = None) -> None:
        """Do the opening handshake. Raises ``ConnectionError`` when it is refused."""
        await self.send(request(f"/{name or self.name}"))
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise ConnectionRefusedError(head.split()[1].decode())

    async def say(self, *messages: object) -> None:
        """Send text messages."""
        await self.send(b"".join(frame(TEXT, json.dumps(each).encode()) for each in messages))

    async def read_to_the_end(self) -> None:
        """Read and throw away, until the server ends it."""
        while await self._reader.read(65_536):
            pass

    def reset(self) -> None:
        """End with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def leaves_at_once(line: Line) -> None:
    """Connects, and is gone."""
    line.reset()


async def says_half_a_request(line: Line) -> None:
    """Stops within its request, and waits to be ended."""
    head = request("/half")
    await line.send(head[: random.randrange(len(head))])
    await line.read_to_the_end()


async def leaves_within_its_request(line: Line) -> None:
    """Resets within its request."""
    head = request("/half")
    await line.send(head[: random.randrange(len(head))])
    line.reset()


async def is_no_http(line: Line) -> None:
    """Says what is no HTTP."""
    await line.send(random.randbytes(200) + b"\r\n\r\n")
    await line.read_to_the_end()


async def never_ends_its_head(line: Line) -> None:
    """Sends a head without end."""
    for _ in range(8):
        await line.send(b"a" * 8192)
    await line.read_to_the_end()


async def behaves(line: Line) -> None:
    """Sends a few messages to others, and closes."""
    await line.upgrade()
    await line.say(*({"id": f"name-{number}", "type": "offer"} for number in range(5)))
    await line.send(frame(CLOSE, struct.pack("!H", 1000)))
    await line.read_to_the_end()


async def leaves_within_a_frame(line: Line) -> None:
    """Resets in the middle of a message."""
    await line.upgrade()
    message = frame(TEXT, b'{"id":"name-1","type":"offer"}') * 3
    await line.send(message[: random.randrange(len(message))])
    line.reset()


async def shuts_its_side(line: Line) -> None:
    """Ends its sending with a FIN and no close frame."""
    await line.upgrade()
    line.writer.write_eof()
    await line.read_to_the_end()


async def breaks_the_protocol(line: Line) -> None:
    """Sends a frame that the RFC forbids."""
    await line.upgrade()
    wrong = (
        frame(TEXT, b"{}", masked=False), frame(TEXT, b"{}", rsv=4), frame(TEXT, b"\xff"),
        frame(3), frame(PING, b"a" * 126), frame(CLOSE, b"\x03"), random.randbytes(50),
    )  # fmt: skip
    await line.send(random.choice(wrong))
    await line.read_to_the_end()


async def talks_nonsense(line: Line) -> None:
    """Sends what is no message of the dialect."""
    await line.upgrade()
    await line.say(None, 1, [], {}, {"id": []}, {"id": "toString"}, "x")
    await line.send(frame(TEXT, b"x") + frame(BINARY, random.randbytes(20)))
    line.reset()


async def sends_too_much(line: Line) -> None:
    """Sends a message over the limit."""
    await line.upgrade()
    await line.send(frame(TEXT, b"a" * 70_000))
    await line.read_to_the_end()


async def sends_crumbs(line: Line) -> None:
    """Sends a message in more frames than are allowed."""
    await line.upgrade()
    await line.send(frame(TEXT, b"a", final=False) + frame(0, b"a", final=False) * 500)
    await line.read_to_the_end()


async def floods_with_messages(line: Line) -> None:
    """Sends more than its rate allows, to peers that are not there."""
    await line.upgrade()
    nobody = frame(TEXT, b'{"id":"nobody","type":"offer"}')
    for _ in range(70):
        await line.send(nobody * 100)
    await line.read_to_the_end()


async def floods_with_pings(line: Line) -> None:
    """Sends more control frames than its rate allows, and reads nothing meanwhile."""
    await line.upgrade()
    await line.send((frame(PING, b"x") + frame(PONG, b"x")) * 1000)
    await line.read_to_the_end()


async def never_reads(line: Line) -> None:
    """Sends itself messages that it does not read."""
    name = f"deaf-{random.randrange(1 << 30)}"
    await line.upgrade(name)
    line.writer.transport.pause_reading()
    message = {"id": name, "fill": "a" * 30_000}
    for _ in range(100):
        await line.say(message)
    await asyncio.sleep(_HOLD_S)


async def closes_and_does_not_read(line: Line) -> None:
    """Asks for messages, closes, and neither reads nor leaves."""
    name = f"stuck-{random.randrange(1 << 30)}"
    await line.upgrade(name)
    line.writer.transport.pause_reading()
    await line.say(*[{"id": name, "fill": "a" * 30_000}] * 10)
    await line.send(frame(CLOSE, struct.pack("!H", 1000)))
    await asyncio.sleep(_HOLD_S)


async def vanishes(line: Line) -> None:
    """Opens, and never says anything again."""
    await line.upgrade(f"ghost-{random.randrange(1 << 30)}")
    await line.read_to_the_end()


Act = Callable[[Line], Awaitable[None]]

# Each act and its share. Those that hold their connection are the rarer ones.
ACTS: dict[Act, int] = {
    leaves_at_once: 20,
    leaves_within_its_request: 10,
    says_half_a_request: 3,
    is_no_http: 5,
    never_ends_its_head: 2,
    behaves: 20,
    leaves_within_a_frame: 10,
    shuts_its_side: 5,
    breaks_the_protocol: 10,
    talks_nonsense: 10,
    sends_too_much: 2,
    sends_crumbs: 2,
    floods_with_messages: 0.2,
    floods_with_pings: 0.5,
    never_reads: 0.5,
    closes_and_does_not_read: 0.5,
    vanishes: 2,
}


class Crowd:
    """All acts of one run."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.begun: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()

    async def play(self, act: Act) -> None:
        """One connection, from its beginning to its end."""
        self.begun[act.__name__] += 1
        writer = None
        try:
            async with asyncio.timeout(2 * _HOLD_S):
                reader, writer = await self._connected(small=act is never_reads)
                await act(Line(reader, writer))
            self.ended["as planned"] += 1
        except ConnectionRefusedError as refused:
            self.ended[f"refused {refused}"] += 1
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self.ended[type(error).__name__] += 1
        finally:
            if writer is not None:
                writer.transport.abort()

    async def _connected(self, *, small: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        sock.setblocking(False)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER_BYTES)
        # Without this a port would be taken for each address that is bound to.
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_BIND_ADDRESS_NO_PORT, 1)
        try:
            sock.bind((random.choice([*_ADDRESSES, *[_GREEDY] * 20]), 0))
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self._port))
        except BaseException:
            sock.close()
            raise
        return await asyncio.open_connection(sock=sock)


async def run(port: int, seconds: float, per_second: float) -> Crowd:
    """Begin acts at a steady rate, and wait for the last one's end."""
    crowd = Crowd(port)
    acts, shares = list(ACTS), list(ACTS.values())
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    count = 0
    async with asyncio.TaskGroup() as group:
        while (now_s := loop.time()) < began_s + seconds:
            due = int((now_s - began_s) * per_second)
            for act in random.choices(acts, shares, k=min(due - count, 100)):
                group.create_task(crowd.play(act))
            count = due
            await asyncio.sleep(0.01)
    return crowd


if __name__ == "__main__":
    random.seed(int(sys.argv[4]))
    played = asyncio.run(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
    print(json.dumps({"begun": played.begun, "ended": played.ended}))
