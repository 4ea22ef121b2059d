"""One connection: Autobahn's protocol with a guard around every step of its life.

Theory of operation
-------------------
Twisted calls ``connectionMade``, ``dataReceived`` and ``connectionLost``;
Autobahn, in between, ``onConnect``, ``_onOpen``, ``_onMessage``, ``_onPong``
and ``_onClose``. Each of these is guarded here, because what the two libraries
do with an exception ranges from a socket that stays open for ever to the
exception's text in an HTTP status line.

A failure ends in one of three ways, by how far the connection got:

* before the protocol is set up: logged, counted, aborted (``_set_up_failed``);
* before the WebSocket is open: HTTP 500 without our text (``_failed``);
* later: close code 1011 (``_failed``).

The connection's state is kept in ``_state`` by the table in ``door.life``.
Autobahn has a state of its own, which says what may be sent; ours says what is
counted, and when the session ends: as soon as the state leaves OPEN, so that
nobody sends to a peer that cannot hear any more.

There is one timer, ``_timer``, whose meaning follows the state: the deadline
for the opening handshake, then the next ping or the pong that is due, then the
hard end. A second one runs while the peer's queue is full.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from rtcsig.codes import CloseCode, Refusal, close_reason
from rtcsig.dialects import Session
from rtcsig.door.address import address_text
from rtcsig.door.life import Event, State
from rtcsig.door.report import error_name, shown
from rtcsig.websocket.frames import binary_frame, read_text_frame, text_frame
from rtcsig.websocket.request import explanation, head_is_too_large, http_answer, target_of
from rtcsig.websocket.unheard import Unheard

if TYPE_CHECKING:
    from rtcsig.websocket.factory import SignallingFactory

__all__ = ["SignallingProtocol"]

_PING_PAYLOAD_BITS = 32
# A ping comes after 80 to 100 % of the interval: peers that arrived together
# are not asked together for ever, and no peer is asked too late.
_EARLIEST_PING = 0.8


@implementer(IPushProducer)
class SignallingProtocol(WebSocketServerProtocol):
    """A WebSocket connection to one peer, and the ``Link`` that its session sees."""

    factory: SignallingFactory
    log = Unheard()

    number = 0
    path = "/"
    query = ""
    address = ""

    _state = State.NEW
    _stage = "set-up"
    _session: Session | None = None
    _refusal: Refusal | None = None
    _timer: IDelayedCall | None = None
    _full_timer: IDelayedCall | None = None
    _ping_payload: bytes | None = None
    _full = False
    _backlog = 0
    _deaf = False

    # -- set-up ---------------------------------------------------------

    def connectionMade(self) -> None:
        """Set the connection up; whatever fails ends it at once."""
        self.number = self.factory.house.ledger.next_number()
        try:
            self._set_up()
        except Exception as error:  # noqa: BLE001 whatever it is, it is this connection's
            self._set_up_failed(error)

    def _set_up(self) -> None:
        house = self.factory.house
        self._stage = "register"
        set_up_error = getattr(self.transport, "set_up_error", None)
        if set_up_error is not None:
            raise set_up_error
        self._stage = "peer"
        peer = self.transport.getPeer()
        self.address = self.peer = address_text(peer)
        self._stage = "options"
        if hasattr(self.transport, "setTcpNoDelay") and hasattr(peer, "port"):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._stage = "autobahn"
        self._connectionMade()
        self._arm(house.settings.open_timeout_s, self._open_timed_out)
        self._stage = "request"
        self._move(Event.MADE)
        house.protocols.add(self)

    def _set_up_failed(self, error: Exception) -> None:
        """Log, count, abort. The protocol is deaf from here on: it was never built."""
        house = self.factory.house
        name = error_name(error)
        house.ledger.set_up_failures[self._stage, name] += 1
        self._disarm()
        self._move(Event.FAILED)
        try:
            self.transport.abortConnection()
        finally:
            what = "connection set-up failed"
            fields = self._context(error=name, **house.resources())
            if isinstance(error, OSError):
                house.reporter.line(LogLevel.warn, what, fields, (self._stage, name))
            else:
                house.reporter.bug(Failure(error), what, fields)

    # -- what Twisted calls -----------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._state is State.CLOSED or (self._state is State.CLOSING and self._is_deaf()):
            return
        try:
            if self.state == self.STATE_CONNECTING:
                if head_is_too_large(
                    self.data, data, self.factory.house.settings.max_request_head_bytes
                ):
                    self._refuse(
                        Refusal(
                            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                            "the request head is too large",
                        )
                    )
                    return
            elif self._is_between_messages():
                data = self._take_text_frames(data)
                if not data:
                    return
            self._dataReceived(data)
        except Exception:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            # The parser stopped somewhere: what else comes in cannot be read.
            self._deaf = True
            self._failed(self._stage)
            self.unregisterProducer()
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The transport is gone: give everything back, once."""
        if self._state in (State.NEW, State.CLOSED):
            return
        self._stage = "lost"
        self._disarm()
        self._end_session()
        self._move(Event.LOST)
        self.factory.house.protocols.discard(self)
        try:
            self._connectionLost(reason)
        except Exception:  # noqa: BLE001 nothing is left to end but the log must know
            self._count_failure("lost")

    def pauseProducing(self) -> None:
        """The transport's buffer is full; called for every write while it is."""
        if not self._full:
            self._full = True
            clock = self.factory.house.clock
            timeout_s = self.factory.house.settings.slow_reader_timeout_s
            self._full_timer = clock.callLater(timeout_s, self._too_slow, "it did not read in time")

    def resumeProducing(self) -> None:
        """The transport's buffer is empty."""
        self._full = False
        self._backlog = 0
        if self._full_timer is not None and self._full_timer.active():
            self._full_timer.cancel()
        self._full_timer = None

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.resumeProducing()

    # -- what Autobahn calls ----------------------------------------------

    def onConnect(self, request: Any) -> str | None:  # noqa: ARG002 we read the head ourselves
        """Admit the request and make its session; returns the subprotocol.

        Raises nothing but Autobahn's ``ConnectionDeny``: any other exception's
        text would stand in the status line of the answer.
        """
        self._stage = "admission"
        try:
            house = self.factory.house
            house.origins.check(self.http_headers.get("origin"))
            path, self.query = target_of(self.http_request_uri)
            mount, self.path = house.mounts.find(path)
            self._session = mount.dialect.session(mount.namespace, self)
            offered = self.websocket_protocols
            return next((name for name in mount.dialect.subprotocols if name in offered), None)
        except Refusal as refusal:
            self._refusal = refusal
        except Exception:  # noqa: BLE001 a bug of ours costs this connection
            self._count_failure("admission")
            self._refusal = _OUR_FAULT
        self._session = None
        raise ConnectionDeny(self._refusal.status.value, self._refusal.reason)

    def succeedHandshake(self, res: Any) -> None:
        """Answer the request; Autobahn swallows what is raised in here."""
        self._stage = "answer"
        try:
            super().succeedHandshake(res)
        except Exception:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._failed("answer")

    def failHandshake(
        self, reason: str, code: int = 400, responseHeaders: Any = None  # noqa: N803 Autobahn's name
    ) -> None:
        """Refuse the request, with our sentence or Autobahn's less what it quotes."""
        headers = tuple(responseHeaders or ())
        if any(name == "Sec-WebSocket-Version" for name, _ in headers):
            code = HTTPStatus.UPGRADE_REQUIRED  # RFC 6455, 4.4
        refusal = self._refusal or Refusal(HTTPStatus(code), explanation(reason, code))
        self._refuse(refusal, headers)

    def _onOpen(self) -> None:  # noqa: N802 Autobahn's name
        self._stage = "open"
        try:
            self._move(Event.OPENED)
            self._await_next_ping()
            if self._session is not None:
                self._session.opened()
        except Exception:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("open")
        self._stage = "frames"

    def onMessageEnd(self) -> None:
        """Hand a whole message on; Autobahn's own would also fire an event for nobody."""
        if not self.failedByMe:
            self._received(b"".join(self.message_data), self.message_is_binary)
        self.message_data = None

    def _onPong(self, payload: bytes) -> None:  # noqa: N802 Autobahn's name
        if self._ping_payload is not None and payload == self._ping_payload:
            self._ping_payload = None
            self._await_next_ping()

    def _onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        """Everything was given back in ``connectionLost``."""

    def _fail_connection(
        self, code: int = CloseCode.GOING_AWAY, reason: str = "going away"
    ) -> None:
        """The peer broke the protocol: Autobahn sends the close code, we keep the line."""
        if self._state is State.OPEN:
            self._report("peer broke the protocol", int(code), code=int(code), reason=shown(reason))
        super()._fail_connection(int(code), reason)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False  # noqa: N803
    ) -> None:
        """Send a close frame; with it the session ends and the hard end is set."""
        was_open = self.state == self.STATE_OPEN
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if was_open:
            if code is not None:
                self.factory.house.ledger.closes[code] += 1
            self._begin_end()

    def _closeConnection(self, abort: bool = False) -> None:  # noqa: N802 Autobahn's name
        """End the transport: with a FIN after a clean close, else as asked.

        Autobahn resets after every close that the server began; the peer did
        nothing wrong, and a reset can take the close frame from it.
        """
        self._begin_end()
        if abort and not self.wasClean:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    # -- Link: what the session sees ------------------------------------------

    @property
    def backlog(self) -> int:
        """Bytes queued since the transport's buffer is full."""
        return self._backlog

    def send(self, text: bytes) -> None:
        """Send a text message."""
        self._send(text, False)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        self._send(data, True)

    def close(self, code: CloseCode, reason: str) -> None:
        """Start the closing handshake; nothing happens in any state but open."""
        try:
            if self.state == self.STATE_OPEN:
                self.sendCloseFrame(int(code), close_reason(reason))
        except Exception:  # noqa: BLE001 the caller may be another peer's session
            self._count_failure("close")
            self.transport.abortConnection()

    def leave(self, code: CloseCode, reason: str) -> None:
        """End the connection in whatever state: the server stops."""
        if self._state is State.OPEN:
            self.close(code, reason)
        elif self._state is State.HANDSHAKE:
            self._refuse(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server stops"))

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abortConnection()

    def _send(self, payload: bytes, binary: bool) -> None:
        if self._state is not State.OPEN:
            self.factory.house.ledger.dropped_messages["not-open"] += 1
            return
        try:
            if self._backlog > self.factory.house.settings.max_backlog_bytes:
                self.factory.house.ledger.dropped_messages["slow-reader"] += 1
                self._too_slow("its queue is full")
                return
            if self._perMessageCompress is not None:
                self.sendMessage(payload, binary)
            else:
                self.transport.write(binary_frame(payload) if binary else text_frame(payload))
            if self._full:
                self._backlog += len(payload)
        except Exception:  # noqa: BLE001 the caller may be another peer's session
            self._failed("send")

    # -- messages ---------------------------------------------------------------

    def _is_between_messages(self) -> bool:
        return (
            self._state is State.OPEN
            and not self.data
            and self.current_frame is None
            and not self.inside_message
            and self._perMessageCompress is None
        )

    def _take_text_frames(self, data: bytes) -> bytes:
        """Take whole text messages in small frames; returns what is left for Autobahn."""
        max_bytes = self.maxMessagePayloadSize
        start = 0
        while (frame := read_text_frame(data, start, max_bytes)) is not None:
            payload, start = frame
            self._received(payload, False)
            if self._state is not State.OPEN:
                break
        return data[start:] if start else data

    def _received(self, payload: bytes, binary: bool) -> None:
        session = self._session
        if session is None:
            return
        try:
            if binary:
                session.received_binary(payload)
            else:
                session.received(payload)
        except Exception:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("message")

    # -- time -------------------------------------------------------------------

    def _arm(self, delay_s: float, action: Callable[[], None]) -> None:
        """Set the connection's timer, in place of the one before."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = self.factory.house.clock.callLater(delay_s, self._run_timer, action)

    def _run_timer(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("timer")

    def _disarm(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self.resumeProducing()

    def _open_timed_out(self) -> None:
        self.factory.house.ledger.timeouts["open"] += 1
        refusal = Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        self._refuse(refusal, lingers=False)

    def _await_next_ping(self) -> None:
        house = self.factory.house
        part = _EARLIEST_PING + (1 - _EARLIEST_PING) * house.random.random()
        self._arm(house.settings.ping_interval_s * part, self._ping)

    def _ping(self) -> None:
        """Ask for a sign of life that only one who reads what we send can give."""
        house = self.factory.house
        self._ping_payload = b"%08x" % house.random.getrandbits(_PING_PAYLOAD_BITS)
        self.sendPing(self._ping_payload)
        self._arm(house.settings.pong_timeout_s, self._pong_timed_out)

    def _pong_timed_out(self) -> None:
        self.factory.house.ledger.timeouts["pong"] += 1
        self._report("peer is gone: no pong in time", "pong")
        self.wasNotCleanReason = "no pong in time"
        self.dropConnection(abort=True)

    def _too_slow(self, why: str) -> None:
        """The peer does not read: close, and if it does not read that either, cut."""
        self.factory.house.ledger.timeouts["slow-reader"] += 1
        self._report("peer is too slow", "slow", why=why)
        self.close(CloseCode.TRY_AGAIN_LATER, f"you read too slowly: {why}")

    def _hard_end(self) -> None:
        self.factory.house.ledger.timeouts["close"] += 1
        self.transport.abortConnection()

    # -- the end ------------------------------------------------------------------

    def _refuse(
        self, refusal: Refusal, headers: tuple[tuple[str, str], ...] = (), *, lingers: bool = True
    ) -> None:
        """Answer with an HTTP error and end the connection.

        The peer may still be sending. To close then would reset the
        connection and could take the answer from it, so our side is shut and
        the rest of its bytes thrown away until it closes or the hard end.
        """
        if self._state is not State.HANDSHAKE or self.state != self.STATE_CONNECTING:
            return
        self.factory.house.ledger.refusals[refusal.status.value] += 1
        self._report(
            "request refused",
            refusal.status.value,
            status=refusal.status.value,
            reason=refusal.reason,
            target=shown(getattr(self, "http_request_uri", "").partition("?")[0]),
        )
        try:
            self.data = b""
            self.wasNotCleanReason = refusal.reason
            self.transport.write(http_answer(refusal, headers))
            self.unregisterProducer()
            self.state = self.STATE_CLOSED
            self._begin_end()
            if lingers and hasattr(self.transport, "loseWriteConnection"):
                self.transport.loseWriteConnection()
            else:
                self.transport.loseConnection()
        except Exception:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._count_failure("refuse")
            self.transport.abortConnection()

    def _begin_end(self) -> None:
        """No session any more, and a hard end whatever the peer does (once)."""
        if self._state in (State.HANDSHAKE, State.OPEN):
            self._end_session()
            self._move(Event.CLOSING)
            self._arm(self.factory.house.settings.close_timeout_s, self._hard_end)

    def _end_session(self) -> None:
        """Tell the session that it is over, if it was ever opened (once)."""
        session, self._session = self._session, None
        if session is None or self._state is not State.OPEN:
            return
        try:
            session.closed()
        except Exception:  # noqa: BLE001 a bug of ours must not keep the rest from being given back
            self._count_failure("close")

    def _is_deaf(self) -> bool:
        """Whether bytes that still come in mean nothing: no close frame is awaited."""
        return self._deaf or bool(self.state == self.STATE_CLOSED)

    def _failed(self, stage: str) -> None:
        """A bug of ours, seen in an ``except``: one traceback, and the end of this connection."""
        self._count_failure(stage)
        try:
            if self.state == self.STATE_CONNECTING:
                self._refuse(_OUR_FAULT)
            elif self.state == self.STATE_OPEN:
                self.sendCloseFrame(CloseCode.INTERNAL_ERROR, b"a fault of the server")
        except Exception:  # noqa: BLE001 then the hard way
            self._count_failure("end")
            self.transport.abortConnection()

    def _count_failure(self, stage: str) -> None:
        failure = Failure()
        self.factory.house.ledger.callback_failures[stage, error_name(failure.value)] += 1
        fields = self._context(**self.factory.house.resources())
        fields["stage"] = stage
        self.factory.house.reporter.bug(failure, "connection failed", fields)

    def _move(self, event: Event) -> None:
        self._state = self.factory.house.ledger.moved(self._state, event)

    # -- the log --------------------------------------------------------------------

    def _report(self, what: str, kind: object, **fields: Any) -> None:
        """One line about a peer's fault, at a bounded rate."""
        self.factory.house.reporter.line(LogLevel.info, what, self._context(**fields), str(kind))

    def _context(self, **fields: Any) -> dict[str, Any]:
        return {
            "listener": self.factory.listener,
            "connection": self.number,
            "address": self.address or None,
            "stage": self._stage,
            **fields,
        }


_OUR_FAULT = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the server")
