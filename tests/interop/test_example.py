"""The example of the Python client: libdatachannel on both sides, in Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.server import clean_environment
from tests.support.supervised import SupervisedServer

_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_MESSAGES = 30


def test_the_data_channel_survives_a_restart_of_the_server(tmp_path):
    """Both peers lose their signalling and are back, and no message is missing."""
    with SupervisedServer(patient=True) as server:
        command = [
            *(sys.executable, _REPOSITORY / "docs" / "examples" / "two_peers.py", server.url),
            *("--messages", str(_MESSAGES), "--pause-s", "0.1"),
        ]
        with subprocess.Popen(
            command, cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, text=True
        ) as example:
            lines = []
            for line in example.stdout:
                lines.append(line.rstrip())
                if line.startswith("answer to message 5"):
                    server.hurt(signal.SIGKILL)
    assert example.returncode == 0
    answers = [line for line in lines if line.startswith("answer")]
    assert answers == [f"answer to message {number}" for number in range(_MESSAGES)]
    for peer_id in ("ann", "bob"):
        assert lines.count(f"{peer_id} signalling: open") == 2, lines
