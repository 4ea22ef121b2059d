"""A server on one core, the load generator on another."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

from bench.cases import Case
from bench.servers import SPEECHES
from tests.survival.kinds import Kind
from tests.survival.running import Running

__all__ = ["WARM_UP_S", "Failed", "Load", "PinnedServer", "cores"]

_TIMEOUT_S = 120.0
_SCRAPE_EVERY_S = 1.0
_WARM_UP_CONNECTIONS = 200
WARM_UP_S = 0.3


class Failed(Exception):
    """A measurement that came to nothing; the text is why."""


def cores() -> tuple[int, int]:
    """The server's core and the generator's. Raises ``Failed`` on a machine with one."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:  # noqa: PLR2004 one each
        raise Failed("two cores are needed: one for the server, one for the generator")
    return available[0], available[1]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Processes that are started meanwhile run on this core and stay there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class PinnedServer(Running):
    """A server on its core."""

    def __init__(self, kind: Kind, *, is_tls: bool = False, is_watched: bool = False) -> None:
        super().__init__(kind)
        self.is_tls = is_tls
        self._is_watched = is_watched
        self._is_over = threading.Event()

    def __enter__(self) -> Self:
        with on_core(cores()[0]):
            super().__enter__()
        if self._is_watched:
            threading.Thread(target=self._scrape, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        super().__exit__(*error)

    def _scrape(self) -> None:
        """Do what a Prometheus does, more often; a server that is busy may be late."""
        while not self._is_over.wait(_SCRAPE_EVERY_S):
            with suppress(OSError):
                urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=_TIMEOUT_S).read()

    def serves(self, name: str) -> bool:  # noqa: ARG002 as of its parent
        """Whether it listens; over TLS a guest could not talk to it."""
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def cpu_s(self) -> float:
        """Seconds of processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        ticks = sum(map(int, fields.split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


class Load:
    """The load generator, against one server."""

    def __init__(self, program: Path, server: PinnedServer, seconds: float) -> None:
        self._program = program
        self._server = server
        self._seconds = seconds

    def measure(self, case: Case) -> dict[str, float]:
        """Figures of one case, by their names. Raises ``Failed``."""
        if case.load[0] == "idle":
            return self._memory(case)
        before_s = self._server.cpu_s()
        figures = self._run(case, "--seconds", str(self._seconds), "--warm-up-s", str(WARM_UP_S))
        done = figures.get("messages", figures.get("upgrades", 0.0))
        if not done:
            raise Failed("nothing came")
        # The warm-up's share of the time is in it as well, and nearly at the same rate.
        share = figures["seconds"] / (figures["seconds"] + WARM_UP_S)
        figures["server_cpu_us"] = (self._server.cpu_s() - before_s) * share / done * 1e6
        return figures

    def _run(self, case: Case, *options: str) -> dict[str, float]:
        with on_core(cores()[1]):
            ran = subprocess.run(
                self._command(case, *options),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        if ran.returncode:
            raise Failed(ran.stderr.strip() or f"the generator ended with {ran.returncode}")
        figures: dict[str, float] = json.loads(ran.stdout)
        return figures

    def _command(self, case: Case, *options: str) -> list[str]:
        speech = SPEECHES[id(self._server.kind.speech)]
        base = [str(self._program), case.load[0], "--port", str(self._server.port)]
        tls = ["--tls"] if case.tls else []
        return [*base, *tls, "--speech", speech, *case.load[1:], *options]

    def _memory(self, case: Case) -> dict[str, float]:
        """What the process has more with all connections than after a few came and went."""
        self._run(case, "--connections", str(_WARM_UP_CONNECTIONS), "--prefix", "w")
        before = self._server.resident_bytes()
        with on_core(cores()[1]), self._idle(case) as idle:
            line = idle.stdout.readline()
            if not line:
                raise Failed(idle.stderr.read().decode().strip())
            after = self._server.resident_bytes()
        return {"bytes_per_connection": (after - before) / json.loads(line)["open"]}

    @contextmanager
    def _idle(self, case: Case) -> Iterator[Any]:
        """The generator with its connections open; the end of its input ends it."""
        pipe = subprocess.PIPE
        idle = subprocess.Popen(self._command(case), stdin=pipe, stdout=pipe, stderr=pipe)
        with idle:
            try:
                yield idle
            finally:
                idle.stdin.close()
                idle.wait(_TIMEOUT_S)
