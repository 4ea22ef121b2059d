"""On SIGUSR2 the server writes its books to the file ``books`` in its folder, as JSON.

Objects are counted only when there is a file ``objects-wanted``.
"""

import functools
import gc
import json
import os
import signal
from collections import Counter
from enum import Enum
from pathlib import Path

from rtcsig.door.ledger import Ledger
from rtcsig.websocket.factory import House

_WANTED = Path("objects-wanted")


def _plain(value):
    """A value of the ledger as JSON has it; keys of several parts are joined by slashes."""
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    return value if isinstance(value, int | float | str | None) else str(value)


def _key(key):
    if isinstance(key, tuple):
        return "/".join(map(_key, key))
    return key.name if isinstance(key, Enum) else str(key)


def _ours():
    """All objects of classes of ours."""
    gc.unfreeze()  # the server has put what it began with out of sight
    gc.collect()
    return [each for each in gc.get_objects() if str(type(each).__module__).startswith("rtcsig.")]


@functools.cache
def _the_one(kind):
    """The one object of this class."""
    (one,) = (each for each in _ours() if type(each) is kind)
    return one


def _objects():
    """How many objects there are, by class. This takes time, in which nobody is served."""
    if not _WANTED.exists():
        return None
    _WANTED.unlink()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in _ours())


def _write():
    ledger = _the_one(Ledger)
    books = {
        "readings": [[each.name, each.labels, each.value] for each in ledger.readings()],
        "ledger": _plain(vars(ledger)),
        "objects": _objects(),
        "connections": len(_the_one(House).connections),
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,
    }
    new = Path("books.new")
    new.write_text(json.dumps(books), encoding="utf-8")
    new.rename("books")


def _asked(number, frame):
    """Leave the writing to the reactor: here, anything may be half done."""
    from twisted.internet import reactor

    reactor.callFromThread(_write)


signal.signal(signal.SIGUSR2, _asked)
