"""Run at the start of every Python that has this folder in PYTHONPATH: how to make a server hang.

A supervised server that gets SIGUSR2 blocks its reactor for a minute.
"""

import os
import signal
import time

if "_RTCSIG_SUPERVISED" in os.environ:
    signal.signal(signal.SIGUSR2, lambda *_: time.sleep(60))
