"""Tables for the pages that the tests write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["table"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: int = 0) -> Iterable[str]:
    """Lines of a Markdown table; the last ``right`` columns are flushed right."""
    yield _line(head)
    yield _line(["---"] * (len(head) - right) + ["---:"] * right)
    yield from (_line(row) for row in rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"
