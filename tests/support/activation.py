"""Listening sockets that a service manager opens and keeps."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["HeldSocket", "handed_down"]

_HANDOVER = Path(__file__).parent / "handover.py"
_BACKLOG = 16
_TIMEOUT_S = 15.0
_TCP_INFO = struct.Struct("8x20xI")


class HeldSocket:
    """A socket that listens, whoever serves it, as a context manager."""

    def __init__(self, family: socket.AddressFamily, address: Any, name: str = "rtcsig") -> None:
        self.name = name
        self.description = f"systemd:domain={family.name.removeprefix('AF_')}:name={name}"
        self._socket = socket.socket(family)
        if family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(address)
        self._socket.listen(_BACKLOG)

    def __enter__(self) -> HeldSocket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Its descriptor."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """Its port, of one that has one."""
        return self._socket.getsockname()[1]

    def backlog(self) -> int:
        """How many may wait in its queue, of one of TCP."""
        # For a socket that listens this is in the place of tcpi_sacked.
        about = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        return _TCP_INFO.unpack(about)[-1]

    def connect(self) -> socket.socket:
        """A client's socket that is connected: the kernel does that, whoever serves."""
        with ExitStack() as stack:
            client = stack.enter_context(socket.socket(self._socket.family))
            client.settimeout(_TIMEOUT_S)
            client.connect(self._socket.getsockname())
            stack.pop_all()
        return client


def handed_down(*held: HeldSocket) -> dict[str, Any]:
    """The arguments of a ``ServerProcess`` that gets these sockets."""
    named = [f"{each.name}={each.fileno()}" for each in held]
    return {
        "before": [sys.executable, str(_HANDOVER), *named, "--"],
        "handed_down": [each.fileno() for each in held],
    }
