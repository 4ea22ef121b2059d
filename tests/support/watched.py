"""A connection and its session that are watched, and fail once wherever they are told to."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from rtcsig.dialects.base import Dialect
from rtcsig.dialects.datachannel import DatachannelSession
from rtcsig.dialects.echo import EchoSession
from rtcsig.door.life import State
from rtcsig.websocket.factory import House
from tests.support.memory import MemoryPeer
from tests.support.turns import TurnTransport

__all__ = ["WATCHED", "InjectedFault", "WatchedConnection"]

# Nothing, or opened, messages in both directions, and closed once: dialects/base.py.
_CONTRACT = re.compile(r"made( opened( received| received_binary| deliver| displaced)*( closed)?)?")


class InjectedFault(RuntimeError):
    """The exception that a test put somewhere."""

    def __init__(self, point: str, when: str) -> None:
        super().__init__(f"{point}, {when} its work")
        self.point = point


class WatchedConnection:
    """A peer and its connection, the sessions made for it, and the faults put into it.

    A fault is named ``owner.method``; owners are ``transport``, ``protocol``
    and ``session``. It happens once, before or after the method did its work.
    """

    def __init__(self, house: House, name: str) -> None:
        self.name = name
        self.transport = TurnTransport()
        self.peer = MemoryPeer(house, transport=self.transport)
        self.protocol = self.peer.protocol
        self.protocol.watched = self
        self.sessions: list[Any] = []
        self.held = b""
        self.fired: list[tuple[str, str]] = []
        self._armed: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return self.name

    @property
    def life(self) -> State:
        """Where the connection is in its life."""
        return self.protocol._life

    def arm(self, point: str, when: str) -> None:
        """Let the next use of ``point`` fail, ``when`` being before or after its work."""
        owner_name, _, method = point.partition(".")
        if (point, when) in self._armed:
            return
        self._armed.add((point, when))
        if owner_name != "session":
            owner = getattr(self, owner_name)
            original = getattr(owner, method)
            setattr(owner, method, partial(self.guarded, point, original))

    def guarded(
        self, point: str, action: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Any:
        """Do what ``point`` does, with the fault that is armed for it."""
        self._hit(point, "before")
        result = action(*arguments, **options)
        self._hit(point, "after")
        return result

    def _hit(self, point: str, when: str) -> None:
        if (point, when) in self._armed:
            self._armed.remove((point, when))
            self.fired.append((point, when))
            raise InjectedFault(point, when)


class _Watched:
    """Before a real session: notes what happens to it, and fails where it is told to."""

    def __init__(self, namespace: Any, link: Any) -> None:
        self.watched: WatchedConnection = link.watched
        self.watched.sessions.append(self)
        self.calls: list[str] = []
        self._pass_on("made", super().__init__, namespace, link)

    def _pass_on(self, call: str, action: Callable[..., None], *arguments: Any) -> None:
        self.calls.append(call)
        self.watched.guarded(f"session.{call}", action, *arguments)

    def keeps_the_contract(self) -> bool:
        """Whether its calls came in the order that every session can rely on."""
        return _CONTRACT.fullmatch(" ".join(self.calls)) is not None

    @property
    def is_kept_by_a_fault(self) -> bool:
        """Whether a fault took its only chance to give back what it holds."""
        return ("session.closed", "before") in self.watched.fired

    def opened(self) -> None:
        self._pass_on("opened", super().opened)

    def received(self, text: bytes) -> None:
        self._pass_on("received", super().received, text)

    def received_binary(self, data: bytes) -> None:
        self._pass_on("received_binary", super().received_binary, data)

    def closed(self, *, lost: bool = False) -> None:
        self._pass_on("closed", partial(super().closed, lost=lost))


class _WatchedDatachannel(_Watched, DatachannelSession):
    """A peer of libdatachannel's examples, watched."""

    def received_binary(self, data: bytes) -> None:
        # The original calls `received`, which would be noted as a second message.
        self._pass_on("received_binary", lambda: DatachannelSession.received(self, data))

    def deliver(self, message: bytes) -> None:
        self._pass_on("deliver", super().deliver, message)

    def displaced(self) -> None:
        self._pass_on("displaced", super().displaced)


class _WatchedEcho(_Watched, EchoSession):
    """An echo, watched."""


WATCHED = (Dialect("datachannel", _WatchedDatachannel), Dialect("echo", _WatchedEcho))
