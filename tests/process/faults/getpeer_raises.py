"""Every third accepted connection has no peer name: its client is gone already."""

import errno
import itertools
import os

from twisted.internet import tcp

_get_peer = tcp.Server.getPeer
_fails = itertools.cycle((False, False, True))


def getPeer(self):
    """Fail as getpeername(2) does, each time this connection is asked."""
    if not hasattr(self, "has_no_peer"):
        self.has_no_peer = next(_fails)
    if self.has_no_peer:
        raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    return _get_peer(self)


tcp.Server.getPeer = getPeer
