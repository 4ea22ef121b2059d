"""What a supervisor hands down to the server that it runs, in one variable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from rtcsig.settings import Settings

__all__ = ["FIRST_DESCRIPTOR", "VARIABLE", "Inheritance"]

# Not one of RTCSIG_*: those are settings.
VARIABLE = "_RTCSIG_SUPERVISED"
# Behind standard input, output and error.
FIRST_DESCRIPTOR = 3


@dataclass(frozen=True)
class Inheritance:
    """The listeners whose sockets there are, from ``FIRST_DESCRIPTOR`` on, and the starts before.

    Settings that were changed since the supervisor started may name other listeners;
    these are the ones that there are.
    """

    listen: tuple[str, ...]
    admin_listen: tuple[str, ...]
    proxy_protocol: tuple[str, ...]
    restarts: int

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Inheritance | None:
        """What this process has inherited; None for one that nobody supervises."""
        text = environment.get(VARIABLE)
        if not text:
            return None
        values = json.loads(text)
        return cls(
            tuple(values["listen"]),
            tuple(values["admin_listen"]),
            tuple(values["proxy_protocol"]),
            values["restarts"],
        )

    def text(self) -> str:
        """The value of the variable."""
        return json.dumps(asdict(self))

    @property
    def descriptors(self) -> list[int]:
        """The listening sockets, in the order of the listeners."""
        count = len(self.listen) + len(self.admin_listen)
        return list(range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + count))

    def of_settings(self, settings: Settings) -> Settings:
        """The settings, with these listeners."""
        return replace(
            settings,
            listen=self.listen,
            admin_listen=self.admin_listen,
            proxy_protocol=self.proxy_protocol,
        )
