"""Bars with the spread of the rounds, as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

from bench.cases import Case
from bench.statistics import Results

__all__ = ["plot"]

_OURS, _OTHERS, _FLOOR = "#1b6ca8", "#a9b4bd", "#dde3e7"


def plot(results: Results, case: Case, names: Iterable[str], path: Path) -> None:
    """Draw one case: the median of each server, and what the rounds lay between."""
    figures = {name: results.figure(case.name, name) for name in names}
    known = [(name, figure) for name, figure in figures.items() if figure.rounds]
    sign = -1 if case.less_is_better else 1
    known.sort(key=lambda pair: sign * pair[1].median)
    mpl.rcParams["svg.hashsalt"] = case.name  # the same figures make the same file
    drawing, axes = plt.subplots(figsize=(8, 0.6 + 0.42 * len(known)))
    for name, figure in known:
        least, most = min(figure.rounds.values()), max(figure.rounds.values())
        spread = [[figure.median - least], [most - figure.median]]
        colour = {"rtcsig": _OURS, "floor": _FLOOR, "python floor": _FLOOR}.get(name, _OTHERS)
        axes.barh(name, figure.median, xerr=spread, color=colour, ecolor="#444", capsize=2)
        axes.annotate(
            f"{figure.median:,.0f}", (0, name), (4, 0), textcoords="offset points", va="center",
            color="white" if name == "rtcsig" else "black",
        )  # fmt: skip
    better = "less is better" if case.less_is_better else "more is better"
    axes.set_title(f"{case.title}: {case.unit}, {better}", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(drawing)
