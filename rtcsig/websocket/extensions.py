"""Which offers of WebSocket extensions can be used, and which of them is."""

from __future__ import annotations

from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

__all__ = ["accept_first_offer", "is_usable_offer"]

_ONLY_ONE = "permessage-deflate"


def is_usable_offer(extension: str, parameters: Any) -> bool:
    """Whether Autobahn understands this offer; it is permessage-deflate or nothing."""
    if extension != _ONLY_ONE:
        return False
    try:
        PerMessageDeflateOffer.parse(parameters)
    except Exception:  # noqa: BLE001 Autobahn raises plain exceptions for what it dislikes
        return False
    return True


def accept_first_offer(offers: list[PerMessageDeflateOffer]) -> PerMessageDeflateOfferAccept:
    """Accept the client's first choice, as it was offered.

    Autobahn asks only when there is an offer left, and those left are usable.
    """
    return PerMessageDeflateOfferAccept(offers[0])
