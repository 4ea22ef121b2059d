"""Every third accepted connection cannot be watched: epoll_ctl(2) says ENOENT."""

import errno
import itertools
import os

from rtcsig.door.poller import Poller

_add_reader = Poller.addReader
_fails = itertools.cycle((False, False, True))


def addReader(self, reader):
    """Fail before anything is noted, as the poller does when epoll refuses."""
    if not hasattr(reader, "is_known"):
        reader.is_known = True
        if next(_fails):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    _add_reader(self, reader)


Poller.addReader = addReader
