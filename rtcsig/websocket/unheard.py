"""What Autobahn has for somebody to hear, and nobody hears."""

from __future__ import annotations

from typing import Any

__all__ = ["Unawaited", "Unheard"]


class Unheard:
    """Takes Autobahn's lines and drops them.

    They come once for each misdeed of a client, at the levels info and
    warning, with the client's text in them: whoever can connect could fill the
    disk. What is worth a line is reported by the protocol, at a bounded rate.
    """

    def debug(self, *args: Any, **kwargs: Any) -> None:
        """Drop the line."""

    info = warn = error = debug


class Unawaited:
    """Autobahn's Deferred for a connection's beginning or end: nobody waits for it here."""

    def callback(self, result: Any) -> None:
        """It has come."""
