"""The first accepted connection has no peer name: its client is gone already."""

import errno
import os

from twisted.internet import tcp

_get_peer = tcp.Server.getPeer
_gone = []


def getPeer(self):
    """Fail as getpeername(2) does, each time the first connection is asked."""
    _gone[:] = _gone or [self]
    if self is _gone[0]:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    return _get_peer(self)


tcp.Server.getPeer = getPeer
