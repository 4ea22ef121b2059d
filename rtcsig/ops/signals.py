"""What the process does when it gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["obey"]

_REACTORS_OWN = (signal.SIGTERM, signal.SIGINT)


def obey(reactor: Any, orders: Mapping[signal.Signals, Callable[[], None]]) -> None:
    """Make signals call these in the reactor, and a clean end have status 0.

    The reactor's own handlers stop it as well, but remember the signal, and
    ``twistd`` then dies of it: a supervisor would take that for a crash. They
    are set when the reactor starts, so ours are set now, and again after it;
    a signal that comes in between is made forgotten. One that comes when all
    is done changes nothing: the interpreter would else take its handler away
    before it ends, and die of it.
    """

    def install() -> None:
        for number, order in orders.items():
            signal.signal(number, lambda *_, order=order: reactor.callFromThread(order))

    def forget() -> None:
        reactor._exitSignal = None
        for number in (*_REACTORS_OWN, *orders):
            signal.signal(number, signal.SIG_IGN)

    install()
    reactor.callWhenRunning(install)
    reactor.addSystemEventTrigger("after", "shutdown", forget)
