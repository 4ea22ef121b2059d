"""On SIGUSR2 the server writes its books to the file ``books`` in its folder, as JSON."""

import gc
import json
import signal
from collections import Counter
from pathlib import Path

from rtcsig.door import ledger

_init = ledger.Ledger.__init__
_ledgers = []


def __init__(self):  # noqa: N807 it takes the place of one
    """Remember the ledger."""
    _init(self)
    _ledgers.append(self)


def _objects():
    """How many objects of classes of ours there are, by class."""
    gc.collect()
    kinds = Counter(type(each) for each in gc.get_objects())
    return {
        f"{kind.__module__}.{kind.__qualname__}": count
        for kind, count in kinds.items()
        if str(kind.__module__).startswith("rtcsig.")
    }


def _write(number, frame):
    (books,) = _ledgers
    readings = [[each.name, each.labels, each.value] for each in books.readings()]
    new = Path("books.new")
    new.write_text(json.dumps({"readings": readings, "objects": _objects()}), encoding="utf-8")
    new.rename("books")


ledger.Ledger.__init__ = __init__
signal.signal(signal.SIGUSR2, _write)
