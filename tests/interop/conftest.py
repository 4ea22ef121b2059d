"""What the WebRTC clients need: their packages, the server, a place for the page."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.interop.clients import FOLDER, PageServer
from tests.support.server import ServerProcess

_INSTALL_TIMEOUT_S = 300.0


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The packages of package-lock.json, installed beside it unless they are there."""
    lock = FOLDER / "package-lock.json"
    installed = FOLDER / "node_modules" / ".package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_TIMEOUT_S,
        check=False,
    )
    if npm.returncode != 0:
        pytest.fail(f"npm ci: exit status {npm.returncode}\n{npm.stdout}", pytrace=False)


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server with its defaults."""
    with ServerProcess() as running:
        yield running


@pytest.fixture
def pages() -> Iterator[PageServer]:
    """Where a browser gets the page from."""
    with PageServer() as running:
        yield running
