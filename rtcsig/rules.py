"""What settings come to: tables and policies, made before anything is changed by them.

So a mistake in a setting ends the start with one line, and changes nothing when
settings are read anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rtcsig.dialects import DIALECTS, Mount, MountTable
from rtcsig.door.admission import OriginPolicy
from rtcsig.door.proxies import Networks, TrustedProxies
from rtcsig.door.turnstile import SourceLimits
from rtcsig.hub import Hub, SameId, Terms
from rtcsig.settings import SettingError, Settings
from rtcsig.web.access import Access

__all__ = ["Rules", "rules_of"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Rules:
    """Everything that settings decide and that has to be made from them."""

    mounts: MountTable
    origins: OriginPolicy
    proxies: TrustedProxies
    limits: SourceLimits
    access: Access
    terms: Terms


def rules_of(settings: Settings, hub: Hub) -> Rules:
    """Make the rules. Raises ``SettingError``, with the setting's name, for what cannot be used."""
    proxies = _made("trusted_proxy", lambda: TrustedProxies(settings.trusted_proxy))
    return Rules(
        mounts=MountTable(_mounts(settings, hub)),
        origins=_made("allow_origin", lambda: _origins(settings)),
        proxies=proxies,
        limits=SourceLimits(
            settings.max_connections_per_address,
            settings.max_half_open_per_address,
            settings.max_connection_rate_per_address,
        ),
        access=Access(
            _made("admin_allow", lambda: Networks(settings.admin_allow)),
            proxies,
            settings.proxy_header,
            _token(settings.admin_token_file),
        ),
        terms=Terms(
            same_id=SameId(settings.same_id),
            resume_grace_s=settings.resume_grace_s,
            hold_absent_s=settings.hold_absent_s,
            max_held_messages=settings.max_held_messages,
            max_held_bytes=min(settings.max_held_bytes, settings.max_backlog_bytes),
            max_kept_bytes=settings.max_kept_bytes,
        ),
    )


def _made(name: str, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except ValueError as error:
        raise SettingError(f"{name}: {error}") from None


def _mounts(settings: Settings, hub: Hub) -> list[Mount]:
    mounts = []
    for path, name in settings.mount:
        dialect = DIALECTS.get(name)
        if dialect is None:
            known = ", ".join(sorted(DIALECTS))
            raise SettingError(f"mount: there is no dialect {name!r}; there are {known}")
        # Settings that are read anew may mount another dialect here: its peers are others.
        mounts.append(Mount(path, dialect, hub.namespace(f"{path}={name}")))
    return mounts


def _origins(settings: Settings) -> OriginPolicy:
    return OriginPolicy(settings.allow_origin, absent_is_allowed=settings.absent_origin == "allow")


def _token(path: str) -> str | None:
    if not path:
        return None
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"admin_token_file: {path}: {error.strerror}") from None
    except ValueError:
        raise SettingError(f"admin_token_file: {path}: is no UTF-8") from None
    if not token:
        raise SettingError(f"admin_token_file: {path}: is empty")
    return token
