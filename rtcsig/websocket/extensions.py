"""Which offers of WebSocket extensions can be used."""

from __future__ import annotations

from typing import Any

from autobahn.websocket.compress import PerMessageDeflateOffer

__all__ = ["is_usable_offer"]

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
