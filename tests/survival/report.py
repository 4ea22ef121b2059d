"""What a run found, and the page that says so."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.support.markdown import table
from tests.survival.acts import ACTS, Act
from tests.survival.kinds import KINDS, Kind
from tests.survival.outcome import Outcome

__all__ = ["Findings", "page"]

_MIB = 1024 * 1024
_MUCH_BYTES = 16 * _MIB
# What these acts meet is the relay's own reading of a message, not the library below it.
_THE_RELAYS_OWN = {("libdatachannel", act) for act in ("no_json", "no_object", "odd_names")}


@dataclass
class Findings:
    """The outcomes by server and act, and why a server has none."""

    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def of(self, kind: Kind, act: Act) -> Outcome | None:
        """What came of an act, if the server was there."""
        return self.outcomes.get((kind.name, act.name))

    def bad(self) -> Iterator[tuple[str, str, Outcome]]:
        """What did not go well: the server, the act, what came of it."""
        for (kind, act), outcome in self.outcomes.items():
            if not outcome.well:
                yield kind, act, outcome


def page(findings: Findings) -> str:
    """The page for docs/; its figures are of this run."""
    names = [kind.name for kind in KINDS]
    return "\n".join(
        [
            "# Survival",
            "",
            "Written by `make survival`, not by hand; the figures are of one run and vary.",
            "",
            "The same hostile acts, done to rtcsig and to other signalling servers and WebSocket",
            "relays. Each act meets a server that was just started, through which two other peers",
            "talk all the while. Afterwards a newcomer has to be served.",
            "",
            *table(("act", *names), [_row(findings, act) for act in ACTS]),
            "",
            *_LEGEND,
            "",
            "## What was run",
            "",
            f"Python {platform.python_version()}, Node {_node()}, everything on the loopback.",
            "",
            *table(("server", "versions", "run as"), [_server(findings, kind) for kind in KINDS]),
            "",
            *_FAIRNESS,
            "",
            "## What the acts are",
            "",
            *[f"- {act.title}: {act.details}" for act in ACTS],
            "",
        ]
    )


_LEGEND = (
    "- `ok`: the process lives, the two others were served all the while, a newcomer after it.",
    "- `process exits`: everybody is off.",
    "- `dead listener`: the process lives, and accepts nobody any more.",
    "- `stalls`: the two others waited for a message for more than 5 s.",
    "- `cuts others`: connections that did nothing were ended.",
    "- `+1.0 MiB`: the peak of the resident memory, above what it was before; bold from 16 MiB on.",
    "  Garbage that was not collected yet is in it, in Node some megabytes: the relay on `ws`",
    "  keeps neither names nor messages to absent peers, and shows how much.",
    "- `sender held back`: the server takes nothing more from the one who sends too much.",
    "- `sender cut`: the server ends who sends more than it allows; rtcsig says so with 1008.",
    "- `N of 50 who wait are cut`: the server accepts them only to end them.",
    "- `¹`: the relay reads messages unguarded, as the example signalling servers do. An exception",
    "  in a callback ends a process with node-datachannel; guarded, the same relay lives.",
)
_FAIRNESS = (
    "The servers of packages are run as their documentation says. Where a package has a library",
    "and no server, `tests/survival/peers` has a relay of a page in the style of its examples.",
    "No server, rtcsig included, has a proxy in front or a limit other than its defaults.",
)


def _row(findings: Findings, act: Act) -> tuple[str, ...]:
    return (act.title, *(_cell(findings, kind, act) for kind in KINDS))


def _cell(findings: Findings, kind: Kind, act: Act) -> str:
    outcome = findings.of(kind, act)
    if outcome is None:
        return "not run"
    mark = "¹" if not outcome.well and (kind.name, act.name) in _THE_RELAYS_OWN else ""
    if not outcome.alive:
        return f"**process exits**{mark}"
    parts = _verdict(outcome) + mark, _memory(outcome.gained_bytes), outcome.remark
    return ", ".join(filter(None, parts))


def _verdict(outcome: Outcome) -> str:
    if outcome.well:
        return "ok"
    verdicts = [outcome.others, "" if outcome.recovered else "dead listener"]
    return f"**{', '.join(filter(None, verdicts))}**"


def _memory(gained_bytes: int) -> str:
    text = f"{gained_bytes / _MIB:+.1f} MiB"
    return f"**{text}**" if gained_bytes >= _MUCH_BYTES else text


def _server(findings: Findings, kind: Kind) -> tuple[str, str, str]:
    absent = findings.absent.get(kind.name)
    return kind.name, absent or kind.version(), kind.how


def _node() -> str:
    return subprocess.check_output(["node", "--version"], text=True).strip().removeprefix("v")
