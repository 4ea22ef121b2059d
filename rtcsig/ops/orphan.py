"""A supervised server notices that its supervisor is gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["SupervisorWatch"]

_STDIN = 0
_MANY_BYTES = 4096


@implementer(IReadDescriptor)
class SupervisorWatch:
    """Calls ``gone`` when standard input ends: it is a pipe from the supervisor."""

    def __init__(self, reactor: Any, gone: Callable[[], None]) -> None:
        self._reactor = reactor
        self._gone = gone

    def start(self) -> None:
        """Begin."""
        self._reactor.addReader(self)

    def fileno(self) -> int:
        """The descriptor of standard input."""
        return _STDIN

    def logPrefix(self) -> str:
        """For the log of the reactor."""
        return "supervisor"

    def doRead(self) -> None:
        """Throw away what nobody should write there; its end comes to ``connectionLost``."""
        os.read(_STDIN, _MANY_BYTES)

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002 Twisted's
        """Tell: nobody has the other end of the pipe. When the reactor shuts down it comes, too."""
        self._gone()
