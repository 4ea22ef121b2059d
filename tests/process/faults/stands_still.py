"""A server whose reactor stands still for some seconds when it gets SIGUSR2."""

import signal
import time

signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3))
