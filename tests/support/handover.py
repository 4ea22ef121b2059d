"""``python handover.py NAME=DESCRIPTOR... -- COMMAND...``: start a command as systemd does.

Its listening sockets are its descriptors from 3 on, and three variables tell it so:
sd_listen_fds(3).
"""

from __future__ import annotations

import fcntl
import os
import sys

_FIRST = 3
_OUT_OF_THE_WAY = 100

if __name__ == "__main__":
    end = sys.argv.index("--")
    handed_down = [each.rpartition("=") for each in sys.argv[1:end]]
    command = sys.argv[end + 1 :]
    # One may lie where another one goes.
    moved = [
        fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
        for _, _, number in handed_down
    ]
    for _, _, number in handed_down:
        os.close(int(number))
    for place, descriptor in enumerate(moved, start=_FIRST):
        os.dup2(descriptor, place)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(handed_down))
    os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _, _ in handed_down)
    os.execv(command[0], command)
