"""Hostile acts cost nobody else anything here; what they cost elsewhere is written down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.npm import install
from tests.survival.acts import ACTS, Act
from tests.survival.kinds import FOLDER, KINDS, RTCSIG, Kind
from tests.survival.outcome import outcome_of
from tests.survival.report import Findings, page
from tests.survival.running import Running

pytestmark = pytest.mark.needs("node", "npm")

# Where the tests are not beside what they leave behind, tox says where that goes.
_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_PAGE = _REPOSITORY / "docs" / "survival.md"
_LOGS = _REPOSITORY / "artefacts" / "survival.txt"


def why_absent(kind: Kind, npm_trouble: str) -> str:
    """Why a server cannot be run, or nothing."""
    if kind.missing():
        print(npm_trouble)
        return "could not be installed"
    try:
        with Running(kind):
            return ""
    except AssertionError as error:
        print(error)
        return "does not start"


@pytest.fixture(scope="module")
def findings() -> Findings:
    """Every act, done to every server that there is; the page is written on the way."""
    found = Findings()
    npm_trouble = install(FOLDER)
    for kind in KINDS:
        if why := why_absent(kind, npm_trouble):
            found.absent[kind.name] = why
            continue
        for act in ACTS:
            found.outcomes[kind.name, act.name] = outcome_of(kind, act)
    _PAGE.write_text(page(found), encoding="utf-8")
    _LOGS.parent.mkdir(parents=True, exist_ok=True)
    logs = [f"== {kind}: {act}\n{outcome.log}\n" for kind, act, outcome in found.bad()]
    _LOGS.write_text("\n".join(logs), encoding="utf-8")
    return found


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.name)
def test_rtcsig_survives(findings: Findings, act: Act):
    """It lives, the others are served meanwhile, a newcomer is served afterwards."""
    outcome = findings.of(RTCSIG, act)
    assert outcome is not None, findings.absent
    assert outcome.well, outcome


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_nobody_is_left_out(findings: Findings, kind: Kind):
    """Every act was done to every server, or the page says why it was not there."""
    done = [act.name for act in ACTS if findings.of(kind, act)]
    assert done == [act.name for act in ACTS] or findings.absent[kind.name]
