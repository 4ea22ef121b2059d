"""A Dockerfile's instructions, read as far as tests need it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Dockerfile", "Instruction", "is_sent"]


@dataclass(frozen=True)
class Instruction:
    """One instruction, continued lines joined and comments between them left out."""

    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        """What stands before the arguments: ``--from=build``."""
        words = [word for word in self.text.split() if word.startswith("--") and "=" in word]
        return dict(word.removeprefix("--").split("=", 1) for word in words)

    @property
    def paths(self) -> list[str]:
        """The arguments of COPY, the last of which is where to."""
        return [word for word in self.text.split() if not word.startswith("--")]

    @property
    def command(self) -> list[str]:
        """A command in exec form: no shell, so that signals reach the program."""
        words = json.loads(self.text[self.text.index("[") :])
        assert all(isinstance(word, str) for word in words)
        return words


class Dockerfile:
    """The instructions of a file, by stage."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text(encoding="utf-8").splitlines()
        code = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
        joined = "\n".join(code).replace("\\\n", " ")
        split = (line.strip().partition(" ") for line in joined.splitlines())
        self.all = [Instruction(name, text.strip()) for name, _, text in split]

    def last_stage(self) -> list[Instruction]:
        """What makes the image."""
        begins = [place for place, each in enumerate(self.all) if each.name == "FROM"]
        return self.all[begins[-1] :]

    def only(self, name: str) -> Instruction:
        """The one instruction of this name in the last stage."""
        (found,) = (each for each in self.last_stage() if each.name == name)
        return found

    def variables(self) -> dict[str, str]:
        """What ENV sets in the image."""
        set_here = (each.text for each in self.last_stage() if each.name == "ENV")
        return dict(text.split("=", 1) for text in set_here)


def is_sent(path: str, ignore: list[str]) -> bool:
    """Whether the lines of a .dockerignore, plain names all, let a file or folder pass."""
    sent = True
    for line in ignore:
        if line.lstrip("!") in {"*", path}:
            sent = line.startswith("!")
    return sent
