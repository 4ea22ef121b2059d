"""What the faults share: descriptors enough, and the page in the end."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.faults.report import FAULTS, Record, page
from tests.faults.trial import PAIRS, SEED, Trial

# Where the tests are not beside what they leave behind, tox says where that goes.
_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_PAGE = _REPOSITORY / "docs" / "faults.md"
_VERSIONS = ("rtcsig", "twisted", "autobahn")


def pytest_report_header() -> str:
    """Say by what the runs vary."""
    return f"faults: seed {SEED}"


@pytest.fixture(scope="session", autouse=True)
def descriptors() -> Iterator[None]:
    """As many descriptors as the machine allows, for floods of clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(scope="session")
def records() -> Iterator[dict[str, Record]]:
    """The records of this run; the page is written when there is one of every fault."""
    kept: dict[str, Record] = {}
    yield kept
    if kept.keys() == FAULTS.keys():
        versions = {name: version(name) for name in _VERSIONS}
        _PAGE.write_text(page(kept.values(), versions, SEED, 2 * PAIRS), encoding="utf-8")


@pytest.fixture
def trial(records: dict[str, Record]) -> Iterator[Callable[..., Trial]]:
    """What makes a trial of the same arguments, and keeps its record."""
    made: list[Trial] = []

    def make(*arguments, **options) -> Trial:
        made.append(Trial(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        if each.record is not None:
            records[each.number] = each.record
            print(each.record)
