"""No protocol can be made for every third connection."""

import itertools

from rtcsig.websocket.protocol import SignallingProtocol

_init = SignallingProtocol.__init__
_fails = itertools.cycle((False, False, True))


def __init__(self):  # noqa: N807 it takes the place of one
    """Fail as code does that is wrong."""
    if next(_fails):
        raise ZeroDivisionError("a bug")
    _init(self)


SignallingProtocol.__init__ = __init__
