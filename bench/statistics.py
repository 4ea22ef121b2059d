"""Figures of many rounds, as one: medians, and ratios within a round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

__all__ = ["Figure", "Results", "order_of"]


@dataclass(frozen=True)
class Figure:
    """One server in one case: a figure for each round that came to one, or why there is none."""

    rounds: dict[int, float]
    why_not: str = ""

    @property
    def median(self) -> float:
        """The median of the rounds. Raises ``StatisticsError`` when there is none."""
        return median(self.rounds.values())


class Results:
    """All figures, by case and server."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[str, str], dict[int, float]] = {}
        self._why_not: dict[tuple[str, str], str] = {}

    def add(self, case: str, server: str, turn: int, value: float) -> None:
        """Note a figure."""
        self._rounds.setdefault((case, server), {})[turn] = value

    def add_failure(self, case: str, server: str, why: str) -> None:
        """Note that there is no figure, and why; of several reasons the first is kept."""
        self._why_not.setdefault((case, server), why)

    def figure(self, case: str, server: str) -> Figure:
        """What is known of a server in a case."""
        key = case, server
        return Figure(self._rounds.get(key, {}), self._why_not.get(key, ""))

    def ratio(self, case: str, server: str, other: str) -> float | None:
        """The median, over the rounds that have both, of one server's figure by the other's."""
        ones, others = self.figure(case, server).rounds, self.figure(case, other).rounds
        ratios = [ones[turn] / others[turn] for turn in ones.keys() & others.keys()]
        return median(ratios) if ratios else None

    def ratio_of_cases(self, server: str, case: str, other: str) -> float | None:
        """The same for one server's figures in two cases."""
        ones, others = self.figure(case, server).rounds, self.figure(other, server).rounds
        ratios = [ones[turn] / others[turn] for turn in ones.keys() & others.keys()]
        return median(ratios) if ratios else None

    def rows(self) -> list[dict[str, object]]:
        """Every single figure, to be kept."""
        return [
            {"case": case, "server": server, "round": turn, "value": value}
            for (case, server), rounds in self._rounds.items()
            for turn, value in rounds.items()
        ]


def order_of(turn: int, names: Iterable[str]) -> list[str]:
    """The order of a round: nobody is always the first, or always behind the same."""
    names = list(names)
    start = turn % len(names)
    rotated = names[start:] + names[:start]
    return rotated if turn % 2 == 0 else rotated[::-1]
