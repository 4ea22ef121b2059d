"""A peer's session fails where its path says: ``/eve/bad-made``, ``/eve/bad-opened``, ..."""

from rtcsig.dialects.datachannel import DatachannelSession

_real = {name: getattr(DatachannelSession, name) for name in ("opened", "received", "closed")}
_init = DatachannelSession.__init__


def _fail(link, step):
    if link.path.endswith(f"/bad-{step}"):
        raise RuntimeError("secret text")


def __init__(self, namespace, link, token=""):  # noqa: N807 it takes the place of one
    """Fail to be made."""
    _fail(link, "made")
    _init(self, namespace, link, token)


def opened(self):
    """Fail with the id taken."""
    _real["opened"](self)
    _fail(self._link, "opened")


def received(self, text):
    """Fail before the message is passed on."""
    _fail(self._link, "received")
    _real["received"](self, text)


def closed(self, *, lost=False):
    """Fail with the id not given back."""
    _fail(self._link, "closed")
    _real["closed"](self, lost=lost)


DatachannelSession.__init__ = __init__
DatachannelSession.opened = opened
DatachannelSession.received = received
DatachannelSession.closed = closed
