"""Who may come in: rules about a request, without a socket."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from rtcsig.codes import Refusal

__all__ = ["OriginPolicy", "normalised_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalised_origin(origin: str) -> str:
    """``origin`` as scheme, host and port in one spelling (RFC 6454, 4 and 6.2).

    ``null`` stays ``null``. Raises ``ValueError`` for what is no origin.
    """
    if origin == "null":
        return origin
    parts = urlsplit(origin)
    if not parts.scheme or not parts.hostname:
        raise ValueError("an origin is SCHEME://HOST[:PORT] or null")
    if "*" in parts.hostname:
        raise ValueError("an origin has no wildcards")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("an origin has nothing behind its host and port")
    port = parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


class OriginPolicy:
    """Which web pages may connect (RFC 6455, 10.2).

    Without an allow-list everybody may. With one, a request that names an
    origin must name one of the list, exactly; ``null`` (sandboxed pages, files)
    is an origin like any other. A request without an origin comes from no
    browser, so the list says nothing of it: ``absent_is_allowed`` does.
    """

    def __init__(self, allowed: Iterable[str], *, absent_is_allowed: bool = True) -> None:
        self._allowed = frozenset(normalised_origin(origin) for origin in allowed)
        self._absent_is_allowed = absent_is_allowed

    def check(self, origin: str | None) -> None:
        """Raise ``Refusal`` (403) for an origin outside the allow-list, or for none."""
        if origin is None:
            if not self._absent_is_allowed:
                raise Refusal(
                    HTTPStatus.FORBIDDEN, "a request needs an origin here", label="no-origin"
                )
            return
        if not self._allowed:
            return
        try:
            known = normalised_origin(origin) in self._allowed
        except ValueError:
            known = False
        if not known:
            raise Refusal(HTTPStatus.FORBIDDEN, "this origin is not allowed", label="origin")
