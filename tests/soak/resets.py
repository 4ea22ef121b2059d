"""So many connections that are reset right after connect, as fast as that goes.

Run as a program of its own: ``python -m tests.soak.resets PORT COUNT``. It
prints how many seconds that took.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

_RESET = struct.pack("ii", 1, 0)


def reset_connections(port: int, count: int) -> float:
    """Connect and reset, one after another; returns the seconds it took."""
    began_s = time.monotonic()
    for _ in range(count):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.connect(("127.0.0.1", port))
    return time.monotonic() - began_s


if __name__ == "__main__":
    print(reset_connections(int(sys.argv[1]), int(sys.argv[2])))
