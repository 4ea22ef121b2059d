"""The seam between a wire protocol and a connection.

A *dialect* is a wire protocol that clients speak. For each connection it has
one ``Session``, which turns messages into hub calls and hub events into
messages; the connection shows itself to the session as a ``Link``. Neither
side knows more of the other than stands here, so a new dialect is one file,
one line in the registry, and tests without a socket.

Messages are bytes: a text message is its UTF-8, checked before it gets here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rtcsig.codes import CloseCode
from rtcsig.hub import Contest, InDoubt, Namespace

__all__ = ["Contest", "Dialect", "InDoubt", "Link", "Session"]


class Link(Protocol):
    """A connection, as its session sees it. No method of it raises."""

    @property
    def path(self) -> str:
        """What follows the mount in the request's path, percent-encoded, from ``/`` on."""

    @property
    def query(self) -> str:
        """The request's query as it was sent, without the question mark."""

    @property
    def address(self) -> str:
        """The peer's address, for logs."""

    @property
    def backlog(self) -> int:
        """Bytes that the peer was sent and the kernel has not taken yet."""

    def send(self, text: bytes) -> bool:
        """Send one text message, which must be valid UTF-8; False if it is not sent.

        Then the connection was over, or has ended for it: the session got ``closed``.
        """

    def send_binary(self, data: bytes) -> None:
        """Send one binary message."""

    def close(self, code: CloseCode, reason: str) -> None:
        """Start the closing handshake. The session gets ``closed`` before this returns."""

    def probe(self, answered: Callable[[], None]) -> None:
        """Ask the peer for a sign of life, and call ``answered`` when it has come."""


class Session(ABC):
    """A dialect's side of one connection.

    Made before the connection is open, so that it can refuse it by raising
    ``Refusal``, or have it wait by raising ``InDoubt``: then another is made once that is
    decided. Then comes either nothing (the handshake failed), or
    ``opened``, any number of messages, and ``closed`` exactly once.

    ``peer_id`` is what the peer is called in its protocol, if it has a name there.
    """

    __slots__ = ()

    peer_id = ""

    @abstractmethod
    def opened(self) -> None:
        """The connection is open: messages may be sent from here on."""

    @abstractmethod
    def received(self, text: bytes) -> None:
        """A text message came in; ``text`` is valid UTF-8."""

    @abstractmethod
    def received_binary(self, data: bytes) -> None:
        """A binary message came in."""

    @abstractmethod
    def closed(self, *, lost: bool = False) -> None:
        """Nothing more comes in and nothing more can be sent.

        The connection was ``lost`` if its peer did not say good-bye with a close frame of its own.
        """


@dataclass(frozen=True)
class Dialect:
    """A wire protocol by its name, with what makes a session of it.

    ``session`` may raise ``Refusal`` or ``InDoubt``. ``subprotocols`` are the WebSocket
    subprotocols that it speaks, best first; clients that offer none of them
    are served without one (RFC 6455, 4.2.2).
    """

    name: str
    session: Callable[[Namespace, Link], Session]
    subprotocols: tuple[str, ...] = ()
