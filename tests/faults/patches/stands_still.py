"""A message with ``stall_s`` makes the reactor stand still for as long."""

import json
import os
import time

from rtcsig.dialects.datachannel import DatachannelSession

_received = DatachannelSession.received


def received(self, text):
    """Stand still first."""
    if b"stall_s" in text:
        os.write(1, b"stands still\n")
        time.sleep(json.loads(text)["stall_s"])
    _received(self, text)


DatachannelSession.received = received
