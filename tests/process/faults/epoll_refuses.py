"""The reactor cannot watch every third accepted connection: epoll_ctl(2) says ENOENT."""

import errno
import itertools
import os

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor

_add_reader = EPollReactor.addReader
_fails = itertools.cycle((False, False, True))


def addReader(self, reader):
    """Fail before anything is noted, as the reactor does when epoll refuses."""
    if isinstance(reader, tcp.Server) and not hasattr(reader, "is_known"):
        reader.is_known = True
        if next(_fails):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    _add_reader(self, reader)


EPollReactor.addReader = addReader
