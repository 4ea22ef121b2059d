"""TCP_NODELAY cannot be set on every third connection: setsockopt(2) says EINVAL."""

import errno
import itertools
import os

from twisted.internet import tcp

_set_no_delay = tcp.Server.setTcpNoDelay
_fails = itertools.cycle((False, False, True))


def setTcpNoDelay(self, enabled):
    """Fail as setsockopt(2) does on a connection that was reset."""
    if next(_fails):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    _set_no_delay(self, enabled)


tcp.Server.setTcpNoDelay = setTcpNoDelay
