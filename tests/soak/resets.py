"""So many connections that are reset right after connect.

Run as a program of its own: ``python -m tests.soak.resets PORT COUNT PER_SECOND``.
It prints how many seconds that took. Faster than the server accepts would be
slower: a connection that finds the kernel's queue full waits for a second.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

_RESET = struct.pack("ii", 1, 0)


def reset_connections(port: int, count: int, per_second: float) -> float:
    """Connect and reset, one after another; returns the seconds it took."""
    began_s = time.monotonic()
    for number in range(count):
        early_s = number / per_second - (time.monotonic() - began_s)
        if early_s > 0:
            time.sleep(early_s)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            sock.connect(("127.0.0.1", port))
    return time.monotonic() - began_s


if __name__ == "__main__":
    print(reset_connections(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
