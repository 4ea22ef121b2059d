"""The wire protocols of the servers, as far as two peers need them to hear each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

__all__ = ["BY_ID", "PEERJS", "TOPICS", "Speech"]


@dataclass(frozen=True)
class Speech:
    """How a peer gets its name, and what it says to another."""

    path: Callable[[str], str]
    to: Callable[[str, dict[str, Any]], dict[str, Any]]
    # What a peer says first to have its name, if it is not in the path.
    joins: Callable[[str], dict[str, Any] | None]
    # One message that has these names, all at once if the protocol allows it.
    naming: Callable[[list[str]], list[dict[str, Any]]]
    # Objects whose members are not what the server expects them to be.
    wrong: tuple[Any, ...]


def _in_the_path(_name: str) -> None:
    """Nothing has to be said."""


def _by_id(name: str, said: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": "offer", **said}


def _offer(name: str, said: dict[str, Any]) -> dict[str, Any]:
    return {"type": "OFFER", "dst": name, "payload": said}


def _publish(name: str, said: dict[str, Any]) -> dict[str, Any]:
    return {"type": "publish", "topic": name, **said}


def _subscribe(*names: str) -> dict[str, Any]:
    return {"type": "subscribe", "topics": names}


BY_ID = Speech(
    path=lambda name: f"/{quote(name)}",
    to=_by_id,
    joins=_in_the_path,
    naming=lambda names: [_by_id(name, {}) for name in names],
    wrong=({"id": [1]}, {"id": {}}, {"id": 1}, {"id": None}, {"type": 1}),
)
PEERJS = Speech(
    path=lambda name: f"/peerjs?key=peerjs&token=t&id={quote(name)}",
    to=_offer,
    joins=_in_the_path,
    naming=lambda names: [_offer(name, {}) for name in names],
    wrong=({"type": 1, "dst": {}}, {"type": "OFFER", "dst": {}}, {"type": []}),
)
TOPICS = Speech(
    path=lambda _name: "/",
    to=_publish,
    joins=_subscribe,
    naming=lambda names: [_subscribe(*names)],
    wrong=(
        {"type": "subscribe", "topics": 1},
        {"type": "subscribe", "topics": "x"},
        {"type": "publish", "topic": {}},
        {"type": 1},
    ),
)
