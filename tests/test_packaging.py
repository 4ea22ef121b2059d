"""What the package says of itself is what is tested."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def test_mindeps_are_the_lower_bounds():
    """The environment of oldest versions installs what pyproject.toml allows."""
    bounds = {
        re.sub(r">=", "==", requirement) for requirement in PYPROJECT["project"]["dependencies"]
    }
    lines = (REPOSITORY / "tests" / "mindeps.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == bounds


def test_every_supported_python_is_in_the_matrix():
    """A classifier is a promise."""
    tox = (REPOSITORY / "tox.ini").read_text(encoding="utf-8")
    versions = re.search(r"py\{([0-9,]+)\}", tox).group(1).split(",")
    prefix = "Programming Language :: Python :: 3."
    promised = [
        "3" + classifier.removeprefix(prefix)
        for classifier in PYPROJECT["project"]["classifiers"]
        if classifier.startswith(prefix)
    ]
    assert versions == promised
