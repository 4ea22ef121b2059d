"""What a supervisor hands down to the server that it runs, in one variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

__all__ = ["FIRST_DESCRIPTOR", "VARIABLE", "Inheritance"]

# Not one of RTCSIG_*: those are settings.
VARIABLE = "_RTCSIG_SUPERVISED"
# Behind standard input, output and error.
FIRST_DESCRIPTOR = 3


@dataclass(frozen=True)
class Inheritance:
    """How many listening sockets there are, from ``FIRST_DESCRIPTOR`` on, and how often it died."""

    sockets: int
    restarts: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Inheritance | None:
        """What this process has inherited; None for one that nobody supervises."""
        text = environment.get(VARIABLE)
        return cls(**json.loads(text)) if text else None

    def text(self) -> str:
        """The value of the variable."""
        return json.dumps(asdict(self))

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets."""
        return list(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + self.sockets))
