"""Messages that arrive once and in order, over connections that come and go.

Plain Python: time is an argument. For each peer that it writes to a client has one
``Outgoing``, which numbers messages, keeps what is not acknowledged, and says what to
send (again). What comes from others goes through one ``Incoming``, which hands each message
over once and says what to acknowledge. The wire's side is in docs/protocol.md.

A loss shows as a gap, as silence, or as a new connection; the answer is always the
same: go back to the first message that is not acknowledged, and send from there (go-back-N).
Signalling is a few messages now and then, so simplicity beats the bytes that selective
repeat would save.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from rtcsig.client.errors import TooMuchWaiting

__all__ = ["MAX_UNSENT", "WINDOW", "Incoming", "Outgoing", "Taken"]

# The most messages that are under way to one peer, and the most that wait for it.
WINDOW = 64
MAX_UNSENT = 10_000
_FIRST_TIMEOUT_S = 3.0
_LONGEST_TIMEOUT_S = 30.0
# A gap is answered by each message behind it: one new beginning is enough for all.
_SHORTEST_TURN_S = 0.5
_MAX_SENDERS = 10_000
_STREAMS_OF_ONE = 2


@dataclass(slots=True)
class _Entry:
    n: int
    message: dict[str, Any]
    ticket: Any


class Outgoing:
    """What goes to one peer. ``ticket`` is whatever the caller knows a message by.

    ``due_s`` is when to look after it (``overdue``), or None.
    """

    def __init__(self, peer: str, stream: str) -> None:
        self.peer = peer
        self.stream = stream
        self.due_s: float | None = None
        self._entries: deque[_Entry] = deque()
        self._under_way = 0  # of the entries, from the first one on
        self._is_postponed = False
        self._last = 0
        self._acknowledged = 0
        self._timeout_s = _FIRST_TIMEOUT_S
        self._turned_s = float("-inf")

    def __len__(self) -> int:
        """How many messages are neither acknowledged nor given up."""
        return len(self._entries)

    def add(self, message: dict[str, Any], ticket: Any) -> None:
        """Take one more message. Raises ``TooMuchWaiting``."""
        if len(self._entries) - self._under_way >= MAX_UNSENT:
            raise TooMuchWaiting(f"{MAX_UNSENT} messages wait for {self.peer}")
        self._last += 1
        self._entries.append(_Entry(self._last, message, ticket))

    def messages(self, now_s: float) -> list[dict[str, Any]]:
        """What to send now, with its number: what was not sent yet, as far as the window goes."""
        base = self._entries[0].n if self._entries else self._last + 1
        end = self._under_way if self._is_postponed else max(self._under_way, WINDOW)
        fresh = list(islice(self._entries, self._under_way, end))
        self._under_way += len(fresh)
        if self._under_way and self.due_s is None:
            self.due_s = now_s + self._timeout_s
        return [
            {
                **entry.message,
                "id": self.peer,
                "rtcsig": {"stream": self.stream, "n": entry.n, "base": base},
            }
            for entry in fresh
        ]

    def acknowledged(self, up_to: int, now_s: float) -> list[Any]:
        """The tickets of what has arrived. One that says nothing new tells of a gap."""
        tickets = []
        while self._entries and self._entries[0].n <= min(up_to, self._last_under_way):
            tickets.append(self._entries.popleft().ticket)
            self._under_way -= 1
        if tickets:
            self._progress()
        elif (
            self._under_way
            and up_to == self._acknowledged
            and now_s - self._turned_s >= _SHORTEST_TURN_S
        ):
            self._go_back(now_s)
        self._acknowledged = max(self._acknowledged, up_to)
        return tickets

    @property
    def _last_under_way(self) -> int:
        """The number of the last message that was sent: no other can have arrived."""
        return self._entries[self._under_way - 1].n if self._under_way else 0

    def given_up(self, n: int) -> list[Any]:
        """The ticket of the one message that the server gave up, if it is still awaited."""
        for place, entry in enumerate(self._entries):
            if entry.n == n and place < self._under_way:
                del self._entries[place]
                self._under_way -= 1
                self._progress()
                return [entry.ticket]
        return []

    def end(self) -> list[Any]:
        """Give everything up; the tickets of it."""
        tickets = [entry.ticket for entry in self._entries]
        self._entries.clear()
        self._under_way = 0
        self.due_s = None
        return tickets

    def postpone(self) -> None:
        """Send nothing more over this connection: its server is about to end."""
        self.disconnected()
        self._is_postponed = True

    def disconnected(self) -> None:
        """Nothing is under way any more: send it all again over the next connection."""
        self._is_postponed = False
        self._under_way = 0
        self.due_s = None
        self._timeout_s = _FIRST_TIMEOUT_S
        self._turned_s = float("-inf")

    def overdue(self, now_s: float) -> None:
        """Go back if nothing was heard for too long, and be more patient from now on."""
        if self.due_s is not None and self.due_s <= now_s:
            self._timeout_s = min(_LONGEST_TIMEOUT_S, 2 * self._timeout_s)
            self._go_back(now_s)

    def _go_back(self, now_s: float) -> None:
        self._under_way = 0
        self.due_s = None
        self._turned_s = now_s

    def _progress(self) -> None:
        self._timeout_s = _FIRST_TIMEOUT_S
        self.due_s = None


class Taken(NamedTuple):
    """What to do with a message: hand it over or not, and what to acknowledge, how soon."""

    is_new: bool
    acknowledge: int
    at_once: bool


class Incoming:
    """What comes from all peers: remembers how far each stream has got.

    Of one sender the newest streams are remembered, and so many senders, those who have
    written last.
    """

    def __init__(self) -> None:
        self._senders: OrderedDict[str, OrderedDict[str, int]] = OrderedDict()

    def __len__(self) -> int:
        """How many senders are remembered."""
        return len(self._senders)

    def take(self, sender: str, stream: str, n: int, base: int) -> Taken:
        """Take the message ``n`` of a stream whose first unacknowledged one is ``base``."""
        streams = self._senders.setdefault(sender, OrderedDict())
        self._senders.move_to_end(sender)
        expected = max(streams.get(stream, base), base)
        is_new = n == expected
        streams[stream] = expected + is_new
        streams.move_to_end(stream)
        if len(streams) > _STREAMS_OF_ONE:
            streams.popitem(last=False)
        if len(self._senders) > _MAX_SENDERS:
            self._senders.popitem(last=False)
        return Taken(is_new, expected + is_new - 1, not is_new)
