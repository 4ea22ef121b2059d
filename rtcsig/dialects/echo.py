"""``echo``: every message goes back as it came. For the conformance suite and for probes."""

from __future__ import annotations

from rtcsig.dialects.base import Link, Session
from rtcsig.hub import Namespace

__all__ = ["EchoSession"]


class EchoSession(Session):
    """Sends back what it receives, text as text and binary as binary."""

    __slots__ = ("_link",)

    def __init__(self, namespace: Namespace, link: Link) -> None:  # noqa: ARG002 a dialect's signature
        self._link = link

    def opened(self) -> None:
        """Nothing to say first."""

    def received(self, text: bytes) -> None:
        """Send the text back."""
        self._link.send(text)

    def received_binary(self, data: bytes) -> None:
        """Send the data back."""
        self._link.send_binary(data)

    def closed(self, *, lost: bool = False) -> None:
        """Nothing was held."""
