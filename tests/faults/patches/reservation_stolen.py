"""On SIGRTMIN the descriptor that Twisted keeps for the day when there is none is closed."""

import os
import signal

from twisted.internet import tcp


def _steal(number, frame):
    reserved = tcp._reservedFD._fileDescriptor
    if reserved is not None:
        tcp._reservedFD._fileDescriptor = None
        reserved.close()
        os.write(1, b"the reserved descriptor is gone\n")


signal.signal(signal.SIGRTMIN, _steal)
