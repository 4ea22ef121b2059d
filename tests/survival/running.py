"""A server process of any kind, and what can be seen of it and done to it from outside."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from tests.support.server import clean_environment, wait_until
from tests.survival.guest import TROUBLE, Guest
from tests.survival.kinds import FOLDER, Kind

__all__ = ["Running"]

_STOP_TIMEOUT_S = 5.0
_END_TIMEOUT_S = 5.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Running:
    """One server on a free port; leaving it as a context manager ends it."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.port = free_port()
        self.exchanged = 0  # messages of the peers who do nothing hostile
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 as long as the server

    def __enter__(self) -> Running:
        self._process = subprocess.Popen(
            self.kind.command(self.port),
            cwd=FOLDER,
            env=clean_environment(PYTHONUNBUFFERED="1", **self.kind.environment(self.port)),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.pid = self._process.pid
        try:
            wait_until(lambda: self.ended or self.serves("first"), what="the server serves")
            assert not self.ended, self.log
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self._process.poll() is not None

    def ends(self) -> bool:
        """Whether the process is no more, or in a moment: its connections end before it does."""
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def log(self) -> str:
        """The last of what the server wrote."""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 4096))
        return self._log.read().decode(errors="replace")

    def guest(self, name: str, receive_buffer_bytes: int = 0) -> Guest:
        """A peer that the server knows and passes messages to."""
        return Guest(self.port, self.kind.speech, name, receive_buffer_bytes)

    def serves(self, name: str) -> bool:
        """Whether a newcomer is served, which for `Guest` means it hears itself."""
        try:
            with self.guest(name):
                return True
        except TROUBLE:
            return False

    def resident_bytes(self) -> int:
        """How much memory the process has."""
        return self._memory("VmRSS")

    def forget_peak(self) -> None:
        """Begin to look for the peak of the memory anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_bytes(self) -> int:
        """The most memory that the process has had since then."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        return int(found[1]) * 1024 if found else 0  # it has just ended

    def descriptors(self) -> set[int]:
        """The numbers of the open descriptors."""
        return {int(name) for name in os.listdir(f"/proc/{self.pid}/fd")}

    @contextmanager
    def descriptors_limited(self, most: int) -> Iterator[None]:
        """The process has no descriptor from this number on meanwhile."""
        before = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (most, before[1]))
        try:
            yield
        finally:
            if not self.ended:
                resource.prlimit(self.pid, resource.RLIMIT_NOFILE, before)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server does nothing meanwhile; the kernel goes on accepting for it."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
