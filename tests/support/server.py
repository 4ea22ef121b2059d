"""A real ``twistd`` process with rtcsig in it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

__all__ = [
    "BOOKS",
    "TWISTD",
    "Books",
    "ServerProcess",
    "clean_environment",
    "status_of",
    "wait_until",
]

# The patch that ``ServerProcess.books`` needs.
BOOKS = Path(__file__).parent / "patches" / "books.py"
TWISTD = "from twisted.scripts.twistd import run; run()"

_LISTENS = re.compile(r"rtcsig listens on \S+: (?:\S*?:(\d+)|unix)")
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 20.0
_LOOK_EVERY_S = 0.01


def wait_until(condition, timeout_s: float = _START_TIMEOUT_S, what: str = "it"):
    """Wait for an event that can only be looked for; returns the true value."""
    end_s = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > end_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {what}")
        time.sleep(_LOOK_EVERY_S)
    return value


def status_of(pid: int, name: str) -> str:
    """The first word of a line in a process's status. Raises ``FileNotFoundError``."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return status.partition(f"{name}:")[2].split()[0]


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of a server, plus ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RTCSIG_")}
    return kept | more


@dataclass(frozen=True)
class Books:
    """The numbers of a server at one moment.

    ``readings`` are the ledger's, ``ledger`` has its attributes with the keys of
    its counters as text (``"peer/ENOTCONN"``), ``objects`` are counted by class, if asked for,
    ``connections`` are those that the house knows.
    """

    readings: list[tuple[str, dict[str, str], float]]
    ledger: dict[str, Any]
    objects: dict[str, int] | None
    connections: int
    descriptors: int

    def sum(self, name: str, **labels: str) -> float:
        """The sum of all readings with this name and at least these labels."""
        return sum(
            value
            for each, has, value in self.readings
            if each == name and labels.items() <= has.items()
        )

    def connection_objects(self) -> int:
        """How many objects there are of the class of one connection."""
        assert self.objects is not None
        return self.objects.get("rtcsig.websocket.factory.Protocol", 0)


# What takes its time by default, and what tests that are not about it do without.
_AT_ONCE = ("--resume-grace-s=0", "--hold-absent-s=0", "--same-id=replace")


class ServerProcess:
    """``twistd -n rtcsig`` on free ports of the loopback, with its log in a file.

    ``patch`` is a file, or several, that is run before twistd: it makes a fault
    that the machine cannot make on demand, or lets ``books`` look inside. It is
    run by its path and not imported, so that the server still finds rtcsig
    where it is installed. ``listen`` has
    endpoint descriptions in place of one free port; ``ports`` has the port of
    each, None for a unix socket. ``environment`` is added to that of the test.
    ``before`` is a command that runs it, with its own arguments, and becomes it; ``handed_down``
    has descriptors that stay open for it.
    Used as a context manager; leaving it stops the process, unless the test stopped
    it itself, and asserts its end with ``status``. It sends its peers away at once,
    and nobody is waited for, unless flags say otherwise or it is to be ``patient``, as it is by
    default.
    """

    def __init__(
        self,
        *flags: str,
        patch: Path | Sequence[Path] = (),
        listen: Sequence[str] = ("tcp:0:interface=127.0.0.1",),
        environment: Mapping[str, str] = MappingProxyType({}),
        status: int = 0,
        patient: bool = False,
        before: Sequence[str] = (),
        handed_down: Sequence[int] = (),
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rtcsig-test-")
        self.log_path = Path(self._folder.name) / "log"
        patches = [patch] if isinstance(patch, Path) else patch
        run = "".join(f"import runpy; runpy.run_path({str(path)!r}); " for path in patches)
        run += TWISTD
        defaults = ("--drain-s=0", *(() if patient else _AT_ONCE))
        self.command: Sequence[str] = (
            *before, sys.executable, "-c", run, "-n", "--pidfile=", "rtcsig",
            *(f"--listen={description}" for description in listen), *defaults, *flags,
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.ports: list[int | None] = []
        self._listeners = len(listen)
        self._expected_status = status
        self._handed_down = handed_down
        self._environment = {"PYTHONUNBUFFERED": "1", **environment}

    def __enter__(self) -> ServerProcess:
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder.name,
                env=clean_environment(**self._environment),
                pass_fds=self._handed_down,
            )
        try:
            self.ports = wait_until(self._listening_ports, what="the server listens")
            wait_until(self._is_running, what="the server runs")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            status = self.stop()
            if error is None:
                assert status == self._expected_status, f"exit status {status}\n{self.log}"
        finally:
            self._folder.cleanup()

    def _listening_ports(self) -> list[int | None] | None:
        assert self.process is not None
        found = _LISTENS.findall(self.log)
        if len(found) < self._listeners and self.process.poll() is not None:
            raise AssertionError(
                f"the server ended with status {self.process.returncode}\n{self.log}"
            )
        if len(found) < self._listeners:
            return None
        return [int(port) if port else None for port in found]

    def _is_running(self) -> bool:
        """Whether it handles signals and waits for events: it begins to listen before that."""
        if self._expected_status and self.process.poll() is not None:
            return True  # an early end is what the test is about
        state, caught = self._status("State"), int(self._status("SigCgt"), 16)
        handled = (signal.SIGTERM, signal.SIGCHLD)
        return state == "S" and all(caught >> number - 1 & 1 for number in handled)

    def _status(self, name: str) -> str:
        return status_of(self.pid, name)

    @property
    def port(self) -> int:
        """The port of the first listener."""
        port = self.ports[0]
        assert port is not None
        return port

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        """``ws://HOST:PORT``, without a slash at the end."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The log so far."""
        return self.log_path.read_text(encoding="utf-8")

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the log has this text so often: lines are written a little after the event."""
        wait_until(lambda: self.log.count(text) >= times, what=f"the log has {text!r}")

    def read_anew(self, outcome: str) -> None:
        """Send SIGHUP, and wait for the line about settings that says this."""
        times = self.log.count(outcome) + 1
        os.kill(self.pid, signal.SIGHUP)
        self.wait_for(outcome, times)

    def descriptors(self) -> int:
        """How many descriptors the server has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_bytes(self) -> int:
        """How much memory the server has (VmRSS)."""
        return int(self._status("VmRSS")) * 1024

    def cpu_s(self) -> float:
        """How long the server has used a processor so far, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def books(self, *, objects: bool = True) -> Books:
        """What the server counts at this moment; needs the patch ``BOOKS``.

        To count its objects takes it tens of milliseconds, in which it serves nobody.
        """
        path = Path(self._folder.name, "books")
        path.unlink(missing_ok=True)
        if objects:
            path.with_name("objects-wanted").touch()
        os.kill(self.pid, signal.SIGUSR2)
        wait_until(path.exists, what="the books are written")
        return Books(**json.loads(path.read_text(encoding="utf-8")))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The server does nothing meanwhile; the kernel goes on accepting for it."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, if the process still runs, and wait for its end; returns the status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop\n{self.log}") from None
