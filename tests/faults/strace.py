"""Errors of system calls in a process that runs, by strace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["injected"]

_TIMEOUT_S = 30.0


@contextmanager
def injected(pid: int, call: str, rule: str) -> Iterator[None]:
    """Let a system call of the process fail by strace's ``rule``, such as ``error=ENFILE``."""
    strace = subprocess.Popen(
        [
            "strace", f"--attach={pid}", "--output=/dev/null",
            f"--trace={call}", f"--inject={call}:{rule}",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        line = strace.stderr.readline()
        assert line.endswith("attached\n"), line
        yield
    finally:
        strace.terminate()
        strace.communicate(timeout=_TIMEOUT_S)
