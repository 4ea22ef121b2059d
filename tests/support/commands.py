"""Programs that end by themselves: ``twistd rtcsig`` that does not start, ``rtcsig check``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import TWISTD, clean_environment

__all__ = ["Ended", "run_rtcsig", "run_twistd"]

_TIMEOUT_S = 30.0


@dataclass
class Ended:
    """How a program ended, and what it wrote to stdout and stderr."""

    status: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """All lines, those of stdout first."""
        return [*self.stdout.splitlines(), *self.stderr.splitlines()]


def run_twistd(
    *arguments: str, folder: Path, before: Sequence[str] = (), **environment: str
) -> Ended:
    """Run ``twistd`` in ``folder`` until it ends; a daemon's parent ends when the daemon runs.

    ``before`` is a command that runs it, with its own arguments.
    """
    return _run([*before, sys.executable, "-c", TWISTD, *arguments], folder, environment)


def run_rtcsig(*arguments: str, folder: Path) -> Ended:
    """Run the ``rtcsig`` command in ``folder`` until it ends."""
    return _run([sys.executable, "-m", "rtcsig", *arguments], folder, {})


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> Ended:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
