"""Asking every third accepted connection for its peer meets a bug, no error of the kernel."""

import itertools

from twisted.internet import tcp

_get_peer = tcp.Server.getPeer
_fails = itertools.cycle((False, False, True))


def getPeer(self):
    """Fail as code does that is wrong, each time this connection is asked."""
    if not hasattr(self, "has_no_peer"):
        self.has_no_peer = next(_fails)
    if self.has_no_peer:
        raise AttributeError("a bug")
    return _get_peer(self)


tcp.Server.getPeer = getPeer
