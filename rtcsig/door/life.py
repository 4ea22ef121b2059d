"""The life of one connection: its states, what can happen, and what follows.

Everything that decides about transitions stands in this table. A pair that is
not in it is a mistake of ours and raises ``IllegalTransition``; nothing that a
peer or the kernel does can cause one.

    NEW ---- MADE ----> HANDSHAKE -- OPENED --> OPEN
     |                   |      |                 |
     |            ASKED  |      | CLOSING         | CLOSING
     | FAILED            v      v                 v
     |                  HTTP   CLOSING <----------+
     v                   |      |
    CLOSED <---- LOST ---+------+

NEW is not counted: a connection whose set-up failed never was one. All other
states are, from MADE to LOST, by the one who moves them (``Ledger.moved``).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

__all__ = ["Event", "IllegalTransition", "State", "after"]


class _Quick(Enum):
    """Members are compared by identity, so they may be hashed by it, which takes no call."""

    __hash__: Any = object.__hash__


class State(_Quick):
    """Where a connection is in its life."""

    NEW = auto()  # accepted by the kernel, not set up yet
    HANDSHAKE = auto()  # set up; its request is awaited or being answered
    HTTP = auto()  # its request is no upgrade, and is answered by a web page
    OPEN = auto()  # the WebSocket is open and has a session
    CLOSING = auto()  # refused, failed or in the closing handshake: nothing is taken any more
    CLOSED = auto()  # the transport is gone


class Event(_Quick):
    """What happens to a connection."""

    MADE = auto()  # set-up succeeded
    FAILED = auto()  # set-up failed
    ASKED = auto()  # a web page is asked for
    OPENED = auto()  # the opening handshake is done
    CLOSING = auto()  # either side began to end it, in whatever way
    LOST = auto()  # the transport says that it is over


class IllegalTransition(Exception):
    """An event in a state that knows no such event: a bug of ours."""


_TABLE = {
    (State.NEW, Event.MADE): State.HANDSHAKE,
    (State.NEW, Event.FAILED): State.CLOSED,
    (State.HANDSHAKE, Event.OPENED): State.OPEN,
    (State.HANDSHAKE, Event.ASKED): State.HTTP,
    (State.HTTP, Event.CLOSING): State.CLOSING,
    (State.HTTP, Event.LOST): State.CLOSED,
    (State.HANDSHAKE, Event.CLOSING): State.CLOSING,
    (State.HANDSHAKE, Event.LOST): State.CLOSED,
    (State.OPEN, Event.CLOSING): State.CLOSING,
    (State.OPEN, Event.LOST): State.CLOSED,
    # Both sides can begin to end it, and a failure can meet an end under way.
    (State.CLOSING, Event.CLOSING): State.CLOSING,
    (State.CLOSING, Event.LOST): State.CLOSED,
}


def after(state: State, event: Event) -> State:
    """The state that follows; raises ``IllegalTransition`` for a pair outside the table."""
    try:
        return _TABLE[state, event]
    except KeyError:
        raise IllegalTransition(f"{event.name} in {state.name}") from None
