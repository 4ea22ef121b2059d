"""On SIGRTMIN standard output is a full pipe that nobody reads, then /dev/full, then itself."""

import os
import signal

_own = os.dup(1)


def _full_pipe():
    """The writing end of a pipe that takes nothing more; its reading end stays open."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while os.write(writing, bytes(4096)):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, writing


def _stages():
    """Each state of standard output after the other."""
    while True:
        reading, writing = _full_pipe()
        os.dup2(writing, 1)
        os.close(writing)
        yield "a full pipe"
        # Who waits to write gets an error.
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, 1)
        os.close(full)
        os.close(reading)
        yield "/dev/full"
        os.dup2(_own, 1)
        yield "itself"


_next_stage = _stages()


def _change(number, frame):
    os.write(_own, b"standard output is %b\n" % next(_next_stage).encode())


signal.signal(signal.SIGRTMIN, _change)
