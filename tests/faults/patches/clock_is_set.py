"""On SIGRTMIN the wall clock is set: an hour ahead, an hour back, right, and so on."""

import itertools
import os
import signal
import time

_time = time.time
_shifts_s = itertools.cycle((3600.0, -3600.0, 0.0))
_shift_s = [0.0]


def _shifted():
    """The wall clock as it was set."""
    return _time() + _shift_s[0]


def _set(number, frame):
    _shift_s[0] = next(_shifts_s)
    os.write(1, b"the clock is set\n")


time.time = _shifted
signal.signal(signal.SIGRTMIN, _set)
