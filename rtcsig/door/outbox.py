"""One send for all that one read causes: messages that came together leave together."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Outbox", "Sender"]


class Sender(Protocol):
    """A transport that can wait with what was written to it."""

    def flush(self) -> None:
        """Send what waits. Must not raise."""


class Outbox:
    """Remembers which transports wait until ``release``, while it ``holds``."""

    __slots__ = ("holds", "waiting")

    def __init__(self) -> None:
        self.holds = False
        self.waiting: list[Sender] = []

    def hold(self) -> None:
        """From here on transports wait with what is written to them."""
        self.holds = True

    def release(self) -> None:
        """Let them send, each once."""
        self.holds = False
        waiting, self.waiting = self.waiting, []
        for sender in waiting:
            sender.flush()
