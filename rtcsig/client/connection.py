"""One connection of a client: from the attempt to its end, which is told once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple
from unicodedata import category
from urllib.parse import quote, urlencode

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from autobahn.websocket.util import parse_url
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from rtcsig.client.backoff import after_close, after_status
from rtcsig.client.errors import SignallingError
from rtcsig.client.reach import endpoint

__all__ = ["Connection", "End", "check_url", "url_of"]

# From the attempt to the server's first word.
_OPENING_S = 10.0
_WELCOME_S = 5.0
_SILENCE_S = 60.0
_MAX_MESSAGE_BYTES = 1 << 20
_MAX_PEER_ID_CHARACTERS = 128
# Control characters, and halves of surrogate pairs, which no URL can hold.
_NOT_IN_PEER_IDS = ("Cc", "Cs")
_SWITCHING = 101


class End(NamedTuple):
    """Why a connection ended: for the log, and the error to stop with or the server's hint."""

    why: str
    verdict: SignallingError | float | None


def url_of(mount: str, peer_id: str, token: str) -> str:
    """Where a peer connects that asks for what rtcsig offers beyond the examples' protocol."""
    query = {"rtcsig": "1", **({"token": token} if token else {})}
    return f"{mount.rstrip('/')}/{quote(peer_id, safe='')}?{urlencode(query)}"


def check_url(mount: str) -> None:
    """Raise ``ValueError`` for what is no URL of a mount."""
    try:
        _, _, _, _, _, query = parse_url(mount)
    except Exception as error:
        # Autobahn's parser raises plain ones that say what it dislikes.
        raise ValueError(f"{mount}: {error}") from error
    if query:
        raise ValueError(f"{mount}: the URL of a mount has no query")


def check_peer_id(peer_id: str) -> None:
    """Raise ``ValueError`` for what no peer can be called."""
    is_one = isinstance(peer_id, str) and 0 < len(peer_id) <= _MAX_PEER_ID_CHARACTERS
    if not is_one or any(category(each) in _NOT_IN_PEER_IDS for each in peer_id):
        raise ValueError(
            f"{peer_id!r}: a peer id has 1 to {_MAX_PEER_ID_CHARACTERS} characters, "
            "and none that is a control character"
        )


