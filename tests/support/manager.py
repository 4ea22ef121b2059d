"""A service manager as a server sees it: a socket that hears what it notifies."""

from __future__ import annotations

import socket
from collections import deque
from pathlib import Path
from types import TracebackType

__all__ = ["Manager"]

_TIMEOUT_S = 20.0
_MANY_BYTES = 65_536


class Manager:
    """Hears notifications (sd_notify(3)) at ``environment``'s address, as a context manager."""

    def __init__(self, folder: Path, watchdog_s: float | None = None) -> None:
        self.environment = {"NOTIFY_SOCKET": str(folder / "notify")}
        if watchdog_s is not None:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1_000_000))
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.environment["NOTIFY_SOCKET"])
        self._socket.settimeout(_TIMEOUT_S)
        self.heard: deque[dict[str, str]] = deque()

    def __enter__(self) -> Manager:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def next(self) -> dict[str, str]:
        """The next notification, waited for."""
        datagram = self._socket.recv(_MANY_BYTES).decode()
        told = dict(line.split("=", 1) for line in datagram.splitlines())
        self.heard.append(told)
        return told

    def wait_for(self, name: str) -> dict[str, str]:
        """The next notification that assigns ``name``."""
        while name not in (told := self.next()):
            pass
        return told

    def rest(self) -> list[dict[str, str]]:
        """What has come and was not looked at yet."""
        came = len(self.heard)
        self._socket.setblocking(False)
        try:
            while True:
                self.next()
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(_TIMEOUT_S)
        return list(self.heard)[came:]
