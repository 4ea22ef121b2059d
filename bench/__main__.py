"""``make bench``: builds, runs all servers interleaved, writes docs/performance.md.

What it does is set by variables of the environment: ``ROUNDS`` (5), ``SECONDS`` for each
measurement (1), ``ONLY`` and ``CASES`` (names with commas between, all), ``AGAINST`` (a git
revision of rtcsig, measured beside the rest), ``WATCHED=1`` (rtcsig twice more, scraped,
and with a line for each connection besides) and ``WRITE=1``, which writes the page for a
run that is not a whole one.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from bench.build import ARTEFACTS, ROOT, certificate, compiled
from bench.cases import CASES, Case
from bench.report import PLOTTED, Machine, performance, table
from bench.running import Failed, Load, PinnedServer, cores
from bench.servers import Measured, floors, of_revision, servers, watched
from bench.statistics import Results, order_of
from tests.support import npm
from tests.survival.kinds import FOLDER

_DOCS = ROOT / "docs"


class Bench:
    """One run."""

    def __init__(self) -> None:
        self.rounds = int(os.environ.get("ROUNDS") or 5)
        self.seconds = float(os.environ.get("SECONDS") or 1)
        self.results = Results()
        self._load = compiled("load", "-lssl", "-lcrypto")
        self._tls = certificate()
        cases, only = _names("CASES"), _names("ONLY")
        self.cases = [case for case in CASES if not cases or case.name in cases]
        known = [*servers(npm.install(FOLDER)), *floors(compiled("floor"))]
        self.servers = [each for each in known if not only or each.name in only]
        if revision := os.environ.get("AGAINST"):
            self.servers.append(of_revision(revision))
        if os.environ.get("WATCHED"):
            self.servers += watched()
        self.is_whole = not cases and not only

    def run(self) -> None:
        """All rounds; a line for each server in each."""
        by_name = {server.name: server for server in self.servers}
        for turn in range(self.rounds):
            for name in order_of(turn, by_name):
                began_s = time.monotonic()
                self._measure(by_name[name], turn)
                print(f"round {turn + 1}: {name}, {time.monotonic() - began_s:.0f} s", flush=True)
            self._keep()

    def _measure(self, server: Measured, turn: int) -> None:
        """One server in all cases; it is started anew for memory, and when it has died."""
        process: PinnedServer | None = None
        with ExitStack() as running:
            for case in self.cases:
                if why := self._why_not(server, case):
                    self.results.add_failure(case.name, server.name, why)
                    continue
                is_memory = case.load[0] == "idle"
                if process is None or process.ended or process.is_tls != case.tls or is_memory:
                    process = self._started(server, case, running)
                if self._note(case, server.name, turn, process) or not process.ended:
                    continue
                # It may have ended of the case before: this one gets a server of its own.
                self._note(case, server.name, turn, self._started(server, case, running))

    def _started(self, server: Measured, case: Case, running: ExitStack) -> PinnedServer:
        running.close()
        kind = server.over_tls(self._tls) if case.tls else server.kind
        return running.enter_context(
            PinnedServer(kind, is_tls=case.tls, is_watched=server.is_watched)
        )

    def _why_not(self, server: Measured, case: Case) -> str:
        return server.missing or (f"no TLS: {server.no_tls}" if case.tls and server.no_tls else "")

    def _note(self, case: Case, name: str, turn: int, process: PinnedServer) -> bool:
        """Measure and note what comes of it; whether it is a figure."""
        try:
            figures = Load(self._load, process, self.seconds).measure(case)
        except (Failed, OSError, ValueError) as error:
            self.results.add_failure(case.name, name, _one_line(error))
            return False
        self.results.add(case.name, name, turn, figures[case.figure])
        for figure, value in figures.items():
            if figure != case.figure:
                self.results.add(f"{case.name}:{figure}", name, turn, value)
        return True

    def machine(self) -> Machine:
        """Where and with what this run was made."""
        described = tuple(
            (each.name, each.kind.how, each.missing or each.kind.version()) for each in self.servers
        )
        # Without the suffix, which names who has built it.
        kernel = platform.release().partition("-")[0]
        return Machine(
            _processor(),
            kernel,
            platform.python_version(),
            self.rounds,
            self.seconds,
            described,
        )

    def _keep(self) -> None:
        """Every figure so far, for whoever wants to look."""
        figures = ARTEFACTS / "results.json"
        figures.write_text(json.dumps(self.results.rows(), indent=1), encoding="utf-8")

    def write(self) -> None:
        """The figures as tables, and, of a whole run, the page and its plots."""
        names = [server.name for server in self.servers]
        for case in self.cases:
            print(table(self.results, case, names))
        if not self.is_whole and not os.environ.get("WRITE"):
            return
        from bench.plots import plot  # noqa: PLC0415 matplotlib takes its time

        page = performance(self.results, self.machine())
        (_DOCS / "performance.md").write_text(page, encoding="utf-8")
        for case in self.cases:
            if case.name in PLOTTED:
                plot(self.results, case, names, _DOCS / "performance" / f"{case.name}.svg")


def _names(variable: str) -> list[str]:
    return [name for name in os.environ.get(variable, "").split(",") if name]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> int:
    """Run; returns the exit status."""
    try:
        cores()
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    # Not every server raises its own.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bench = Bench()
    bench.run()
    bench.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
