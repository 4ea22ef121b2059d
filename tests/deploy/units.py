"""systemd's units, read as far as tests need it: what systemd says of them is another test."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

__all__ = ["Unit", "exposure", "permitted_calls", "systemd_analyze", "systemd_version"]

_TIMEOUT_S = 60.0


class Unit:
    """The assignments of one unit file."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text(encoding="utf-8")
        self._values: dict[tuple[str, str], list[str]] = {}
        section = ""
        for line in self.text.splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                name, equals, value = line.partition("=")
                assert equals, line
                self._values.setdefault((section, name), []).append(value)

    def all(self, section: str, name: str) -> list[str]:
        """Every value of a key, in their order."""
        return self._values.get((section, name), [])

    def value(self, section: str, name: str) -> str:
        """The value of a key that is there once."""
        (value,) = self.all(section, name)
        return value

    def flags(self) -> set[str]:
        """The flags of programs that stand anywhere in it, comments included, without dashes."""
        return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", self.text))


def systemd_analyze(*arguments: str) -> str:
    """What systemd-analyze prints; it must be content."""
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def systemd_version() -> int:
    """Which systemd this machine has."""
    return int(systemd_analyze("--version").split()[1])


def permitted_calls(unit: Unit) -> set[str]:
    """The system calls that a unit's filters leave, by this machine's systemd."""
    permitted: set[str] = set()
    for value in unit.all("Service", "SystemCallFilter"):
        names = set().union(*(_calls(name) for name in value.removeprefix("~").split()))
        permitted = permitted - names if value.startswith("~") else permitted | names
    # What a process cannot do without is in every list of permitted ones.
    return permitted | _calls("@default")


def _calls(name: str) -> set[str]:
    """The system calls of a set, and of the sets in it; of a call, itself."""
    if not name.startswith("@"):
        return {name}
    lines = systemd_analyze("syscall-filter", "--no-pager", name).splitlines()
    assert lines[0] == name, lines
    listed = [line.strip() for line in lines[1:]]
    return set().union(*(_calls(each) for each in listed if each and not each.startswith("#")))


def exposure(path: Path) -> float:
    """What systemd-analyze thinks of a service's hardening: 0 for none exposed, 10 for all."""
    printed = systemd_analyze("security", "--offline=true", "--no-pager", str(path))
    return float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", printed).group(1))
