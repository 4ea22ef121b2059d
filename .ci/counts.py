"""Print what the last `make test` ran: a line for each environment, then the sum.

pytest leaves a JUnit file for each tox environment in the folder that is the
only argument. What was skipped is named, with its reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET


def counts_of(suites: ET.Element) -> Counter[str]:
    """How many tests passed, failed and were skipped."""
    counts: Counter[str] = Counter()
    for suite in suites.iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts["failed"] += failed
        counts["skipped"] += skipped
        counts["passed"] += int(suite.get("tests", 0)) - failed - skipped
    return counts


def line_of(counts: Counter[str]) -> str:
    """The counts as test runners print them."""
    return ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped"))


def main(folder: Path) -> None:
    """Print the lines."""
    total: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for path in sorted(folder.glob("*.xml")):
        # Written by our own tests a moment ago.
        suites = ET.parse(path).getroot()  # noqa: S314
        counts = counts_of(suites)
        print(f"{path.stem:>12}: {line_of(counts)}")
        total += counts
        missing.update(skip.get("message", "") for skip in suites.iter("skipped"))
    for reason, count in sorted(missing.items()):
        print(f"NOT TESTED: {count} tests: {reason}")
    print(line_of(total))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
