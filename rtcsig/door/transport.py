"""What the public interface of Twisted's transports does not tell, and cannot set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["queued_bytes", "read_little_at_once"]

_READ_BYTES = 8192


def queued_bytes(transport: Any) -> int:
    """Bytes that were written to a transport and that the kernel has not taken yet.

    Reads what ``FileDescriptor`` and ``TLSMemoryBIOProtocol`` keep for
    themselves; a transport without any of it has no queue that can be seen: 0.
    """
    queued = 0
    for layer in _layers(transport):
        queued += sum(map(len, getattr(layer, "_appSendBuffer", ())))
        transport = layer
    buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return queued + buffered + getattr(transport, "_tempDataLen", 0)


def read_little_at_once(transport: Any) -> None:
    """Keep a peer's turn short: what it sent is handled before anybody else's is.

    Twisted reads 64 KiB at once, which is two thousand small messages.
    """
    *_, lowest = _layers(transport)
    lowest.bufferSize = _READ_BYTES


def _layers(transport: Any) -> Iterator[Any]:
    """The transport and those below it, as TLS has them."""
    while transport is not None:
        yield transport
        transport = getattr(transport, "transport", None)
