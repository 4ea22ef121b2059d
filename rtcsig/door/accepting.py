"""What the kernel answers to accept(2) instead of a connection, and what follows from it."""

from __future__ import annotations

import errno
from enum import Enum, auto

__all__ = [
    "FULL_PAUSE_S",
    "MAX_GONE_IN_A_ROW",
    "PAUSE_S",
    "Reaction",
    "reaction_to",
    "remedy_for",
]

PAUSE_S = 0.5
# While those are told who are too many. They go by themselves, and soon.
FULL_PAUSE_S = 0.05
# Each error of this kind takes a connection out of the queue, so they end by
# themselves; should they not, the listener pauses like for any other.
MAX_GONE_IN_A_ROW = 100


class Reaction(Enum):
    """What to do after an error of accept(2)."""

    WAIT = auto()  # nobody is waiting: come back when the reactor says so
    NEXT = auto()  # that connection is gone: try the next
    PAUSE = auto()  # the listener cannot accept now: leave everybody in the queue for a while


_NOBODY_WAITS = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})

# accept(2), "Error handling": Linux passes errors that are pending on the new
# connection, to be treated like EAGAIN; EPERM is a firewall's.
_CONNECTION_IS_GONE = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENONET,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.EPERM,
        errno.EPROTO,
    }
)

_REMEDIES = {
    errno.EMFILE: "raise the process's limit of descriptors (ulimit -n, LimitNOFILE)",
    errno.ENFILE: "raise the machine's limit of descriptors (fs.file-max)",
    errno.ENOBUFS: "the kernel lacks memory for sockets",
    errno.ENOMEM: "the kernel lacks memory for sockets",
}


def reaction_to(error_number: int | None, gone_in_a_row: int) -> Reaction:
    """What to do after this errno, when so many connections were gone before it.

    An errno that nobody has heard of pauses: a listener that goes on later is
    better than one that spins, or one that ends.
    """
    if error_number in _NOBODY_WAITS:
        return Reaction.WAIT
    if error_number in _CONNECTION_IS_GONE and gone_in_a_row < MAX_GONE_IN_A_ROW:
        return Reaction.NEXT
    return Reaction.PAUSE


def remedy_for(error: Exception) -> str:
    """What an operator can do about an error that pauses a listener."""
    number = error.errno if isinstance(error, OSError) else None
    return _REMEDIES.get(number or 0, "see accept(2)")
