"""What the hub asks of others, and what it is told to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

__all__ = ["Code", "Member", "SameId", "State", "Terms", "Timer", "Timers"]


class SameId(StrEnum):
    """Who has an id that is claimed while its holder is connected."""

    REPLACE = "replace"  # the newcomer
    REJECT = "reject"  # the holder
    PROBE = "probe"  # the holder, if it shows in time that it is there


class Code(StrEnum):
    """What became of a message that could not be handed over at once."""

    DELIVERED = "delivered"
    PEER_NOT_FOUND = "peer-not-found"
    NOT_HELD = "not-held"
    STOPPING = "stopping"


class State(StrEnum):
    """Where a peer is, for those who watch it."""

    HERE = "here"
    AWAY = "away"  # its connection was lost, and it may come back
    ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How long what is kept, and how much of it. Made without arguments: nothing is.

    ``max_held_messages`` and ``max_held_bytes`` bound what is held for one peer, and also
    what is held of one sender; ``max_kept_bytes`` bounds all that the hub keeps,
    in bytes as it counts them (``keeping``).
    """

    same_id: SameId = SameId.REPLACE
    probe_s: float = 2.0
    resume_grace_s: float = 0.0
    hold_absent_s: float = 0.0
    max_held_messages: int = 0
    max_held_bytes: int = 0
    max_kept_bytes: int = 0


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Do not make it; nothing happens when it was made."""


class Timers(Protocol):
    """Time, as the hub has it."""

    def now_s(self) -> float:
        """Seconds since some moment."""

    def set(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> Timer:
        """Make a call in ``delay_s``."""


class Member(Protocol):
    """What the hub asks of the session that holds an id. No call may raise.

    ``token`` proves that who shows it is this member, and is empty if there is none.
    ``acknowledges`` says whether it tells senders itself what it has received.
    """

    @property
    def token(self) -> str:
        """The secret that it shares with its peer, or nothing."""

    @property
    def acknowledges(self) -> bool:
        """Whether it tells senders itself what has arrived."""

    def deliver(self, message: bytes) -> bool:
        """Take a message that is for this member; False if it was lost for it and has not."""

    def displaced(self) -> None:
        """Another claim has the id now; this member holds it no longer."""

    def probe(self, answered: Callable[[], None]) -> None:
        """Ask the peer at once for a sign of life; call ``answered`` when it has come."""

    def outcome(self, destination: str, receipt: object, code: Code) -> bool:
        """Hear what became of a message that was held; False if it was lost for that."""

    def presence(self, peer_id: str, state: State) -> None:
        """Hear where a watched peer is."""
