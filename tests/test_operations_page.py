"""docs/operations.md says what the code says."""

from __future__ import annotations

import os
import re
import runpy
from pathlib import Path

import pytest

from rtcsig.codes import STATUS_ADVICE, CloseCode
from rtcsig.ops.metrics import CATALOGUE, DISTRIBUTIONS
from rtcsig.settings import declared

_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[1]))
_GENERATOR = runpy.run_path(str(_REPOSITORY / "docs" / "generate.py"))
_PAGE = (_REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
_CELL = re.compile(r"(?<!\\)\|")


def rows(section: str) -> list[list[str]]:
    """The cells of every line of the tables in a section, without their heads."""
    lines = [line for line in "\n".join(_GENERATOR["SECTIONS"][section]()).split("\n") if line]
    split = [[cell.strip() for cell in _CELL.split(line)[1:-1]] for line in lines]
    rules = [number for number, cells in enumerate(split) if set(cells) == {"---"}]
    heads = {number + shift for number in rules for shift in (-1, 0)}
    return [cells for number, cells in enumerate(split) if number not in heads]


def test_the_page_is_up_to_date():
    """If not, run ``python docs/generate.py``."""
    assert _GENERATOR["regenerated"](_PAGE) == _PAGE


def test_every_setting_has_its_line():
    """With as many cells as the head, whatever stands in them."""
    found = rows("settings")
    assert [cells[0] for cells in found] == [f"`--{each.flag}`" for each in declared()]
    assert {len(cells) for cells in found} == {5}


def test_what_waits_for_a_restart():
    """Is what keeps its value when settings are read anew."""
    waits = {cells[0] for cells in rows("settings") if cells[3] == "yes"}
    assert waits == {f"`--{each.flag}`" for each in declared() if each.at_start_only}


def test_defaults_are_those_of_the_command_line():
    """As they would be written there."""
    defaults = {cells[0]: cells[2] for cells in rows("settings")}
    assert defaults["`--mount`"] == "`/=datachannel`"
    assert defaults["`--max-lag-s`"] == "`2`"
    assert defaults["`--admin-token-file`"] == "none"
    assert defaults["`--supervise`"] == "off"


def test_every_metric_has_its_line():
    """By the name that it is scraped by."""
    names = [f"`{each.name}`" for each in (*CATALOGUE.values(), *DISTRIBUTIONS.values())]
    assert [cells[0] for cells in rows("metrics")] == names


def test_every_code_has_its_line():
    """Close codes with whether to come back, then HTTP statuses."""
    found = rows("codes")
    closes, statuses = found[: len(CloseCode)], found[len(CloseCode) :]
    assert [(cells[0], cells[1] == "yes") for cells in closes] == [
        (str(code.value), code.retry) for code in CloseCode
    ]
    assert [int(cells[0].split()[0]) for cells in statuses] == list(STATUS_ADVICE)


def test_bars_are_no_ends_of_cells():
    """A value that has one is written so that the table holds."""
    assert r"`text\|json`" in _PAGE


@pytest.mark.parametrize("marker", ["<!-- metrics -->", "<!-- /codes -->"])
def test_a_marker_that_is_missing(marker):
    """It is an error, and not a table that is left out."""
    with pytest.raises(ValueError, match="no section"):
        _GENERATOR["regenerated"](_PAGE.replace(marker, ""))


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(#([\w-]+)\)", _PAGE))))
def test_links_within_the_page(link):
    """Each leads to a heading."""
    headings = re.findall(r"^#+ (.+)$", _PAGE, re.MULTILINE)
    assert link in {heading.lower().replace(" ", "-").rstrip("?") for heading in headings}


def test_settings_that_the_text_names():
    """Each flag and each metric in the prose exists."""
    flags = {each.flag for each in declared()} | {"config", "logfile"}
    named = set(re.findall(r"`--([a-z-]+)", _PAGE))
    assert {name for name in named if name not in flags} == set()
    metrics = {each.name for each in (*CATALOGUE.values(), *DISTRIBUTIONS.values())}
    assert set(re.findall(r"\brtcsig_[a-z_]+\b", _PAGE)) <= metrics
