"""docs/performance.md: the figures as tables, and whether the targets are met."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.cases import CASES, IDLE_BESIDE, Case
from bench.statistics import Results

__all__ = ["PLOTTED", "Machine", "performance", "table"]

# The cases with a plot.
PLOTTED = ("relay-100-300-1", "relay-100-300-8", "upgrades", "memory")
_MAX_BYTES_PER_CONNECTION = 4_500
_MAX_P99_RATIO = 1.2


@dataclass(frozen=True)
class Machine:
    """What the figures were measured on, and with what."""

    processor: str
    kernel: str
    python: str
    rounds: int
    seconds: float
    # Name, how it is run, version, or why it is not there.
    servers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class _Target:
    case: str
    other: str
    at_least: float


_TARGETS = (
    _Target("relay-100-300-1", "ws", 1.5),
    _Target("relay-100-300-1", "autobahn", 4.0),
    _Target("relay-100-300-1", "floor", 0.40),
    _Target("relay-100-300-8", "ws", 2.0),
    _Target("relay-100-300-8", "picows", 1.0),
    _Target("relay-100-300-8", "floor", 0.50),
    _Target("upgrades", "ws", 1.0),
    _Target("upgrades", "picows", 1.0),
    _Target("upgrades", "autobahn", 3.0),
)


def performance(results: Results, machine: Machine) -> str:
    """The whole page."""
    names = [name for name, _, _ in machine.servers]
    parts = [
        _HEAD,
        _targets(results),
        *(f"![{name}](performance/{name}.svg)\n" for name in PLOTTED),
        "## All figures\n",
        *(section for case in CASES if (section := table(results, case, names))),
        _measured(machine),
    ]
    return "\n".join(parts)


_HEAD = """# How fast it is

Written by `make bench`, which builds its load generator, runs each server on one core
and the generator on another, one after the other, in several rounds whose order
changes, and takes medians. **Ratios count, not figures**: they are taken within each
round, and their median is given; what the machine does besides hits both.

`floor` is no server. It is a relay in C that checks nothing (`bench/floor.c`), and shows
what the kernel and the generator can do. `python floor` is none either: the bare loop in
Python, with no limits, no deadlines and nothing but the usual frame (`bench/floor.py`); what it
leaves is all that a server in pure Python can have. All others parse each message and put the
sender's id into it. `autobahn` is Twisted and Autobahn as shipped.

The generator keeps the stated number of messages on their way from each client to its
partner. What several messages cause in one read goes out in one write, in the
generator as in rtcsig: where eight are in flight, rtcsig needs fewer system calls for a
message than the floor does, which sends each by itself.
"""


def _targets(results: Results) -> str:
    rows = ["## What was aimed at\n", "| case | | at least | measured | |", "|---|---|---|---|---|"]
    titles = {case.name: case.title for case in CASES}
    for target in _TARGETS:
        ratio = results.ratio(target.case, "rtcsig", target.other)
        held = ratio is not None and ratio >= target.at_least
        rows.append(
            f"| {titles[target.case]} | by {target.other} | {target.at_least:.2f} | "
            f"{_ratio(ratio)} | {_verdict(ratio, held=held)} |"
        )
    rows += ["", "| | at most | measured | |", "|---|---|---|---|"]
    memory = results.figure("memory", "rtcsig")
    used = memory.median if memory.rounds else None
    shown = "" if used is None else f"{used:,.0f}"
    below = used is not None and used <= _MAX_BYTES_PER_CONNECTION
    limit = f"{_MAX_BYTES_PER_CONNECTION:,}"
    rows.append(
        f"| bytes for an idle connection | {limit} | {shown} | {_verdict(used, held=below)} |"
    )
    to_ws = results.ratio("memory", "rtcsig", "ws")
    held = to_ws is not None and to_ws < 1
    rows.append(
        f"| the same by that of ws | 1.00 | {_ratio(to_ws)} | {_verdict(to_ws, held=held)} |"
    )
    slower = results.ratio_of_cases("rtcsig", f"latency-{IDLE_BESIDE}", "latency-0")
    held = slower is not None and slower <= _MAX_P99_RATIO
    rows.append(
        f"| p99 with {IDLE_BESIDE:,} idle connections beside, by that without | "
        f"{_MAX_P99_RATIO:.2f} | {_ratio(slower)} | {_verdict(slower, held=held)} |"
    )
    return "\n".join(rows) + "\n"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _verdict(measured: float | None, *, held: bool) -> str:
    return "not measured" if measured is None else "yes" if held else "**no**"


def table(results: Results, case: Case, names: Iterable[str]) -> str:
    """One case: every server, the best first; empty when nothing was measured."""
    figures = {name: results.figure(case.name, name) for name in names}
    known = {name: figure for name, figure in figures.items() if figure.rounds}
    if not known:
        return ""
    sign = 1 if case.less_is_better else -1
    rows = [
        f"### {case.title}\n",
        f"| | {case.unit}, median | least to most | rtcsig by it |",
        "|---|---:|---:|---:|",
    ]
    for name in sorted(known, key=lambda name: sign * known[name].median):
        figure = known[name]
        least, most = min(figure.rounds.values()), max(figure.rounds.values())
        ratio = results.ratio(case.name, "rtcsig", name)
        bold = "**" if name == "rtcsig" else ""
        rows.append(
            f"| {bold}{name}{bold} | {figure.median:,.0f} | {least:,.0f} to {most:,.0f} | "
            f"{_ratio(ratio)} |"
        )
    for name, figure in figures.items():
        if not figure.rounds and figure.why_not:
            rows.append(f"| {name} | | {figure.why_not} | |")
    failed = [
        f"{name}, in some rounds: {figure.why_not}"
        for name, figure in known.items()
        if figure.why_not
    ]
    return "\n".join([*rows, *(["", *failed] if failed else [])]) + "\n"


def _measured(machine: Machine) -> str:
    how = (
        f"{machine.rounds} rounds, {machine.seconds:g} s each after a short warm-up, on "
        f"{machine.processor}, Linux {machine.kernel}, Python {machine.python}. Memory is what "
        "the resident set of a fresh process grows by, after 200 connections came and went.\n"
    )
    rows = [
        "## How it was measured\n",
        how,
        "| server | how | version |",
        "|---|---|---|",
        *(f"| {name} | {how} | {version} |" for name, how, version in machine.servers),
    ]
    return "\n".join(rows) + "\n"
