"""What ``datachannel`` offers to clients that ask for it with ``?rtcsig=1``.

A peer that asks gets a token with which it may take its id over from a connection that it
lost, hears what became of each message that it numbered, and may watch who is there.
What the server itself says has the id ``""``, which no peer can have. docs/clients.md.
"""

from __future__ import annotations

import json
import secrets
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson

from rtcsig.codes import CloseCode, Refusal
from rtcsig.dialects.addressed import MessageError, json_string, read_addressed
from rtcsig.dialects.base import Link, Session
from rtcsig.dialects.datachannel import (
    WHY_NOT,
    DatachannelSession,
    peer_id_is_possible,
    peer_id_of_path,
)
from rtcsig.hub import Code, Namespace, State

__all__ = ["MAX_WATCHED_PEERS", "VERSION", "NativeSession", "datachannel_session"]

VERSION = 1
MAX_WATCHED_PEERS = 1000
_MAX_STREAM_CHARACTERS = 64
_TOKEN_BYTES = 32
_MAX_DIGITS = 18  # of the number of a message
_PONG = b'{"id":"","type":"pong"}'


class Receipt(NamedTuple):
    """By what a sender knows a message again: a stream, and a number in it."""

    stream: str
    number: int


def datachannel_session(namespace: Namespace, link: Link) -> Session:
    """A session of the dialect: with what the query asks for, or as it always was."""
    if "rtcsig=" not in link.query:
        return DatachannelSession(namespace, link)
    query = {name: values[-1] for name, values in parse_qs(link.query).items()}
    if "rtcsig" not in query:
        return DatachannelSession(namespace, link)
    try:
        return NativeSession(namespace, link, query.get("token", ""))
    except Refusal as refusal:
        if query.get("refuse") == "close" and refusal.label == "id-taken":
            return TurnedAwaySession(link, refusal.reason)
        raise


class NativeSession(DatachannelSession):
    """One peer that asked for more."""

    __slots__ = ("_is_resumed", "_watched", "token")

    acknowledges = True

    def __init__(self, namespace: Namespace, link: Link, token: str) -> None:
        super().__init__(namespace, link, token)
        self._is_resumed = namespace.recognises(self.peer_id, token)
        self.token = token if self._is_resumed else secrets.token_urlsafe(_TOKEN_BYTES)
        self._watched: set[str] = set()

    def opened(self) -> None:
        """Welcome the peer before anything else reaches it; then take the id."""
        self._say(
            "welcome",
            version=VERSION,
            token=self.token,
            resumed=self._is_resumed,
            resume_grace_s=self._namespace.resume_grace_s,
        )
        super().opened()

    def received(self, text: bytes) -> None:
        """Pass the message on, have it held, or serve it if it is for the server."""
        try:
            destination, before, after = read_addressed(text)
        except MessageError as error:
            self._report("", error.code, str(error))
            return
        if not destination:
            self._serve(_members_of(text))
            return
        message = before + self._quoted_id + after
        if not self._namespace.route(destination, message):
            number = _members_of(text).get("rtcsig")
            # An acknowledgement is out of date when its peer is back.
            if not (isinstance(number, dict) and "ack" in number):
                self._await(destination, message, _receipt_of(number))
        elif not self._namespace.acknowledges(destination):
            receipt = _receipt_of(_members_of(text).get("rtcsig"))
            self.outcome(destination, receipt, Code.DELIVERED)

    def closed(self, *, lost: bool = False) -> None:
        """Give back what was subscribed to, and the id."""
        self._namespace.unwatch(self._watched, self)
        super().closed(lost=lost)

    def outcome(self, destination: str, receipt: object, code: Code) -> bool:
        """Tell the peer what became of a message, by its number if it has one."""
        if code is not Code.DELIVERED:
            more = b""
            if isinstance(receipt, Receipt):
                more = b',"rtcsig":%b' % orjson.dumps(
                    {"stream": receipt.stream, "n": receipt.number}
                )
            return self._report(destination, code, WHY_NOT[code], more)
        if not isinstance(receipt, Receipt):
            return True
        acknowledgement = {"stream": receipt.stream, "ack": receipt.number}
        return self._link.send(
            b'{"id":%b,"type":"ack","rtcsig":%b}'
            % (json_string(destination), orjson.dumps(acknowledgement))
        )

    def presence(self, peer_id: str, state: State) -> None:
        """Tell the peer where a watched one is now."""
        self._say("presence", peer=peer_id, state=state)

    # -- what is asked of the server itself ---------------------------------------------

    def _serve(self, request: dict[str, Any]) -> None:
        match request:
            case {"type": "ping"}:
                self._link.send(_PONG)
            case {"type": "watch", "peers": [*peer_ids]} if self._may_watch(peer_ids):
                # All of them first: what is sent may end this connection, and its subscriptions.
                self._watched.update(peer_ids)
                states = [self._namespace.watch(peer_id, self) for peer_id in peer_ids]
                for peer_id, state in zip(peer_ids, states, strict=True):
                    self.presence(peer_id, state)
            case {"type": "unwatch", "peers": [*peer_ids]} if _are_texts(peer_ids):
                self._namespace.unwatch(self._watched.intersection(peer_ids), self)
                self._watched.difference_update(peer_ids)
            case _:
                self._report(
                    "",
                    "bad-request",
                    f"the server understands ping, watch and unwatch of at most "
                    f"{MAX_WATCHED_PEERS} peers",
                )

    def _may_watch(self, peer_ids: list[Any]) -> bool:
        return (
            _are_texts(peer_ids)
            and len(self._watched.union(peer_ids)) <= MAX_WATCHED_PEERS
            and all(peer_id_is_possible(peer_id) for peer_id in peer_ids)
        )

    def _say(self, kind: str, **members: Any) -> None:
        self._link.send(orjson.dumps({"id": "", "type": kind, **members}))


class TurnedAwaySession(Session):
    """One whose id is taken, and who cannot see an HTTP status, as no page in a browser can."""

    __slots__ = ("_link", "_reason", "peer_id")

    def __init__(self, link: Link, reason: str) -> None:
        self.peer_id = peer_id_of_path(link.path)
        self._link = link
        self._reason = reason

    def opened(self) -> None:
        """Say why, and close."""
        self._link.close(CloseCode.ID_TAKEN, self._reason)

    def received(self, text: bytes) -> None:
        """Nothing comes in any more."""

    def received_binary(self, data: bytes) -> None:
        """Nothing comes in any more."""

    def closed(self, *, lost: bool = False) -> None:
        """Nothing was held."""


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _members_of(text: bytes) -> dict[str, Any]:
    """The members of a message that was found to be an object."""
    try:
        members: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return _what_can_be_held(text)
    return members


def _what_can_be_held(text: bytes) -> dict[str, Any]:
    """The number of a message that has more than orjson can hold, see ``addressed``.

    That is half of a pair of surrogates, as is left when a text is cut amid an emoji, or a
    number beyond a double.
    """
    try:
        number = json.loads(text, parse_int=_integer, parse_float=str).get("rtcsig")
        return {"rtcsig": orjson.loads(json.dumps(number))}
    except (ValueError, RecursionError):
        return {}


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_DIGITS else digits


def _receipt_of(number: object) -> Receipt | None:
    match number:
        case {"stream": str(stream), "n": int(n)} if len(stream) <= _MAX_STREAM_CHARACTERS:
            return Receipt(stream, n)
    return None
