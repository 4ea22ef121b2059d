"""Who may read what the server says about itself."""

from __future__ import annotations

import hmac
from collections.abc import Callable

from rtcsig.door.proxies import FORWARDED, Networks, TrustedProxies, hops_of

__all__ = ["Access"]

_X_FORWARDED_FOR = "x-forwarded-for"
_BEARER = "bearer"


class Access:
    """Lets in by the client's address, or by a token (RFC 6750, 2.1).

    ``allowed`` are the networks whose clients may read; a client behind a proxy is
    the one that a trusted proxy names. A proxy that nobody named as trusted brings
    anybody: its own address, which may well be this machine's, lets nobody in.
    """

    def __init__(
        self, allowed: Networks, proxies: TrustedProxies, proxy_header: str, token: str | None
    ) -> None:
        self.allowed = allowed
        self._proxies = proxies
        self._proxy_header = proxy_header
        self._token = token.encode() if token else None

    def admits(self, host: str | None, values: Callable[[str], list[str]]) -> bool:
        """Whether a request may read; ``values`` gives those of a header by its name.

        ``host`` is the address that it comes from, None for a unix socket.
        """
        return self._shows_token(values("authorization")) or self._is_near(host, values)

    def _shows_token(self, authorizations: list[str]) -> bool:
        if self._token is None or len(authorizations) != 1:
            return False
        scheme, _, token = authorizations[0].strip().partition(" ")
        shown = token.strip().encode("utf-8", "replace")
        return scheme.lower() == _BEARER and hmac.compare_digest(shown, self._token)

    def _is_near(self, host: str | None, values: Callable[[str], list[str]]) -> bool:
        if not values(_X_FORWARDED_FOR) and not values(FORWARDED):
            return host in self.allowed
        hops = hops_of(self._proxy_header, ",".join(values(self._proxy_header)))
        client = self._proxies.client_of(host, hops)
        return client != host and client in self.allowed
