"""The hostile acts. Each is bounded in bytes, count and time, and ends when it is cut."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.support.peer import CLOSE, TEXT, frame, reset
from tests.support.server import wait_until
from tests.survival.guest import TROUBLE, Guest
from tests.survival.running import Running

__all__ = ["ACTS", "Act"]

KIB = 1024
MIB = 1024 * KIB
NEWCOMERS = 50
# Messages of the others while no descriptor is left.
EXCHANGES = 50
RESETS = 300
UNREAD_BYTES = 64 * MIB
UNREAD = "a" * 32 * KIB
HEADER_BYTES = 20_000_000
NAMES = 100_000
AT_ONCE = 1000
TO_ABSENT = 2000
# Between two of them the sender hears whatever the server has answered.
HEARD_EVERY = 25
LONGEST_S = 15.0
_LOOK_S = 2.0


@dataclass(frozen=True)
class Act:
    """What is done; ``do`` returns what there is to remark, or nothing."""

    title: str
    do: Callable[[Running], str]

    @property
    def name(self) -> str:
        """A word for it."""
        return self.do.__name__

    @property
    def details(self) -> str:
        """A sentence for it."""
        return str(self.do.__doc__)


def alone(server: Running, data: Iterable[bytes]) -> str:
    """Each of these by a peer of its own, which then waits until the server has dealt with it."""
    for number, sent in enumerate(data):
        with contextlib.suppress(*TROUBLE), server.guest(f"hostile-{number}") as hostile:
            hostile.socket.settimeout(_LOOK_S)
            hostile.send_bytes(sent)
            hostile.hear_self()
    return ""


def no_json(server: Running) -> str:
    """The text `x`, from a connected peer."""
    return alone(server, [frame(TEXT, b"x")])


def no_object(server: Running) -> str:
    """The texts `null`, `1`, `[]` and `"x"`, each from a peer of its own."""
    return alone(server, [frame(TEXT, said) for said in (b"null", b"1", b"[]", b'"x"')])


def wrong_types(server: Running) -> str:
    """Objects with numbers and lists where the protocol has names, each from a peer of its own."""
    wrong = server.kind.speech.wrong
    return alone(server, [frame(TEXT, json.dumps(said).encode()) for said in wrong])


def invalid_frames(server: Running) -> str:
    """A reserved bit that is set, a close code that nobody may send, text that is no UTF-8."""
    faults = frame(TEXT, b"{}", rsv=4), frame(CLOSE, b"\x03\xe7"), frame(TEXT, b'{"id": "\xff"}')
    return alone(server, faults)


def odd_names(server: Running) -> str:
    """Names that every object of JavaScript has: first of absent peers, then of peers."""
    names = ("toString", "__proto__", "constructor")
    with contextlib.suppress(*TROUBLE), server.guest("hostile") as hostile:
        for name in names:
            hostile.send_bytes(hostile.to(name))
            hostile.hear_self()
    for name in names:
        with contextlib.suppress(*TROUBLE), server.guest(name):
            pass
    return ""


def connecting(port: int) -> socket.socket:
    """A connection that is there at once, or will not be: the kernel's queue may be full."""
    newcomer = socket.socket()
    newcomer.setblocking(False)
    newcomer.connect_ex(("127.0.0.1", port))
    return newcomer


def descriptors_run_out(server: Running) -> str:
    """50 newcomers come while no descriptor is left; then there are some again, and they go."""
    limit = max(server.descriptors()) + 2
    with contextlib.ExitStack() as stack:
        with server.descriptors_limited(limit):
            newcomers = [stack.enter_context(connecting(server.port)) for _ in range(NEWCOMERS)]
            enough = server.exchanged + EXCHANGES
            with contextlib.suppress(AssertionError):
                wait_until(lambda: server.ended or server.exchanged >= enough, _LOOK_S)
        cut = sum(map(is_cut, newcomers))
    return f"{cut} of {NEWCOMERS} who wait are cut" if cut else ""


def is_cut(client: socket.socket) -> bool:
    """Whether the server has ended a connection that does not block."""
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def resets_before_accept(server: Running) -> str:
    """Clients that are gone before the server accepts them; its queue may take fewer."""
    with server.frozen():
        for _ in range(RESETS):
            reset(connecting(server.port))
    return ""


def never_reads(server: Running) -> str:
    """A peer with a small receive buffer never reads the messages of 32 KiB it is sent."""
    with server.guest("slow", receive_buffer_bytes=4 * KIB), server.guest("flooder") as flooder:
        message = flooder.to("slow", fill=UNREAD)
        return flood(flooder, [message] * (UNREAD_BYTES // len(UNREAD)))


def flood(flooder: Guest, messages: Iterable[bytes], heard_every: int = HEARD_EVERY) -> str:
    """Send these as fast as the server takes them; says when it takes no more."""
    end_s = time.monotonic() + LONGEST_S
    try:
        for number, message in enumerate(messages):
            flooder.send_bytes(message)
            if number % heard_every == 0:
                flooder.hear_self()
            if time.monotonic() > end_s:
                return "slow"
        flooder.hear_self()
    except TimeoutError:
        return "sender held back"
    except TROUBLE:
        return "sender cut"
    return ""


def endless_header(server: Running) -> str:
    """One header line without an end; then the client waits for 2 s to be cut."""
    end_s = time.monotonic() + LONGEST_S
    piece = b"a" * 64 * KIB
    with connecting(server.port) as client:
        client.settimeout(_LOOK_S)
        try:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\nX-Fill: ")
            for _ in range(HEADER_BYTES // len(piece)):
                client.sendall(piece)
                if time.monotonic() > end_s:
                    break
            while client.recv(64 * KIB):
                pass
        except TimeoutError:
            return "still connected"
        except OSError:
            pass
    return ""


def many_names(server: Running) -> str:
    """One peer subscribes to them, or sends to them, as the protocol has it."""
    names = [f"name-{number}" for number in range(NAMES)]
    with server.guest("hostile") as hostile:
        batches = (names[start : start + AT_ONCE] for start in range(0, NAMES, AT_ONCE))
        return flood(hostile, (hostile.naming(batch) for batch in batches), heard_every=1)


def absent_peers(server: Running) -> str:
    """One peer sends them, each to another name; nobody has these names."""
    with server.guest("hostile") as hostile:
        sent = (hostile.to(f"absent-{number}", fill=UNREAD) for number in range(TO_ABSENT))
        return flood(hostile, sent)


ACTS = (
    Act("text that is not JSON", no_json),
    Act("JSON that is no object", no_object),
    Act("members of the wrong type", wrong_types),
    Act("frames against RFC 6455", invalid_frames),
    Act("`toString`, `__proto__` as names", odd_names),
    Act("descriptors run out", descriptors_run_out),
    Act(f"{RESETS} resets before accept", resets_before_accept),
    Act("a peer that never reads 64 MiB", never_reads),
    Act("a request head of 20 MB without end", endless_header),
    Act("100,000 distinct names", many_names),
    Act("2,000 messages of 32 KiB to absent peers", absent_peers),
)
