"""What looks at a server from outside, and where what was seen is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.browser import Browser, Page


@pytest.fixture
def artefacts(tmp_path) -> Path:
    """The folder for what is to be looked at after the run; tox says where it is."""
    repository = os.environ.get("RTC_REPOSITORY")
    folder = Path(repository) / "artefacts" if repository else tmp_path
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def page(tmp_path) -> Iterator[Page]:
    """An empty page in a browser of its own."""
    with Browser(tmp_path) as browser, browser.page() as opened:
        yield opened
