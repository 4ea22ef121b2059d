"""What the tests of the proxies need: the packages of the WebRTC clients."""

from __future__ import annotations

import pytest

from tests.interop.clients import FOLDER
from tests.support.npm import install


@pytest.fixture(scope="session")
def node_modules() -> None:
    """The packages of the clients, installed beside them unless they are there."""
    if trouble := install(FOLDER):
        pytest.fail(trouble, pytrace=False)
