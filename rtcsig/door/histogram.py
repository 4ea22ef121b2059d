"""A distribution, kept as counts: cheap to add to, and all that a monitoring system needs."""

from __future__ import annotations

from bisect import bisect_left

__all__ = ["Histogram"]


class Histogram:
    """How many values there were up to each of ``bounds``, how many in all, and their sum."""

    __slots__ = ("_counts", "bounds", "sum")

    def __init__(self, *bounds: float) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def up_to(self) -> list[int]:
        """For each bound how many values were not above it."""
        total = 0
        totals = []
        for count in self._counts[:-1]:
            total += count
            totals.append(total)
        return totals