class Connection:
    """A connection that is being made, is open, or has ended.

    ``on_open`` hears that it is open, with the welcome, or without one from a server that says
    none. One who ``is_welcomed`` at other times knows that it comes; if it comes late to
    somebody else, ``on_open`` is called again. ``on_message`` gets each message that
    follows, ``on_end`` the end. No callback is called after the end.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        on_open: Callable[[dict[str, Any] | None], None],
        on_message: Callable[[dict[str, Any]], None],
        on_end: Callable[[End], None],
        is_welcomed: bool = False,
    ) -> None:
        self._reactor = reactor
        self._on_open = on_open
        self._on_message = on_message
        self._on_end = on_end
        self._is_welcomed = is_welcomed
        self._protocol: _Protocol | None = None
        self._attempt: Any = None
        self._is_open = False
        self._has_ended = False
        self._heard_s = reactor.seconds()
        self._alarm = reactor.callLater(_OPENING_S, self._cut, "not open in time")

    def connect(self, url: str, trust: Any) -> None:
        """Begin, if it was not left before."""
        if self._has_ended:
            return
        try:
            factory = _Factory(url, self._reactor, self)
            where = endpoint(
                self._reactor, factory.host, factory.port, secure=factory.isSecure, trust=trust
            )
        except Exception as error:  # noqa: BLE001 a host name that is none, or there is no TLS
            self._end(f"cannot connect: {error}", SignallingError(str(error)))
            return
        self._attempt = where.connect(factory)
        self._attempt.addErrback(lambda failure: self._end(failure.getErrorMessage(), None))

    def send(self, message: dict[str, Any]) -> bool:
        """Send a message; False when the connection is about to end."""
        protocol = self._protocol
        if protocol is None or self._has_ended or protocol.state != protocol.STATE_OPEN:
            return False
        protocol.sendMessage(json.dumps(message).encode())
        return True

    def leave(self) -> None:
        """Say good-bye, and end when the server has said so, too."""
        if self._protocol is None or not self._is_open:
            self._cut("stopped")
        else:
            self._restart_alarm(_WELCOME_S, self._cut, "no good-bye in time")
            self._protocol.sendClose(1000)

    # -- what the protocol tells -------------------------------------------------------

    def made(self, protocol: _Protocol) -> None:
        """TCP, or TLS, is there."""
        self._protocol = protocol
        if self._has_ended:
            protocol.dropConnection(abort=True)

    def opened(self) -> None:
        """The server has agreed. It has some seconds to say welcome."""
        if not self._is_welcomed:
            self._restart_alarm(_WELCOME_S, self._begin, None)

    def heard(self) -> None:
        """Something came from the server, a ping at least."""
        self._heard_s = self._reactor.seconds()

    def message(self, payload: bytes) -> None:
        """Take a message; the first one is the welcome, or the server knows of none."""
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict) or self._has_ended:
            return
        is_welcome = message.get("id") == "" and message.get("type") == "welcome"
        if is_welcome or not self._is_open:
            self._begin(message if is_welcome else None)
        if not is_welcome:
            self._on_message(message)

    def closed(self, code: int | None, reason: str) -> None:
        """The connection is over."""
        self._end(
            f"closed: {code or 'no close frame'} {reason}".rstrip(), after_close(code, reason)
        )

    def refused(self, status: int, retry_after: str, reason: str) -> None:
        """The server has answered with something else than a WebSocket."""
        self._end(f"refused: {status} {reason}", after_status(status, retry_after, reason))

    # -- inside ------------------------------------------------------------------------

    def _begin(self, welcome: dict[str, Any] | None) -> None:
        self._is_open = True
        self._look_after()
        self._on_open(welcome)

    def _look_after(self) -> None:
        """Ask for a sign of life after half of the time, and cut it after all of it."""
        silent_s = self._reactor.seconds() - self._heard_s
        if silent_s >= _SILENCE_S:
            self._cut("the server is silent")
        elif silent_s >= _SILENCE_S / 2:
            if self._protocol is not None:
                self._protocol.sendPing()
            self._restart_alarm(_SILENCE_S - silent_s, self._look_after)
        else:
            self._restart_alarm(_SILENCE_S / 2 - silent_s, self._look_after)

    def _restart_alarm(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> None:
        if self._alarm.active():
            self._alarm.cancel()
        self._alarm = self._reactor.callLater(delay_s, action, *arguments)

    def _cut(self, why: str) -> None:
        protocol = self._protocol
        self._end(why, None)
        if protocol is not None:
            protocol.dropConnection(abort=True)
        elif self._attempt is not None:
            self._attempt.cancel()

    def _end(self, why: str, verdict: SignallingError | float | None) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        if self._alarm.active():
            self._alarm.cancel()
        self._on_end(End(why, verdict))


class _Factory(WebSocketClientFactory):
    noisy = False

    def __init__(self, url: str, reactor: Any, connection: Connection) -> None:
        super().__init__(url, reactor=reactor)
        self.connection = connection
        self.protocol: Any = _Protocol
        # The connection has time limits of its own.
        self.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            tcpNoDelay=True,
            maxMessagePayloadSize=_MAX_MESSAGE_BYTES,
        )


class _Protocol(WebSocketClientProtocol):
    """Autobahn's, that tells its connection what happens."""

    factory: _Factory
    log = Logger("rtcsig.client.autobahn")

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.connection.made(self)

    def dataReceived(self, data: bytes) -> None:
        self.factory.connection.heard()
        try:
            super().dataReceived(data)
        except UnicodeDecodeError:
            # Autobahn takes any answer to a handshake for UTF-8.
            self.failHandshake("the answer is not UTF-8")

    def onOpen(self) -> None:
        self.factory.connection.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: ARG002 Autobahn's names
        self.factory.connection.message(payload)

    def failHandshake(self, reason: str) -> None:
        """Tell the status of the answer, if it has one, and the first line of its body."""
        status = _status_of(getattr(self, "http_status_line", ""))
        if status not in (None, _SWITCHING):
            retry_after = str(self.http_headers.get("retry-after", ""))
            line = self.data.partition(b"\r\n\r\n")[2].partition(b"\n")[0]
            said = line.decode("utf-8", "replace").strip()
            self.factory.connection.refused(status, retry_after, said or reason)
        else:
            self.factory.connection.closed(None, reason)
        self.dropConnection(abort=True)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: ARG002
        # 1006 is Autobahn's word for no close frame at all.
        self.factory.connection.closed(self.remoteCloseCode, self.remoteCloseReason or reason or "")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.factory.connection.closed(self.remoteCloseCode, reason.getErrorMessage())


def _status_of(line: str) -> int | None:
    words = line.split()
    return int(words[1]) if len(words) > 1 and words[1].isdecimal() else None
