"""The Autobahn Testsuite's cases against the server that users run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conformance.report import NOT_OK_BECAUSE, Case, page, read_cases
from tests.support.server import ServerProcess

# Where the tests are not beside what they leave behind, tox says where that goes.
_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_REPORT = _REPOSITORY / "artefacts" / "conformance"
_PAGE = _REPOSITORY / "docs" / "conformance.md"

_FLAGS = (
    "--mount /=echo",
    "--compression deflate",
    "--max-message-bytes 20000000",
    # The suite's large messages come in very many frames, and as fast as can be.
    "--max-frames-per-message 0",
    "--max-byte-rate 0",
    # Some cases end unfinished, as failed, when the server pings. They have at
    # most 480 seconds, and a ping comes after 80 % of the interval at the earliest.
    "--ping-interval-s 600",
)
_CASES = 517
_PARALLEL = 2
_TIMEOUT_S = 3600.0


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    """The cases with their verdicts; the reports are written on the way."""
    shutil.rmtree(_REPORT, ignore_errors=True)
    with ServerProcess(*" ".join(_FLAGS).split()) as server:
        kosoku = subprocess.run(
            [
                Path(sysconfig.get_path("scripts"), "kosoku"),
                f"--parallelism={_PARALLEL}",
                f"--outdir={_REPORT}",
                f"{server.url}/",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    if not (_REPORT / "index.json").exists():
        pytest.fail(f"kosoku: exit status {kosoku.returncode}\n{kosoku.stdout}", pytrace=False)
    found = read_cases(_REPORT)
    versions = {name: version(name) for name in ("autobahn", "kosoku")}
    _PAGE.write_text(page(found, versions, _FLAGS), encoding="utf-8")
    return found


def test_every_case_was_run(cases: list[Case]):
    """No case is left out."""
    assert len({case.id for case in cases}) == len(cases) == _CASES


def test_no_case_failed(cases: list[Case]):
    """Neither in its messages nor in the end of its connection."""
    assert [case for case in cases if case.failed] == []


def test_what_is_not_ok_is_explained(cases: list[Case]):
    """The page gives a reason for each verdict other than OK, and for no other."""
    assert {case.id for case in cases if case.verdict != "OK"} == NOT_OK_BECAUSE.keys()
