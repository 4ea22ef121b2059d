"""All dialects by name, and which of them answers under which path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType

from rtcsig.codes import Refusal
from rtcsig.dialects.base import Dialect
from rtcsig.dialects.echo import EchoSession
from rtcsig.dialects.native import datachannel_session
from rtcsig.hub import Namespace

__all__ = ["DIALECTS", "Mount", "MountTable"]

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Dialect("datachannel", datachannel_session),
            Dialect("echo", EchoSession),
        )
    }
)


@dataclass(frozen=True)
class Mount:
    """One dialect under one path, with the namespace of its peers."""

    path: str
    dialect: Dialect
    namespace: Namespace


class MountTable:
    """Finds the mount for a request's path: the longest mount that holds it.

    ``mounts`` has them as they were given.
    """

    def __init__(self, mounts: list[Mount]) -> None:
        self.mounts = tuple(mounts)
        by_length = sorted(mounts, key=lambda mount: len(mount.path), reverse=True)
        self._by_length = [(mount.path.rstrip("/"), mount) for mount in by_length]

    def find(self, path: str) -> tuple[Mount, str]:
        """The mount of ``path`` and the rest of the path, which begins with ``/``.

        Mounts end at segment borders: ``/rtc`` holds ``/rtc`` and ``/rtc/x``,
        not ``/rtcx``. Raises ``Refusal`` (404) when no mount holds the path.
        """
        for prefix, mount in self._by_length:
            rest = path[len(prefix) :]
            if path.startswith(prefix) and (not rest or rest.startswith("/")):
                return mount, rest or "/"
        raise Refusal(HTTPStatus.NOT_FOUND, "nothing is mounted under this path", label="path")
