"""``twistd rtcsig`` as a daemon: it leaves the terminal, serves, and cleans up behind itself."""

from __future__ import annotations

import os
import re
import select
import signal

import pytest

from tests.support.commands import run_twistd
from tests.support.peer import Peer

_END_TIMEOUT_MS = 20_000
_LISTENS = re.compile(r"rtcsig listens on \S+: 127\.0\.0\.1:(\d+)")


class Daemon:
    """A running daemon, found by its pid file."""

    def __init__(self, folder):
        self.pid_file = folder / "pid"
        self.log_file = folder / "log"
        self.started = run_twistd(
            f"--pidfile={self.pid_file}", f"--logfile={self.log_file}",
            "rtcsig", "--listen=tcp:0:interface=127.0.0.1",
            folder=folder,
        )  # fmt: skip
        self.pid = int(self.pid_file.read_text(encoding="ascii"))
        self._end = os.pidfd_open(self.pid)

    @property
    def log(self) -> str:
        """The log so far."""
        return self.log_file.read_text(encoding="utf-8")

    def has_ended(self, timeout_ms: int = 0) -> bool:
        """Whether the process has ended, or does so in time."""
        ends = select.poll()
        ends.register(self._end, select.POLLIN)
        return bool(ends.poll(timeout_ms))

    def stop(self, number: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        if not self.has_ended():
            signal.pidfd_send_signal(self._end, number)
            assert self.has_ended(_END_TIMEOUT_MS), self.log

    def close(self) -> None:
        """Leave no process and no descriptor behind."""
        try:
            self.stop(signal.SIGKILL)
        finally:
            os.close(self._end)


@pytest.fixture
def daemon(tmp_path):
    """A running daemon."""
    running = Daemon(tmp_path)
    yield running
    running.close()


def test_a_daemon_serves_and_ends(daemon):
    """It runs on by itself, serves a client, and removes its pid file when it ends."""
    assert (daemon.started.status, daemon.started.lines) == (0, [])
    assert not daemon.has_ended()
    port = int(_LISTENS.search(daemon.log).group(1))
    with Peer(port, "/ann") as ann:
        ann.send({"id": "ann", "type": "offer"})
        assert ann.receive() == {"id": "ann", "type": "offer"}
        ann.close()
    daemon.stop(signal.SIGTERM)
    assert not daemon.pid_file.exists()
    assert "rtcsig stopped: every connection has ended" in daemon.log
    assert "Traceback" not in daemon.log


def test_a_daemon_that_runs_already(daemon, tmp_path):
    """A second one with the same pid file says so and leaves the first alone."""
    second = run_twistd(
        f"--pidfile={daemon.pid_file}", "rtcsig", "--listen=tcp:0:interface=127.0.0.1",
        folder=tmp_path,
    )  # fmt: skip
    assert second.status != 0
    assert str(daemon.pid) in second.stdout + second.stderr
    assert not daemon.has_ended()
