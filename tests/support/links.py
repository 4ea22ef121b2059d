"""A connection as a session sees it, without a connection."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rtcsig.codes import CloseCode

__all__ = ["RecordingLink"]


class RecordingLink:
    """A ``Link`` that keeps what it is asked to do."""

    def __init__(self, path: str = "/", query: str = "") -> None:
        self.path = path
        self.query = query
        self.address = "192.0.2.1:40000"
        self.backlog = 0
        self.sent: list[bytes] = []
        self.sent_binary: list[bytes] = []
        self.probes: list[Callable[[], None]] = []
        self.closes: list[tuple[CloseCode, str]] = []

    def send(self, text: bytes) -> bool:
        """Keep a text message."""
        self.sent.append(text)
        return True

    def send_binary(self, data: bytes) -> None:
        """Keep a binary message."""
        self.sent_binary.append(data)

    def close(self, code: CloseCode, reason: str) -> None:
        """Keep a close."""
        self.closes.append((code, reason))

    def probe(self, answered: Callable[[], None]) -> None:
        """Keep who wants to know."""
        self.probes.append(answered)

    @property
    def messages(self) -> list[Any]:
        """The text messages, from JSON."""
        return [json.loads(text) for text in self.sent]
