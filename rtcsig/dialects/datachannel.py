"""``datachannel``: what the example clients of libdatachannel speak.

A peer connects to ``ws://HOST:PORT/<its id>``. A message is one JSON object;
its ``id`` says which peer it is for, and is replaced with the sender's id on
the way. Everything else in it belongs to the peers. The protocol and where
its example servers differ: docs/protocol.md.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from rtcsig.codes import CloseCode, Refusal
from rtcsig.dialects.addressed import MessageError, json_string, read_addressed
from rtcsig.dialects.base import Link, Session
from rtcsig.hub import Code, Namespace, State, Taken

__all__ = [
    "MAX_PEER_ID_CHARACTERS",
    "WHY_NOT",
    "DatachannelSession",
    "peer_id_is_possible",
    "peer_id_of_path",
]

MAX_PEER_ID_CHARACTERS = 128


def peer_id_of_path(path: str) -> str:
    """The peer id in the first segment of ``path``, percent-decoded.

    Raises ``Refusal`` (400) when it is empty, no UTF-8, has a control
    character or more than ``MAX_PEER_ID_CHARACTERS``.
    """
    segment = path.removeprefix("/").partition("/")[0]
    try:
        peer_id = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        raise _bad_id("is not UTF-8") from None
    _check_peer_id(peer_id)
    return peer_id


def _check_peer_id(peer_id: str) -> None:
    """Raise ``Refusal`` (400) for what cannot be a peer's id."""
    if not peer_id:
        raise _bad_id("is empty")
    if len(peer_id) > MAX_PEER_ID_CHARACTERS:
        raise _bad_id(f"has more than {MAX_PEER_ID_CHARACTERS} characters")
    if not peer_id.isprintable() and any(
        unicodedata.category(character) == "Cc" for character in peer_id
    ):
        raise _bad_id("has a control character")


def peer_id_is_possible(text: str) -> bool:
    """Whether a peer can have this id."""
    try:
        _check_peer_id(text)
    except Refusal:
        return False
    return True


def _bad_id(fault: str) -> Refusal:
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        f"the peer id in the path {fault}: connect to ws://HOST:PORT/<peer id>",
        label="peer-id",
    )


WHY_NOT = {
    Code.PEER_NOT_FOUND: "no peer with this id is connected",
    Code.NOT_HELD: "the peer lost its connection, and too much is held for it already",
    Code.STOPPING: "no peer with this id is connected, and the server is about to end",
}


class DatachannelSession(Session):
    """One peer of libdatachannel's examples."""

    __slots__ = ("_link", "_namespace", "_quoted_id", "deliver", "peer_id")

    token = ""
    acknowledges = False

    def __init__(self, namespace: Namespace, link: Link, token: str = "") -> None:
        self.peer_id = peer_id_of_path(link.path)
        try:
            namespace.admit(self.peer_id, token)
        except Taken:
            raise Refusal(
                HTTPStatus.CONFLICT, "a peer with this id is connected", label="id-taken"
            ) from None
        self._quoted_id = json_string(self.peer_id)
        self._namespace = namespace
        self._link = link
        # What another peer sent goes out as it is.
        self.deliver = link.send

    def opened(self) -> None:
        """Take the id, from an older connection if need be."""
        self._namespace.claim(self.peer_id, self)

    def received(self, text: bytes) -> None:
        """Pass the message on, or tell the sender why that is impossible."""
        try:
            destination, before, after = read_addressed(text)
        except MessageError as error:
            self._report("", error.code, str(error))
            return
        message = before + self._quoted_id + after
        if not self._namespace.route(destination, message):
            self._await(destination, message)

    def received_binary(self, data: bytes) -> None:
        """Take a binary message for text, as one of the example servers does.

        What is not UTF-8 is not JSON either, and is answered like that.
        """
        self.received(data)

    def closed(self, *, lost: bool = False) -> None:
        """Give the id back, unless a newer connection has it."""
        self._namespace.release(self.peer_id, self, lost=lost)

    def displaced(self) -> None:
        """Close: the id belongs to a newer connection."""
        self._link.close(CloseCode.REPLACED, "a newer connection has this id")

    def probe(self, answered: Callable[[], None]) -> None:
        """Ask the peer for a sign of life."""
        self._link.probe(answered)

    def outcome(self, destination: str, receipt: object, code: Code) -> bool:  # noqa: ARG002 see `native`
        """Tell the peer of a message that was held in vain."""
        return code is Code.DELIVERED or self._report(destination, code, WHY_NOT[code])

    def presence(self, peer_id: str, state: State) -> None:
        """Say nothing: this peer has not asked."""

    def _await(self, destination: str, message: bytes, receipt: object = None) -> None:
        """Have the message held for a peer that is not here, if there can be one."""
        why_not: Code | None = Code.PEER_NOT_FOUND
        if peer_id_is_possible(destination):
            why_not = self._namespace.hold(destination, message, self.peer_id, receipt)
        if why_not is not None:
            self.outcome(destination, receipt, why_not)

    def _report(self, destination: str, code: str, message: str, more: bytes = b"") -> bool:
        """Send an error message of ours, which the example clients ignore.

        Its ``id`` is always a string: the C++ example throws on anything else.
        """
        return self._link.send(
            b'{"id":%b,"type":"error","code":%b,"message":%b%b}'
            % (_quoted(destination), json_string(code), json_string(message), more)
        )


def _quoted(destination: str) -> bytes:
    """A JSON string; a lone surrogate, which UTF-8 cannot hold, becomes ``?``."""
    return json_string(destination.encode("utf-8", "replace").decode("utf-8"))
