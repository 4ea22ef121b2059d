"""Clients of a signalling server: one that stays connected, and what is behind ``rtcsig check``.

``SignallingClient`` is for programs. docs/clients.md has its use.
"""

from rtcsig.client.errors import (
    Ended,
    IdTaken,
    PeerNotFound,
    Refused,
    Replaced,
    SignallingError,
    Stopped,
    TooMuchWaiting,
)
from rtcsig.client.signalling import ClientState, SignallingClient

__all__ = [
    "ClientState",
    "Ended",
    "IdTaken",
    "PeerNotFound",
    "Refused",
    "Replaced",
    "SignallingClient",
    "SignallingError",
    "Stopped",
    "TooMuchWaiting",
]
