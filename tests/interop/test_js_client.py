"""The browser client's own tests, its types, and the files that npm would publish."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.npm import install

pytestmark = pytest.mark.needs("node", "npm")

# Where the tests are a copy, tox says where the repository is.
_FOLDER = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2])) / "clients" / "js"
_TIMEOUT_S = 120


def run(*command: str) -> str:
    """What a command printed that went well."""
    done = subprocess.run(
        command,
        cwd=_FOLDER,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def packages():
    """What its package-lock.json has: the compiler that checks the types."""
    if trouble := install(_FOLDER):
        pytest.fail(trouble, pytrace=False)


def test_its_own_tests(record_property):
    """All of them pass under Node."""
    printed = run("npm", "test")
    counts = dict(line[2:].rsplit(" ", 1) for line in printed.splitlines() if line[:2] == "# ")
    assert (counts["fail"], counts["skipped"], counts["todo"]) == ("0", "0", "0")
    assert int(counts["pass"]) > 0
    record_property("passed_in_node", counts["pass"])


def test_its_types():
    """What a program may write compiles, what it may not does not."""
    run("npm", "run", "types")


def test_what_is_published():
    """The module, its types, and the words that go with them."""
    (package,) = json.loads(run("npm", "pack", "--dry-run", "--json"))
    names = {each["path"] for each in package["files"]}
    assert names == {"LICENSE", "README.md", "package.json", "rtcsig.d.ts", "rtcsig.js"}
