"""What a run of the suite found, and the page that says so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.markdown import table

__all__ = ["NOT_OK_BECAUSE", "Case", "page", "read_cases"]

GOOD = ("OK", "NON-STRICT", "INFORMATIONAL")

# Why a case has a verdict other than OK and still is no failure.
NOT_OK_BECAUSE = {
    "7.1.6": "Both messages come back, then the close is answered: in the order of their arrival.",
    "7.13.1": "rtcsig takes the code for a breach of the protocol and answers with 1002.",
    "7.13.2": "rtcsig takes the code for a breach of the protocol and answers with 1002.",
}

_GROUPS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits and speed",
    10: "auto-fragmentation",
    12: "permessage-deflate, different payloads",
    13: "permessage-deflate, different parameters",
}


@dataclass(frozen=True)
class Case:
    """One case and its verdicts: on the messages, and on the end of the connection."""

    id: str
    behavior: str
    behavior_close: str
    description: str
    expectation: str
    result: str

    @property
    def group(self) -> int:
        """The first number of the id."""
        return int(self.id.partition(".")[0])

    @property
    def failed(self) -> bool:
        """Whether one of the verdicts is not among the good ones."""
        return not {self.behavior, self.behavior_close} <= set(GOOD)

    @property
    def verdict(self) -> str:
        """The worse of the two verdicts."""
        if self.failed:
            return "FAILED"
        return max(self.behavior, self.behavior_close, key=GOOD.index)


def read_cases(folder: Path) -> list[Case]:
    """Read the report that kosoku wrote; the cases are in the order of their ids."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    (entries,) = index.values()  # one server, which is one agent
    cases = []
    for case_id, entry in entries.items():
        details = json.loads((folder / entry["reportfile"]).read_text(encoding="utf-8"))
        cases.append(
            Case(
                case_id,
                entry["behavior"],
                entry["behaviorClose"],
                details["description"],
                details["expectation"],
                details["result"],
            )
        )
    return sorted(cases, key=lambda case: [int(number) for number in case.id.split(".")])


def page(cases: Sequence[Case], versions: dict[str, str], flags: Iterable[str]) -> str:
    """The page for docs/, which is the same as long as the verdicts are."""
    verdicts = Counter(case.verdict for case in cases)
    columns = [*GOOD, "FAILED"]
    groups = sorted({case.group for case in cases})
    counts = [
        (
            f"{group}.x {_GROUPS.get(group, '')}".rstrip(),
            *_counts([case for case in cases if case.group == group], columns),
        )
        for group in groups
    ]
    total = ("all", *_counts(cases, columns))
    return "\n".join(
        [
            "# Conformance",
            "",
            "Written by `tox -e conformance`, not by hand.",
            "",
            f"The {len(cases)} cases of the Autobahn Testsuite, as kosoku {versions['kosoku']}",
            f"has them, against a server with Autobahn {versions['autobahn']}:",
            "",
            f"    twistd -n rtcsig {' '.join(flags)}",
            "",
            f"{verdicts['FAILED']} failed. The suite sends messages of up to 16 MiB, in thousands",
            "of frames, as fast as can be, and some of its cases end unfinished, as failed, when",
            "the server pings: hence these settings.",
            "",
            *table(("cases", *columns), [*counts, total], right=len(columns)),
            "",
            "NON-STRICT is allowed, but not what the RFC recommends. INFORMATIONAL is",
            "not laid down by the RFC. The worse of a case's two verdicts is counted: on the",
            "messages, and on the end of the connection.",
            "",
            "## What is not OK",
            "",
            *table(
                ("case", "verdict", "what is done", "what is expected", "why it is so"),
                [_row(case) for case in cases if case.verdict != "OK"],
            ),
            "",
        ]
    )


def _counts(cases: Sequence[Case], columns: Sequence[str]) -> tuple[str, ...]:
    verdicts = Counter(case.verdict for case in cases)
    return tuple(str(verdicts[column]) for column in columns)


def _row(case: Case) -> tuple[str, ...]:
    why = NOT_OK_BECAUSE.get(case.id, case.result)
    return (case.id, case.verdict, case.description, case.expectation, why)
