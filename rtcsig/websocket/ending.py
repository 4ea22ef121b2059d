"""How a connection ends, in whatever state and by whoever's doing.

Autobahn's protocol with our state beside its own (``door.life``), one timer,
and the ways out: an HTTP answer before the WebSocket is open, a close frame
after it, and behind both a hard end that no peer can put off.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from twisted.internet.interfaces import INegotiated

from rtcsig.codes import COMES_BACK, CloseCode, Refusal, close_reason
from rtcsig.door.deadlines import Deadline
from rtcsig.door.descriptors import MAX_BEYOND
from rtcsig.door.life import Event, State
from rtcsig.door.report import error_name, shown
from rtcsig.websocket.request import http_answer
from rtcsig.websocket.unheard import Unheard

if TYPE_CHECKING:
    from rtcsig.websocket.factory import SignallingFactory

__all__ = ["OUR_FAULT", "EndingProtocol"]

OUR_FAULT = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the server", label="fault")
_TOO_LATE = Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time", label="timeout")
# A timer that is so late was late because the process stood still, and what
# the peer said meanwhile is not read yet: it gets as long as this to be read.
_LATE_S = 0.5
_SECOND_CHANCE_S = 1.0


class EndingProtocol(WebSocketServerProtocol):
    """A server's connection that can be ended in every state, and always ends."""

    factory: SignallingFactory
    transport: Any
    log = Unheard()

    number = 0
    address = ""
    dialect = ""
    is_counted = False  # among those of its dialect that are open

    _life = State.NEW
    _stage = "set-up"
    _alarm: Deadline | None = None
    _parser_is_lost = False
    _said_good_bye = False  # the peer did: it began the closing handshake

    def __init__(self) -> None:
        """Nothing to set: see ``beginning``."""

    def ended(self) -> None:
        """Let go: the connection was open and is no longer (once). For the subclass."""
        raise NotImplementedError

    def refused(self) -> None:
        """Give back what was counted for it: it will not open. For the subclass."""
        raise NotImplementedError

    # -- ending it ------------------------------------------------------

    def close(self, code: CloseCode, reason: str) -> None:
        """Start the closing handshake; nothing happens in any state but open. Never raises."""
        try:
            if self._life is State.OPEN:
                self.sendCloseFrame(int(code), close_reason(reason))
        except Exception as error:  # noqa: BLE001 the caller may be another peer's session
            self._count_failure("close", error)
            self.transport.abortConnection()

    def leave(self, code: CloseCode, reason: str) -> None:
        """End the connection in whatever state: the server stops."""
        if self._life is State.OPEN:
            self.close(code, reason)
        else:
            retry_after_s = self.factory.house.turnstile.retry_after_s()
            self._refuse(
                Refusal(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    reason,
                    label="stopping",
                    retry_after_s=retry_after_s,
                )
            )

    def _refuse(self, refusal: Refusal, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer with an HTTP error and end the connection, if nothing was answered yet."""
        if self._life is not State.HANDSHAKE or self.state != self.STATE_CONNECTING:
            return
        status = refusal.status.value
        self.factory.house.ledger.refusals[status, refusal.label] += 1
        try:
            target = getattr(self, "http_request_uri", "").partition("?")[0]
            self._report(
                "request refused",
                status,
                status=status,
                reason=shown(refusal.reason),
                target=shown(target),
            )
            self.data = b""
            self.wasNotCleanReason = refusal.reason
            self.state = self.STATE_CLOSED
            self._begin_end()
            self.transport.write(http_answer(refusal, headers))
            self.refused()
            self._finish_answer(lingers=refusal is not _TOO_LATE and self._may_linger())
        except Exception as error:  # noqa: BLE001 a bug of ours or of Autobahn costs this connection
            self._count_failure("refuse", error)
            self.transport.abortConnection()

    def _finish_answer(self, *, lingers: bool) -> None:
        """Let the answer out.

        The peer may still be sending. To close then would reset the connection
        and could take the answer from it, so our side is shut and what still
        comes is thrown away, until the peer closes or the hard end. TLS has no
        half of a close: the TCP connection below would be shut in the middle of it.
        But each close takes its time there, until the peer has done its part of
        the handshake and of the close: who may not take it is cut.
        """
        is_tls = INegotiated.providedBy(self.transport)
        if is_tls and not lingers and not self._may_linger():
            self.transport.abortConnection()
        elif lingers and not is_tls and hasattr(self.transport, "loseWriteConnection"):
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def _may_linger(self) -> bool:
        """Whether there is room for one more who was refused and takes its time to go."""
        house = self.factory.house
        return house.ledger.connections - house.turnstile.connections <= MAX_BEYOND

    def _begin_end(self) -> None:
        """End the use and set the hard end, whatever the peer does (once)."""
        if self._life in (State.HANDSHAKE, State.HTTP, State.OPEN):
            self._leave_use(Event.CLOSING)
            delay_s = self.factory.house.settings.close_timeout_s
            self._set_alarm(delay_s, self._hard_end, is_final=True)

    def _leave_use(self, event: Event) -> None:
        """Move on, and tell the subclass if the connection was open until now.

        It is told after the move: what it does then finds a connection that
        can send nothing more.
        """
        was_open = self._life is State.OPEN
        self._move(event)
        if not was_open:
            return
        try:
            self.ended()
        except Exception as error:  # noqa: BLE001 a bug of ours must not keep the rest from being given back
            self._count_failure("close", error)

    def _hard_end(self) -> None:
        self.factory.house.ledger.timeouts["close"] += 1
        self.transport.abortConnection()

    def _open_timed_out(self) -> None:
        self.factory.house.ledger.timeouts["open"] += 1
        self._refuse(_TOO_LATE)

    # -- failing ------------------------------------------------------------------------

    def _failed(self, stage: str, error: Exception) -> None:
        """Write one traceback and end this connection: ``error`` is a bug of ours."""
        self._count_failure(stage, error)
        if self.state == self.STATE_CONNECTING:
            self._refuse(OUR_FAULT)
        else:
            self.close(CloseCode.INTERNAL_ERROR, "a fault of the server")

    def _parser_failed(self, error: Exception) -> None:
        """End after an exception that Autobahn let through: what else comes cannot be read."""
        was_connecting = self.state == self.STATE_CONNECTING
        self._failed(self._stage, error)
        self._parser_is_lost = True
        if was_connecting:
            return
        try:
            self._begin_end()
            self.unregisterProducer()
            self.transport.loseConnection()
        except Exception as another:  # noqa: BLE001 nothing of it may reach the reactor
            self._count_failure("end", another)
            self.transport.abortConnection()

    def _count_failure(self, stage: str, error: Exception) -> None:
        house = self.factory.house
        house.ledger.callback_failures[stage, error_name(error)] += 1
        house.reporter.bug(error, "connection failed", self._context(stage=stage))

    # -- how Autobahn ends it --------------------------------------------

    def _end_talk(self, code: CloseCode, reason: str) -> None:
        """Close one who says too much: what else comes is read and thrown away, unparsed."""
        self.close(code, reason)
        self._parser_is_lost = True
        self.unregisterProducer()
        self._finish_answer(lingers=True)

    def _fail_connection(
        self, code: int = CloseCode.GOING_AWAY, reason: str = "going away"
    ) -> None:
        """Write the line; Autobahn sends the close code. The peer broke the protocol."""
        if self._life is State.OPEN:
            self._report("peer broke the protocol", code, code=int(code), reason=shown(reason))
        super()._fail_connection(int(code), reason)

    def sendCloseFrame(
        self, code: int | None = None, reasonUtf8: bytes | None = None, isReply: bool = False
    ) -> None:
        """Send a close frame; with it the connection's use ends and the hard end is set."""
        was_open = self.state == self.STATE_OPEN
        self._said_good_bye = isReply and self.remoteCloseCode not in COMES_BACK
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if was_open:
            if code is not None:
                self.factory.house.ledger.closes[code] += 1
            self._begin_end()

    def _closeConnection(self, abort: bool = False) -> None:
        """End the transport: with a FIN after a clean close, else as asked.

        Autobahn resets after every close that the server began; the peer did
        nothing wrong, and a reset can take the close frame from it.
        """
        self._begin_end()
        if abort and not self.wasClean:
            self.transport.abortConnection()
        else:
            self.transport.loseConnection()

    # -- small things -----------------------------------------------------

    def _set_alarm(
        self, delay_s: float, action: Callable[[], None], *, is_final: bool = False
    ) -> None:
        """Set the connection's timer, in place of the one before.

        Unless it ``is_final`` a timer that is late gives the peer a second chance.
        """
        deadlines = self.factory.house.deadlines
        self._alarm = deadlines.replace(self._alarm, delay_s, self._alarmed, action, is_final)

    def _clear_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _is_late(self, deadline: Deadline | None) -> bool:
        """Whether a call that is being made comes much later than it should."""
        if deadline is None:
            return False
        return self.factory.house.clock.seconds() - deadline.due_s > _LATE_S

    def _alarmed(self, action: Callable[[], None], is_final: bool) -> None:
        try:
            if not is_final and self._is_late(self._alarm):
                self._set_alarm(_SECOND_CHANCE_S, action, is_final=True)
            else:
                action()
        except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
            self._failed("timer", error)

    def _move(self, event: Event) -> None:
        self._life = self.factory.house.ledger.moved(self._life, event)

    def _report(self, what: str, kind: object, **fields: Any) -> None:
        """Write one line about a peer's fault, at a bounded rate."""
        self.factory.house.reporter.client_fault(what, self._context(**fields), str(kind))

    def _context(self, **fields: Any) -> dict[str, Any]:
        return {
            "listener": self.factory.listener,
            "connection": self.number,
            "address": self.address or None,
            "stage": self._stage,
            **fields,
        }
