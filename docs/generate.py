"""Write the tables of docs/operations.md anew, from the code that they tell of.

Run it as ``python docs/generate.py`` in an environment that has rtcsig. What stands
between ``<!-- settings -->`` and ``<!-- /settings -->`` is made here, as it is for
``metrics`` and ``codes``; the rest of the page is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType

from rtcsig.codes import STATUS_ADVICE, CloseCode
from rtcsig.ops.metrics import CATALOGUE, DISTRIBUTIONS, Named
from rtcsig.settings import Setting, declared

__all__ = ["PAGE", "SECTIONS", "regenerated"]

PAGE = Path(__file__).parent / "operations.md"


def regenerated(page: str) -> str:
    """The page with its tables made anew. Raises ``ValueError`` for one that lacks a marker."""
    for name, lines in SECTIONS.items():
        page = _replaced(page, name, "\n".join(lines()))
    return page


def _replaced(page: str, name: str, section: str) -> str:
    before, begin, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->\n")
    if not begin or not end:
        raise ValueError(f"the page has no section {name}")
    return f"{before}{begin}\n{section}\n\n{end}{after}"


# -- tables ------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from (_line(row) for row in rows)


def _line(cells: Iterable[str]) -> str:
    escaped = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _code(text: object) -> str:
    return f"`{text}`"


# -- settings ----------------------------------------------------------------


def _settings() -> Iterator[str]:
    head = ("flag", "value", "default", "waits for a restart?", "meaning")
    return _table(head, map(_setting, declared()))


def _setting(setting: Setting) -> tuple[str, ...]:
    return (
        _code(f"--{setting.flag}"),
        "none: a switch" if setting.is_switch else _code(setting.placeholder),
        _default(setting),
        "yes" if setting.at_start_only else "no",
        setting.help,
    )


def _default(setting: Setting) -> str:
    default = setting.default
    if setting.is_switch:
        return "on" if default else "off"
    if not isinstance(default, tuple):
        return _shown(default)
    each = ("=".join(one) if isinstance(one, tuple) else one for one in default)
    return _shown(" ".join(each))


def _shown(value: str | float) -> str:
    if isinstance(value, float):
        return _code(f"{value:g}")
    return "none" if value == "" else _code(value)


# -- metrics -----------------------------------------------------------------


def _metrics() -> Iterator[str]:
    named = [*CATALOGUE.values(), *DISTRIBUTIONS.values()]
    return _table(("metric", "kind", "labels", "meaning"), map(_metric, named))


def _metric(named: Named) -> tuple[str, ...]:
    labels = ", ".join(map(_code, named.labels))
    return _code(named.name), named.kind.value, labels, named.help


# -- codes -------------------------------------------------------------------


def _codes() -> Iterator[str]:
    yield from _table(
        ("close code", "come back?", "what it says to the client"), map(_close_code, CloseCode)
    )
    yield ""
    yield from _table(
        ("HTTP status", "what it says to the client"),
        ((_status(status), advice) for status, advice in STATUS_ADVICE.items()),
    )


def _close_code(code: CloseCode) -> tuple[str, ...]:
    return str(code.value), "yes" if code.retry else "no", code.advice


def _status(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


SECTIONS: Mapping[str, Callable[[], Iterator[str]]] = MappingProxyType(
    {"settings": _settings, "metrics": _metrics, "codes": _codes}
)


if __name__ == "__main__":
    PAGE.write_text(regenerated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
