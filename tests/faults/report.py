"""What a run of the faults found, and the page that says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support.markdown import table

__all__ = ["FAULTS", "Record", "page"]

# Every fault of the suite. The page is written when all have been provoked.
FAULTS = {
    "1": "no descriptor is left to accept with (EMFILE)",
    "2": "the same, and the descriptor that Twisted keeps for this is gone",
    "3": "the machine has no descriptors or memory for sockets (ENFILE, ENOMEM, ENOBUFS)",
    "4": "accept(2) passes on errors of the network (EPROTO, ENETDOWN, EPERM, ...)",
    "5": "a reset before accept",
    "6.1": "getpeername(2) fails (ENOTCONN)",
    "6.2": "a bug in asking for the peer",
    "6.3": "setsockopt(2) fails (EINVAL)",
    "6.4": "a bug in Autobahn's set-up of a connection",
    "6.5": "a bug in the making of a protocol",
    "7": "epoll_ctl(2) refuses a connection (ENOENT)",
    "8": "a bug in a dialect: where a session is made, opened, spoken to, closed",
    "9": "more connections than --max-connections",
    "10.1": "one address wants all connections",
    "10.2": "one address opens connections and asks for nothing",
    "10.3": "one address connects again and again",
    "11": "a request that does not come, or byte by byte",
    "12": "a request head without an end",
    "13.1": "a peer that sends and does not read: its queue in bytes",
    "13.2": "a peer that sends and does not read: its queue in time",
    "14": "a close frame from a peer that does not read the answer",
    "15.1": "a peer that is gone and has said nothing",
    "15.2": "a peer that goes on sending and answers no ping",
    "16": "an end at a random byte: reset, FIN or half-close",
    "17": "messages that are too large: in one, announced, in fragments, compressed",
    "18": "what the RFC forbids, and random bytes",
    "19.1": "a flood of messages",
    "19.2": "a flood of bytes",
    "20": "a flood of pings whose answers nobody reads",
    "21": "web pages of other origins",
    "22.1": "an X-Forwarded-For that an untrusted address has invented",
    "22.2": "a PROXY header from an untrusted address, and what is none",
    "23": "the reactor stands still",
    "26": "the wall clock is set an hour ahead and back",
    "27": "thousands of pongs that come late, but in time",
    "34": "the log cannot be written: a pipe that nobody reads, a full disk",
    "35": "a churn of everything at once",
    "36": "a start that cannot listen: address taken, not there, not allowed",
}


@dataclass(frozen=True)
class Record:
    """One fault: how it was provoked, how often, what was seen, and what it cost the others."""

    number: str
    how: str
    seen: str
    repetitions: int
    quiet_p99_ms: float
    p99_ms: float
    messages: int
    missed: int
    cpu_share: float


def page(records: Iterable[Record], versions: Mapping[str, str], seed: int, clients: int) -> str:
    """The page, as Markdown."""
    ordered = sorted(records, key=lambda record: _place(record.number))
    tested = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return "\n".join(
        [
            "# Faults",
            "",
            "Written by `make faults`, which provokes each fault at a real `twistd rtcsig`.",
            f"Meanwhile {clients} control clients, in a process of their own, send each other a",
            "message every 100 ms. A run fails when one of them misses a message, gets one twice",
            "or out of order, or loses its connection; when connections, descriptors or objects do",
            "not come back to what they were; when the log gets more than 5 lines a second; or",
            "when what is seen is not what stands here.",
            "",
            f"{tested}. Seed of the variation: {seed}.",
            "",
            *table(
                ("", "fault", "provoked by", "times", "seen"),
                [
                    (
                        record.number,
                        FAULTS[record.number],
                        record.how,
                        f"{record.repetitions:,}",
                        record.seen,
                    )
                    for record in ordered
                ],
            ),
            "",
            "## What the control clients noticed",
            "",
            "The time from sending to receiving that 99 of 100 messages keep to, in the seconds",
            "before the fault and during it; and how much of one core the server used meanwhile.",
            "Reported, not asserted: the fault's own clients run on the same machine, and `strace`",
            "stops the server at each system call.",
            "",
            *table(
                ("", "messages", "missed", "p99 before", "p99 during", "server"),
                [_measured(record) for record in ordered],
                right=5,
            ),
            "",
        ]
    )


def _measured(record: Record) -> tuple[str, ...]:
    return (
        f"{record.number} {FAULTS[record.number]}",
        f"{record.messages:,}",
        str(record.missed),
        f"{record.quiet_p99_ms:.1f} ms",
        f"{record.p99_ms:.1f} ms",
        f"{100 * record.cpu_share:.0f} %",
    )


def _place(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))
