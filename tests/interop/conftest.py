"""What the WebRTC clients need: their packages, the server, a place for the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.clients import FOLDER, PageServer
from tests.support.npm import install
from tests.support.server import ServerProcess


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The packages of package-lock.json, installed beside it unless they are there."""
    if trouble := install(FOLDER):
        pytest.fail(trouble, pytrace=False)


@pytest.fixture
def server() -> Iterator[ServerProcess]:
    """A server with its defaults."""
    with ServerProcess(patient=True) as running:
        yield running


@pytest.fixture
def pages() -> Iterator[PageServer]:
    """Where a browser gets the page from."""
    with PageServer() as running:
        yield running
