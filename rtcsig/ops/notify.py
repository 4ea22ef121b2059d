"""What a service manager is told, and how (sd_notify(3)).

Under systemd the socket is in the environment; without it the supervisor of this
package puts its own there. So a server has one way to say how it is.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Herald", "Notifier", "watchdog_s"]

_STATUS_EVERY_S = 10.0
_BEATS_PER_WATCHDOG = 2
_USEC_PER_S = 1_000_000


class Notifier:
    """Sends datagrams to ``address``, to nobody when it is None. Never waits and never raises.

    A manager that does not read, or is gone, is its own problem.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._socket: socket.socket | None = None

    def send(self, *assignments: str) -> None:
        """Send ``NAME=VALUE`` assignments in one datagram."""
        if self.address is None:
            return
        path = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        with suppress(OSError):
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto("\n".join(assignments).encode(), path)

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """How often at least a sign of life is wanted of this process; None for never."""
    usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not usec.isdecimal() or not int(usec) or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / _USEC_PER_S


class Herald:
    """Tells the manager of the server's life, from ``started`` to ``stop``.

    Signs of life come from the reactor, twice in ``watchdog_s``, and only while
    ``faults`` has none to tell: a server that turns and serves nobody is to be
    restarted as well. ``withheld`` is called with the faults instead.
    """

    def __init__(
        self,
        notifier: Notifier,
        clock: IReactorTime,
        watchdog_s: float | None,
        *,
        faults: Callable[[], list[str]],
        status: Callable[[], str],
        withheld: Callable[[list[str]], None],
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._has_watchdog = watchdog_s is not None
        self._every_s = (watchdog_s or _STATUS_EVERY_S) / _BEATS_PER_WATCHDOG
        self._faults = faults
        self._status = status
        self._withheld = withheld
        self._next: IDelayedCall | None = None

    def started(self) -> None:
        """Say that newcomers are served, and begin to give signs of life."""
        self._notifier.send("READY=1", f"STATUS={self._status()}")
        if self._notifier.address is not None:
            self._beat()

    def reloading(self) -> None:
        """Say that settings are read anew; systemd wants to know since when."""
        self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, outcome: str) -> None:
        """Say that this is over, and how it went."""
        self._notifier.send("READY=1", f"STATUS={outcome}")

    def stopping(self, within_s: float) -> None:
        """Say that the end has begun, and how long it may take."""
        usec = int(within_s * _USEC_PER_S)
        self._notifier.send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={usec}", f"STATUS={self._status()}")

    def stop(self) -> None:
        """Say nothing any more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._notifier.close()

    def _beat(self) -> None:
        self._next = self._clock.callLater(self._every_s, self._beat)
        faults = self._faults()
        if faults:
            self._withheld(faults)
        elif self._has_watchdog:
            self._notifier.send("WATCHDOG=1", f"STATUS={self._status()}")
        else:
            self._notifier.send(f"STATUS={self._status()}")
