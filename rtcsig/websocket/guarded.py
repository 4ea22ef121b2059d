"""Autobahn's protocol with a guard around every step of a connection's life.

Theory of operation
-------------------
Twisted calls ``connectionMade``, ``dataReceived`` and ``connectionLost``;
Autobahn, in between, ``onConnect``, ``_onOpen``, ``onMessageEnd``, ``_onPong``
and ``_onClose``. Each of these is guarded here, because what the two libraries
do with an exception ranges from a socket that stays open for ever to the
exception's text in an HTTP status line.

A failure ends in one of three ways, by how far the connection got:

* before the protocol is set up: logged, counted, aborted (``_set_up_failed``);
* before the WebSocket is open: HTTP 500 without our text (``_failed``);
* later: close code 1011 (``_failed``).

How a connection ends stands in ``ending``, how a request that is no upgrade is
answered in ``answering``: this class is the way in.

The connection's state is kept in ``_life`` by the table in ``door.life``.
Autobahn has a state of its own, which says what may be sent; ours says what is
counted, and when the user of the connection is told that it is over: as soon
as the state leaves OPEN, so that nobody sends to a peer that cannot hear.

There is one timer, ``_alarm``, whose meaning follows the state: the deadline
for the opening handshake, then what the subclass makes of it, then the hard
end. Autobahn's own timers round to whole seconds and can fire after they were
cancelled; they are off.

What the connection is for stands in subclasses: the methods ``arrived``,
``before_request``, ``admit``, ``take``, ``opened``, ``message``, ``pinged``,
``ponged``, ``ended`` and ``gone``, all of which may raise.
"""

from __future__ import annotations

import os
import zlib
from http import HTTPStatus
from typing import Any

from autobahn.websocket.types import ConnectionDeny
from autobahn.websocket.utf8validator import Utf8Validator
from twisted.internet.interfaces import IAddress, IFileDescriptorReceiver, IHalfCloseableProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rtcsig.codes import CloseCode, Refusal
from rtcsig.dialects import Contest, InDoubt
from rtcsig.door.address import address_text
from rtcsig.door.life import Event, State
from rtcsig.door.report import shown
from rtcsig.websocket.answering import AnsweringProtocol
from rtcsig.websocket.ending import OUR_FAULT
from rtcsig.websocket.extensions import is_usable_offer
from rtcsig.websocket.opening import Request, read_usual_request, upgrade_answer
from rtcsig.websocket.request import END_OF_HEAD, explanation, head_is_too_large

__all__ = ["GuardedProtocol"]

_OPEN = State.OPEN
_LAST_DATA_OPCODE = 7  # what is above is a control frame: RFC 6455, 5.2
_OF_THE_REQUEST = (
    "http_request_data",
    "http_status_line",
    "http_headers",
    "http_request_uri",
    "http_request_path",
    "http_request_params",
    "http_request_host",
    "http_response_data",
    "websocket_protocols",
    "websocket_extensions",
    "websocket_extensions_in_use",
    "websocket_origin",
    "websocket_protocol_in_use",
    "websocket_version",
    "_wskey",
)


