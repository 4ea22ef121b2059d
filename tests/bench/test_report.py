"""The figures of the benchmark: medians, ratios within a round, and what the page says of them."""

from __future__ import annotations

import pytest

from bench.cases import CASES
from bench.report import Machine, performance, table
from bench.statistics import Results, order_of

NAMES = ["rtcsig", "ws", "floor"]
RELAY = next(case for case in CASES if case.name == "relay-100-300-1")


@pytest.fixture
def results():
    """Three rounds in which the machine became faster and faster."""
    results = Results()
    for turn, speed in enumerate((1, 10, 100)):
        results.add(RELAY.name, "rtcsig", turn, 30.0 * speed)
        results.add(RELAY.name, "ws", turn, (15.0, 20.0, 10.0)[turn] * speed)
    return results


def test_ratios_are_taken_within_a_round(results):
    """What the machine does hits both; the ratio of the medians would be another."""
    assert results.ratio(RELAY.name, "rtcsig", "ws") == 2.0
    assert results.figure(RELAY.name, "rtcsig").median == 300.0


def test_rounds_that_one_of_them_lacks_do_not_count(results):
    """And without a common one there is no ratio."""
    results.add(RELAY.name, "floor", 2, 6000.0)
    assert results.ratio(RELAY.name, "rtcsig", "floor") == 0.5
    assert results.ratio(RELAY.name, "rtcsig", "nobody") is None


def test_two_cases_of_one_server_are_compared():
    """Latency with idle connections beside, and without."""
    results = Results()
    for turn in range(2):
        results.add("with", "rtcsig", turn, 12.0)
        results.add("without", "rtcsig", turn, 10.0)
    assert results.ratio_of_cases("rtcsig", "with", "without") == 1.2
    assert results.ratio_of_cases("ws", "with", "without") is None


def test_no_server_is_always_the_first():
    """Nor always behind the same one."""
    orders = [order_of(turn, NAMES) for turn in range(6)]
    assert {order[0] for order in orders} == set(NAMES)
    assert all(sorted(order) == sorted(NAMES) for order in orders)
    assert len({tuple(order) for order in orders}) > 3


def test_a_table_has_the_best_first_and_names_who_is_not_there(results):
    """With the reason."""
    results.add_failure(RELAY.name, "floor", "cc is missing")
    results.add_failure(RELAY.name, "floor", "something later")
    rows = table(results, RELAY, NAMES).splitlines()
    assert rows[4].startswith("| **rtcsig** | 300 | 30 to 3,000 | 1.00 |")
    assert rows[5].startswith("| ws | 200 | 15 to 1,000 | 2.00 |")
    assert rows[6] == "| floor | | cc is missing | |"


def test_a_case_that_nobody_was_measured_in_has_no_table(results):
    """There is nothing to say."""
    other = next(case for case in CASES if case.name == "upgrades")
    assert table(results, other, NAMES) == ""


def test_the_page_says_whether_the_targets_are_met(results):
    """And which were not measured."""
    results.add("memory", "rtcsig", 0, 4_501.0)
    results.add("memory", "ws", 0, 5_000.0)
    machine = Machine("a processor", "6.1", "3.11", 3, 1.0, (("rtcsig", "twistd", "1.0"),))
    lines = performance(results, machine).splitlines()

    def row(start):
        return next(line for line in lines if line.startswith(start))

    assert row(f"| {RELAY.title} | by ws").endswith("| 1.50 | 2.00 | yes |")
    assert row(f"| {RELAY.title} | by floor").endswith("|  | not measured |")
    assert row("| bytes for an idle connection").endswith("| 4,500 | 4,501 | **no** |")
    assert row("| the same by that of ws").endswith("| 0.90 | yes |")
    assert row("| rtcsig | twistd | 1.0 |")


def test_less_is_better_of_some():
    """Then the least is the first."""
    memory = next(case for case in CASES if case.name == "memory")
    results = Results()
    results.add("memory", "ws", 0, 2.0)
    results.add("memory", "rtcsig", 0, 1.0)
    assert table(results, memory, NAMES).splitlines()[4].startswith("| **rtcsig** | 1 ")


def test_cases_have_names_of_their_own():
    """They are what CASES= is given."""
    assert len({case.name for case in CASES}) == len(CASES)
