"""What a supervisor hands down to the server that it runs, in one variable."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rtcsig.settings import Settings

__all__ = ["FIRST_DESCRIPTOR", "VARIABLE", "Inheritance"]

# Not one of RTCSIG_*: those are settings.
VARIABLE = "_RTCSIG_SUPERVISED"
# Behind standard input, output and error.
FIRST_DESCRIPTOR = 3


@dataclass(frozen=True)
class Inheritance:
    """The supervisor's ``settings``, and how often it has started a server before.

    The sockets of the listeners in these settings are there, from
    ``FIRST_DESCRIPTOR`` on. A server reads its own settings anew; they may name
    other listeners by now, or be broken.
    """

    settings: Settings
    restarts: int = 0

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Inheritance | None:
        """What this process has inherited; None for one that nobody supervises."""
        text = environment.get(VARIABLE)
        if not text:
            return None
        handed_down = json.loads(text)
        # The supervisor may be of an older version, and know less settings or other ones.
        known = {field.name for field in dataclasses.fields(Settings)}
        values = {
            name: _frozen(value) for name, value in handed_down["settings"].items() if name in known
        }
        return cls(Settings(**values), handed_down["restarts"])

    def text(self) -> str:
        """The value of the variable."""
        return json.dumps(dataclasses.asdict(self))

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets, in the order of the listeners."""
        count = len(self.settings.listen) + len(self.settings.admin_listen)
        return list(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count))

    def with_its_listeners(self, read: Settings) -> Settings:
        """Settings that were read anew, with the listeners that there are."""
        return dataclasses.replace(
            read,
            listen=self.settings.listen,
            admin_listen=self.settings.admin_listen,
            proxy_protocol=self.settings.proxy_protocol,
        )


def _frozen(value: Any) -> Any:
    """Lists, which is what JSON has, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
