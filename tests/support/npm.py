"""The packages of a package-lock.json, installed beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["install"]

_TIMEOUT_S = 300.0


def install(folder: Path) -> str:
    """Install what is not there yet; returns why it could not be, or nothing."""
    lock = folder / "package-lock.json"
    installed = folder / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return ""
    npm = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return f"npm ci: exit status {npm.returncode}\n{npm.stdout}" if npm.returncode else ""
