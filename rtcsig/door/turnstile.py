"""How many connections there may be: in all, and from one source.

A *source* is an IPv4 address or an IPv6 network of 64 bits, which is what one
subscriber has. Each connection has a ``Ticket``, with which it is counted in
and out, each once, whatever happens in which order.
"""

from __future__ import annotations

import ipaddress
import random
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from rtcsig.codes import Refusal
from rtcsig.door.talk import charge

__all__ = ["SourceLimits", "Ticket", "Turnstile", "source_of"]

_RETRY_AFTER_S = (1, 10)
_IPV6_PREFIX_BITS = 64
_FORGOTTEN_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """What one source may have; 0 is no bound."""

    connections: int = 0
    half_open: int = 0
    connections_per_s: int = 0


@lru_cache(maxsize=1024)
def source_of(host: str) -> str:
    """The source that an address belongs to. Raises ``ValueError`` for what is no address."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        number = int(address) >> _IPV6_PREFIX_BITS << _IPV6_PREFIX_BITS
        return f"{ipaddress.IPv6Address(number)}/{_IPV6_PREFIX_BITS}"
    return host


class Turnstile:
    """Counts connections in and out, and refuses those beyond the limits.

    ``is_lagging`` is set by who watches the reactor, ``is_draining`` by who ends
    the server: meanwhile everybody is refused. A refusal asks the client to come
    back after a random time: those who were refused together shall not come back
    together.
    """

    def __init__(self, max_connections: int, limits: SourceLimits) -> None:
        self.max_connections = max_connections
        self.is_lagging = False
        self.is_draining = False
        self.connections = 0
        self.limits = limits
        self._random = random.Random()
        self._sources: dict[str, _Source] = {}
        # Sources without a connection, kept only until their rate is forgotten.
        self._leaving: deque[str] = deque()

    @property
    def is_full(self) -> bool:
        """Whether nobody more is let in."""
        return self.connections >= self.max_connections

    @property
    def sources(self) -> int:
        """How many sources are known now."""
        return len(self._sources)

    def reasons(self) -> list[tuple[str, str]]:
        """Why nobody is let in now: a word and a sentence for each reason, the gravest first."""
        reasons = []
        if self.is_draining:
            reasons.append(("draining", "the server is about to end"))
        if self.is_lagging:
            reasons.append(("lagging", "the server is busy"))
        if self.is_full:
            reasons.append(("full", "the server is full"))
        return reasons

    def enter(self) -> Ticket:
        """Let a connection in, from wherever. Raises ``Refusal`` (503)."""
        if self.is_draining or self.is_lagging or self.is_full:
            why, sentence = self.reasons()[0]
            raise self._refusal(why, HTTPStatus.SERVICE_UNAVAILABLE, sentence)
        self.connections += 1
        return Ticket(self)

    def _come_from(self, name: str, now_s: float) -> _Source:
        """Count a connection of this source. Raises ``Refusal`` (429)."""
        self._forget(now_s)
        limits = self.limits
        source = self._sources.get(name) or _Source(name)
        if limits.connections and source.connections >= limits.connections:
            raise self._too_many("connections", "too many connections from your address")
        if limits.half_open and source.half_open >= limits.half_open:
            raise self._too_many("half-open", "too many unfinished requests from your address")
        paid_s, is_over = charge(source.paid_s, 1, limits.connections_per_s, now_s)
        if is_over:
            raise self._too_many("rate", "too many new connections from your address")
        source.paid_s = paid_s
        self._sources[name] = source
        source.connections += 1
        source.half_open += 1
        return source

    def _leaves(self, source: _Source) -> None:
        source.connections -= 1
        if not source.connections and not source.is_leaving:
            source.is_leaving = True
            self._leaving.append(source.name)

    def _forget(self, now_s: float) -> None:
        """Forget some of those first in the queue who are not there and owe nothing.

        One that owes goes to the end of it, or else one that comes again and
        again would keep all those behind it known. Each arrival adds one at
        most and looks at more, so that no turn is a long one.
        """
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(self._leaving))):
            source = self._sources[self._leaving[0]]
            if not source.connections and source.paid_s > now_s:
                self._leaving.rotate(-1)
                continue
            self._leaving.popleft()
            source.is_leaving = False
            if not source.connections:
                del self._sources[source.name]

    def _too_many(self, what: str, reason: str) -> Refusal:
        return self._refusal(f"address-{what}", HTTPStatus.TOO_MANY_REQUESTS, reason)

    def _refusal(self, label: str, status: HTTPStatus, reason: str) -> Refusal:
        return Refusal(status, reason, label=label, retry_after_s=self.retry_after_s())

    def retry_after_s(self) -> int:
        """When to come back, in seconds: for each client another time."""
        return self._random.randint(*_RETRY_AFTER_S)


class Ticket:
    """One connection's place. Every method may be called in any order, and again."""

    __slots__ = ("_is_half_open", "_is_in", "_source", "_turnstile")

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._source: _Source | None = None
        self._is_in = True
        self._is_half_open = False

    def comes_from(self, source: str, now_s: float) -> None:
        """Say where the connection comes from, once. Raises ``Refusal`` (429)."""
        if self._is_in and self._source is None:
            self._source = self._turnstile._come_from(source, now_s)
            self._is_half_open = True

    def opened(self) -> None:
        """Count it as half open no longer."""
        if self._is_half_open and self._source is not None:
            self._is_half_open = False
            self._source.half_open -= 1

    def left(self) -> None:
        """Give the place back: the connection is gone."""
        self.opened()
        if self._is_in:
            self._is_in = False
            self._turnstile.connections -= 1
            if self._source is not None:
                self._turnstile._leaves(self._source)


class _Source:
    __slots__ = ("connections", "half_open", "is_leaving", "name", "paid_s")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections = 0
        self.half_open = 0
        self.paid_s = 0.0
        self.is_leaving = False