@implementer(IHalfCloseableProtocol, IFileDescriptorReceiver)
class GuardedProtocol(AnsweringProtocol):
    """A server's connection that ends alone, whatever fails in it."""

    _refusal: Refusal | None = None
    _decision: Contest | None = None  # while another peer is asked whether it still is there
    _undecided = b""
    _frames_in_message = 0
    _isMessageCompressed: bool  # noqa: N815 Autobahn's
    _utf8validator: Utf8Validator | None = None
    maxMessagePayloadSize: int  # noqa: N815 Autobahn's, see `beginning`

    # -- for the subclass ---------------------------------------------------

    def arrived(self, peer: IAddress) -> None:
        """Take note of a connection that is set up, or raise ``Refusal``."""
        raise NotImplementedError

    def before_request(self, data: bytes) -> bytes:
        """Take what comes before the request, or raise ``Refusal``; returns the rest."""
        raise NotImplementedError

    def gone(self) -> None:
        """Let go: the transport of a connection that was set up is gone (once)."""
        raise NotImplementedError

    def heed_forwarding(self, head: bytes) -> None:
        """Find out whose request it is, or raise ``Refusal``."""
        raise NotImplementedError

    def admit(self, request: Request) -> str | None:
        """Let the request in, or raise ``Refusal``; returns the subprotocol to speak."""
        raise NotImplementedError

    def opened(self) -> None:
        """Begin: the WebSocket is open."""
        raise NotImplementedError

    def message(self, payload: bytes, binary: bool) -> None:
        """Take a whole message; comes only while the connection is open."""
        raise NotImplementedError

    def take(self, data: bytes) -> bytes:
        """Take what can be taken from ``data`` past Autobahn; returns the rest."""
        return data

    def pinged(self, payload: bytes) -> None:
        """Take a ping, and answer it."""
        raise NotImplementedError

    def ponged(self, payload: bytes) -> None:
        """Take a pong."""
        raise NotImplementedError

    # -- what Twisted calls ---------------------------------------------------

    def connectionMade(self) -> None:
        """Set the connection up; whatever fails ends it at once."""
        self.number = self.factory.house.ledger.next_number()
        try:
            peer = self._set_up()
        except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
            self._set_up_failed(error)
            return
        try:
            self.arrived(peer)
        except Refusal as refusal:
            self._refuse(refusal)
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("arrival", error)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the peer."""
        try:
            if self._life is _OPEN and not self._parser_is_lost:
                data = self.take(data)
                if not data:
                    return
            elif self._life is State.CLOSED or self._is_deaf():
                return
            elif self.state == self.STATE_CONNECTING:
                if self._decision is None:
                    data = self._take_request(self._head_of(data))
                else:
                    data = self._keep(data)
            if data and not self._is_deaf():
                self._dataReceived(data)
        except Refusal as refusal:
            self._refuse(refusal)
        except zlib.error as error:
            # Autobahn closes with this code itself, from 26.10 on.
            reason = "a compressed message cannot be read"
            self._report("peer broke the protocol", reason, reason=reason, error=shown(str(error)))
            self._end_talk(CloseCode.INVALID_PAYLOAD, reason)
        except Exception as error:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._parser_failed(error)

    def _head_of(self, data: bytes) -> bytes:
        """What belongs to the request head. Raises ``Refusal`` when that is too much."""
        data = self.before_request(data)
        limit = self.factory.house.settings.max_request_head_bytes
        if head_is_too_large(self.data, data, limit):
            raise Refusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request head is too large",
                label="head-size",
            )
        return data

    def _take_request(self, data: bytes) -> bytes:
        """Answer past Autobahn what is asked for in the usual words; returns what is left."""
        if self.data:
            return b"" if self._answers_with_page(self.data + data) else data
        end = data.find(END_OF_HEAD)
        request = read_usual_request(data[:end]) if end >= 0 else None
        if request is None:
            return b"" if self._answers_with_page(data) else data
        if request.offers_deflate and self.factory.house.settings.compression != "off":
            return data
        try:
            protocol = self._admitted(request)
        except ConnectionDeny:
            self.http_request_uri = request.target
            self.failHandshake("")
            return b""
        if self._decision is not None:
            return self._keep(data)
        self._stage = "answer"
        self.transport.write(upgrade_answer(request.key, protocol))
        self.state = self.STATE_OPEN
        self._onOpen()
        data = data[end + len(END_OF_HEAD) :]
        if data and self._life is _OPEN:
            data = self.take(data)
        return data

    # -- an answer that has to be waited for ------------------------------------------

    def _keep(self, data: bytes) -> bytes:
        """Keep what comes while it is being decided whether the request is let in."""
        limit = self.factory.house.settings.max_request_head_bytes
        if self._undecided and len(self._undecided) + len(data) > limit:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, "too much was sent before the answer", label="early-data"
            )
        self._undecided += data
        self.data = b""
        return b""

    def _decided(self) -> None:
        """Take the request again, from its first byte, now that more is known."""
        self._decision = None
        data, self._undecided = self._undecided, b""
        self.dataReceived(data)

    def _drop_decision(self) -> None:
        """Wait no longer: the connection is refused or gone."""
        if self._decision is not None:
            self._decision.leave(self)
            self._decision = None
            self._undecided = b""

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Give everything back, once: the transport is gone."""
        if self._life in (State.NEW, State.CLOSED):
            return
        self._stage = "lost"
        self._clear_alarm()
        self._leave_use(Event.LOST)
        # All that Autobahn's own would do: its timers are off, and nobody waits for its events.
        self.state = self.STATE_CLOSED
        try:
            self._leave_channel(reason)
            self.gone()
        except Exception as error:  # noqa: BLE001 the house must forget the connection all the same
            self._count_failure("gone", error)
        self.factory.house.left(self)

    def readConnectionLost(self) -> None:
        """End: the peer shuts its side. It still gets what was written, an HTTP answer say.

        Twisted throws that away for a protocol that does not hear of half a close.
        """
        try:
            self._drop_decision()
            self._begin_end()
            self.unregisterProducer()
            self.transport.loseConnection()
        except Exception as error:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._count_failure("half-close", error)
            self.transport.abortConnection()

    def writeConnectionLost(self) -> None:
        """Nothing to do: our own side was shut by us."""

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """Close what a peer of a unix socket passes: Twisted would write a line for each read."""
        os.close(descriptor)

    # -- set-up -----------------------------------------------------------------

    def _set_up(self) -> IAddress:
        """Everything between accept and the first byte; ``_stage`` says how far it got."""
        self._stage = "peer"
        peer: IAddress = self.transport.getPeer()
        self.address = self.peer = address_text(peer)
        self._stage = "options"
        if hasattr(peer, "port") and hasattr(self.transport, "setTcpNoDelay"):
            self.transport.setTcpNoDelay(True)
        self._stage = "timer"
        self._set_alarm(self.factory.house.settings.open_timeout_s, self._open_timed_out)
        self._stage = "request"
        self._move(Event.MADE)
        self.factory.house.connections.add(self)
        return peer

    def _set_up_failed(self, error: Exception) -> None:
        """Abort, count, log. Whatever comes later finds a closed connection."""
        try:
            self._move(Event.FAILED)
            self._clear_alarm()
        finally:
            self.transport.abortConnection()
        self.factory.house.reporter.set_up_failure(self._stage, error, self._context())

    # -- what Autobahn calls --------------------------------------------------------

    def onConnect(self, request: Any) -> str | None:  # noqa: ARG002 it lacks the head
        """Admit the request; returns the subprotocol. Raises nothing but ``ConnectionDeny``."""
        return self._admitted(
            Request(
                self.http_request_data,
                self.http_request_uri,
                self.http_headers.get("origin"),
                tuple(self.websocket_protocols),
                b"",
            )
        )

    def _admitted(self, request: Request) -> str | None:
        """Admit the request; returns the subprotocol.

        Raises nothing but Autobahn's ``ConnectionDeny``: any other exception's
        text would stand in the status line of the answer.
        """
        self._stage = "admission"
        try:
            return self.admit(request)
        except InDoubt as doubt:
            self._decision = doubt.contest
            self._decision.wait(self, self._decided)
            return None
        except Refusal as refusal:
            self._refusal = refusal
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._count_failure("admission", error)
            self._refusal = OUR_FAULT
        raise ConnectionDeny(self._refusal.status.value, self._refusal.reason)

    def succeedHandshake(self, res: Any) -> None:
        """Answer the request; Autobahn would swallow what is raised in here."""
        if self._decision is not None:
            self._keep(self.http_request_data + self.data)
            return
        self._stage = "answer"
        try:
            self.websocket_extensions = self._usable_extensions()
            super().succeedHandshake(res)
            self._forget_request()
        except Exception as error:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._parser_failed(error)

    def _forget_request(self) -> None:
        """Let go of what Autobahn keeps of the request: some kilobytes, as long as it is open."""
        for name in _OF_THE_REQUEST:
            vars(self).pop(name, None)

    def _usable_extensions(self) -> list[Any]:
        """Those offered extensions that Autobahn would not refuse the connection for.

        An offer that cannot be used is declined, and the WebSocket opens
        without it (RFC 7692, 5.1).
        """
        if self.factory.house.settings.compression == "off":
            return []
        return [offer for offer in self.websocket_extensions if is_usable_offer(*offer)]

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Refuse the request, with our sentence or Autobahn's less what it quotes."""
        headers = tuple(responseHeaders or ())
        if any(name == "Sec-WebSocket-Version" for name, _ in headers):
            code = HTTPStatus.UPGRADE_REQUIRED  # RFC 6455, 4.4
        if self._stage == "request":
            # Autobahn dislikes it already: nobody has asked yet whose it is.
            try:
                self.heed_forwarding(self.http_request_data)
            except Refusal as its_own:
                self._refusal = its_own
        refusal = self._refusal or Refusal(HTTPStatus(code), explanation(reason, code))
        self._refuse(refusal, headers)

    def onMessageFrame(self, payload: Any) -> None:
        """Take a frame's data; empty frames would be kept and never count against a limit."""
        if self.failedByMe:
            return
        self._frames_in_message += 1
        limit = self.factory.house.settings.max_frames_per_message
        if limit and self._frames_in_message > limit:
            self.factory.house.ledger.excesses["frames"] += 1
            reason = f"a message may have {limit} frames"
            self._fail_connection(CloseCode.MESSAGE_TOO_BIG, reason)
            return
        self.message_data.extend(piece for piece in payload if piece)

    def _onOpen(self) -> None:
        self._stage = "open"
        try:
            self._move(Event.OPENED)
            self.opened()
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("open", error)
        self._stage = "frames"

    def onFrameData(self, payload: bytes) -> bool | None:
        """Throw away what is left of a failed message, so that a close behind it is read.

        Autobahn would inflate on, fail at each piece anew, never find the end
        of the frame, and keep all that comes after it.
        """
        is_of_no_use = self.failedByMe and self.current_frame.opcode <= _LAST_DATA_OPCODE
        goes_on: bool | None = None if is_of_no_use else super().onFrameData(payload)
        if self.failedByMe:
            self._isMessageCompressed = False
            self.utf8validateIncomingCurrentMessage = False
            return None
        return goes_on

    def onMessageEnd(self) -> None:
        """Hand a whole message on; Autobahn's own would also fire an event for nobody."""
        if not self.failedByMe:
            self._hand_on(b"".join(self.message_data), self.message_is_binary)
        self.message_data = []
        self._frames_in_message = 0

    @property
    def utf8validator(self) -> Utf8Validator:  # type: ignore[override]  # see `beginning`
        """Autobahn's, made when the first text comes that is not taken past it."""
        if self._utf8validator is None:
            self._utf8validator = Utf8Validator()
        return self._utf8validator

    def onPing(self, payload: bytes) -> None:
        """Hand a ping on."""
        try:
            if self._life is State.OPEN:
                self.pinged(payload)
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("ping", error)

    def _onPong(self, payload: bytes) -> None:
        try:
            if self._life is State.OPEN:
                self.ponged(payload)
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("pong", error)

    def _onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        """Everything was given back in ``connectionLost``."""

    def _hand_on(self, payload: bytes, binary: bool) -> None:
        if self._life is not _OPEN:
            return
        try:
            self.message(payload, binary)
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("message", error)

    def _is_deaf(self) -> bool:
        """Whether bytes that come in mean nothing any more: no close frame is awaited."""
        return self._parser_is_lost or bool(self.state == self.STATE_CLOSED)
