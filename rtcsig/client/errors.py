"""Why a client is not connected any more, or a message did not arrive."""

from __future__ import annotations

__all__ = [
    "Ended",
    "IdTaken",
    "PeerNotFound",
    "Refused",
    "Replaced",
    "SignallingError",
    "Stopped",
    "TooMuchWaiting",
]


class SignallingError(Exception):
    """What all of these are."""


class IdTaken(SignallingError):
    """Another peer is connected with the id, and it is there."""


class Replaced(SignallingError):
    """Another connection has taken the id over."""


class Refused(SignallingError):
    """The server refused the connection, and coming back makes no sense; ``status`` is HTTP's."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class Ended(SignallingError):
    """The server closed the connection, and coming back makes no sense; ``code`` is WebSocket's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


class PeerNotFound(SignallingError):
    """The server gave a message up: its peer was not there in time.

    It may have arrived all the same, if only its acknowledgement was lost.
    """

    def __init__(self, peer: str, code: str, reason: str) -> None:
        super().__init__(f"{peer}: {code}: {reason}")
        self.peer = peer
        self.code = code
        self.reason = reason


class TooMuchWaiting(SignallingError):
    """So many messages wait for the connection, or their peer, that no more are taken."""


class Stopped(SignallingError):
    """The client was stopped by its own program."""
