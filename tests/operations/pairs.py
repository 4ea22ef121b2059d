"""Pairs of clients that talk on and on, while what is between them dies and comes back."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from rtcsig.client import ClientState, PeerNotFound, SignallingClient

__all__ = ["Pair", "Pairs"]

_TIMEOUT_S = 60


class Pair:
    """One that sends numbers, one that gets them, and what became of each number."""

    def __init__(self, reactor: Any, url: str, name: int, pairs: Pairs) -> None:
        self.sent = 0
        self.arrived: list[int] = []
        self.acknowledged: set[int] = set()
        self.told: set[int] = set()
        self.clients = [
            SignallingClient(reactor, url, f"{side}{name}") for side in ("sender", "receiver")
        ]
        for client in self.clients:
            client.on_state = pairs.heard
        self.sender, self.receiver = self.clients
        self.receiver.on_message = lambda _, message: self.arrived.append(message["number"])

    def send(self) -> None:
        """Send the next number."""
        self.sent += 1
        number = self.sent
        sent = self.sender.send(self.receiver.peer_id, {"number": number})
        sent.addCallbacks(
            lambda _: self.acknowledged.add(number), lambda failure: self._failed(failure, number)
        )

    def _failed(self, failure: Any, number: int) -> None:
        failure.trap(PeerNotFound)
        self.told.add(number)

    @property
    def is_settled(self) -> bool:
        """Whether the sender knows what became of each number."""
        return len(self.acknowledged) + len(self.told) == self.sent

    def faults(self) -> list[str]:
        """What was promised, and is not so."""
        everything = set(range(1, self.sent + 1))
        checks = {
            "out of order or twice": all(a < b for a, b in pairwise(self.arrived)),
            "acknowledged, and did not arrive": self.acknowledged <= set(self.arrived),
            "lost in silence": set(self.arrived) | self.told == everything,
        }
        return [fault for fault, is_fine in checks.items() if not is_fine]


class Pairs:
    """All pairs, and when how many of their clients were open again."""

    def __init__(self, reactor: Any, url: str, count: int) -> None:
        self._reactor = reactor
        self._open = 0
        self._since_s = 0.0
        self._waiting: list[tuple[Deferred[None], Any]] = []
        self.arrivals_s: list[float] = []
        self.pairs = [Pair(reactor, url, name, self) for name in range(count)]
        self.clients = [client for pair in self.pairs for client in pair.clients]
        self._talk = LoopingCall(self._say_something)
        self._next = 0

    def heard(self, state: ClientState) -> None:
        """A client's state has changed."""
        if state is ClientState.OPEN:
            self._open += 1
            self.arrivals_s.append(self._reactor.seconds() - self._since_s)
        elif state is not ClientState.CONNECTING:
            self._open -= 1
        self._tell()

    def _tell(self) -> None:
        for entry in tuple(self._waiting):
            if entry[1]():
                self._waiting.remove(entry)
                entry[0].callback(None)

    def until(self, is_so: Any) -> Deferred[None]:
        """Fires when that is so, at the latest with the next state of a client or message."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((waiting, is_so))
        self._tell()
        return waiting.addTimeout(_TIMEOUT_S, self._reactor)

    def all_open(self) -> bool:
        """Whether every client is open."""
        return sum(client.state is ClientState.OPEN for client in self.clients) == len(self.clients)

    async def start(self) -> None:
        """Connect all, and let them talk: one number after the other, pair by pair."""
        for started in [client.start() for client in self.clients]:
            await started
        self._talk.start(0.01)

    def _say_something(self) -> None:
        for _ in range(len(self.pairs) // 50):
            self.pairs[self._next % len(self.pairs)].send()
            self._next += 1
        self._tell()

    async def settle(self) -> None:
        """Send nothing more, and wait until all senders know."""
        self._talk.stop()
        look = LoopingCall(self._tell)
        look.start(0.1)
        await self.until(lambda: all(pair.is_settled for pair in self.pairs))
        look.stop()

    async def stop(self) -> None:
        """Stop all clients."""
        if self._talk.running:
            self._talk.stop()
        for stopped in [client.stop() for client in self.clients]:
            await stopped

    def begin(self) -> None:
        """Count arrivals anew, from now on."""
        self._since_s = self._reactor.seconds()
        self.arrivals_s = []

    def numbers(self) -> str:
        """What became of all numbers."""
        counts: Counter[str] = Counter()
        for pair in self.pairs:
            arrived = set(pair.arrived)
            counts["sent"] += pair.sent
            counts["arrived"] += len(arrived)
            counts["told"] += len(pair.told)
            counts["told though they had arrived"] += len(pair.told & arrived)
        return ", ".join(f"{count} {what}" for what, count in counts.items())


def curve(arrivals_s: list[float], bin_s: float, width: int = 40) -> str:
    """How many came back in each piece of time, as a picture of lines."""
    bins = Counter(int(at_s / bin_s) for at_s in arrivals_s)
    most = max(bins.values(), default=1)
    return "\n".join(
        f"{number * bin_s:6.2f} s {bins[number]:5} {'#' * (bins[number] * width // most)}"
        for number in range(max(bins, default=0) + 1)
    )
