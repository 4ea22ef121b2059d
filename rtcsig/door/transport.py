"""What the public interface of Twisted's transports does not tell."""

from __future__ import annotations

from typing import Any

__all__ = ["queued_bytes"]


def queued_bytes(transport: Any) -> int:
    """Bytes that were written to a transport and that the kernel has not taken yet.

    Reads what ``FileDescriptor`` and ``TLSMemoryBIOProtocol`` keep for
    themselves; a transport without any of it has no queue that can be seen: 0.
    """
    queued = 0
    while True:
        queued += sum(map(len, getattr(transport, "_appSendBuffer", ())))
        below = getattr(transport, "transport", None)
        if below is None:
            break
        transport = below
    buffered = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return queued + buffered + getattr(transport, "_tempDataLen", 0)
