"""One connection to one peer: what it lets in, passes on, asks and sends."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IPushProducer
from zope.interface import implementer

from rtcsig.codes import CloseCode
from rtcsig.dialects import Session
from rtcsig.door.address import address_text
from rtcsig.door.life import State
from rtcsig.door.transport import queued_bytes
from rtcsig.websocket.frames import binary_frame, read_text_frame, text_frame
from rtcsig.websocket.guarded import GuardedProtocol
from rtcsig.websocket.request import target_of

__all__ = ["SignallingProtocol"]

_PING_PAYLOAD_BITS = 32
# A ping comes after 80 to 100 % of the interval: peers that arrived together
# are not asked together for ever, and no peer is asked too late.
_EARLIEST_PING = 0.8
_FULL_BYTES = 65_536  # what Twisted's transports take for full: FileDescriptor.bufferSize


@implementer(IPushProducer)
class SignallingProtocol(GuardedProtocol):
    """A connection with its session; it is the ``Link`` that the session sees.

    As a push producer it hears from the transport when the buffer is full
    and when it is empty again. Nothing is produced less for that: the peers
    who send are not slowed by one who does not read. Its queue is bounded in
    bytes and in time instead.
    """

    path = "/"
    query = ""

    _session: Session  # from `admit` to `ended`
    _ping_payload: bytes | None = None
    _is_full = False
    _full_alarm: IDelayedCall | None = None

    # -- the life of the connection: see GuardedProtocol ------------------------

    def admit(self) -> str | None:
        """Check the origin, find the dialect, make the session."""
        house = self.factory.house
        # Behind a PROXY header the peer is another one than in the set-up.
        self.address = self.peer = address_text(self.transport.getPeer())
        house.origins.check(self.http_headers.get("origin"))
        path, self.query = target_of(self.http_request_uri)
        mount, self.path = house.mounts.find(path)
        self._session = mount.dialect.session(mount.namespace, self)
        offered = self.websocket_protocols
        return next((name for name in mount.dialect.subprotocols if name in offered), None)

    def opened(self) -> None:
        """Begin to listen for signs of life, and tell the session."""
        self.transport.registerProducer(self, True)
        self._await_next_ping()
        self._session.opened()

    def message(self, payload: bytes, binary: bool) -> None:
        """Pass a message to the session."""
        if binary:
            self._session.received_binary(payload)
        else:
            self._session.received(payload)

    def ponged(self, payload: bytes) -> None:
        """Be content until the next ping, if this is the pong that was asked for."""
        if payload == self._ping_payload:
            self._ping_payload = None
            self._await_next_ping()

    def ended(self) -> None:
        """Tell the session, and let go of it."""
        self.resumeProducing()
        session = self._session
        del self._session
        session.closed()

    # -- the usual frames, without Autobahn ----------------------------------------

    def take(self, data: bytes) -> bytes:
        """Take whole text messages in small frames, which is nearly all that comes."""
        if (
            self.data
            or self.current_frame is not None
            or self.inside_message
            or self._perMessageCompress is not None
        ):
            return data
        max_bytes = self.factory.house.settings.max_message_bytes
        start = 0
        while (frame := read_text_frame(data, start, max_bytes)) is not None:
            payload, start = frame
            self._hand_on(payload, False)
            if self._life is not State.OPEN:
                break
        return data[start:] if start else data

    # -- Link: what the session sees ---------------------------------------------------

    @property
    def backlog(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return queued_bytes(self.transport)

    def send(self, text: bytes) -> None:
        """Send a text message. Never raises."""
        self._send_message(text, False)

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. Never raises."""
        self._send_message(data, True)

    def _send_message(self, payload: bytes, binary: bool) -> None:
        house = self.factory.house
        if self._life is not State.OPEN:
            house.ledger.dropped_messages["not-open"] += 1
            return
        try:
            if self._is_over_its_bound():
                house.ledger.dropped_messages["slow-reader"] += 1
                return
            if self._perMessageCompress is not None:
                self.sendMessage(payload, binary)
            else:
                self.transport.write(binary_frame(payload) if binary else text_frame(payload))
        except Exception as error:  # noqa: BLE001 the caller may be another peer's session
            self._failed("send", error)

    def onPing(self, payload: bytes) -> None:
        """Answer, unless the peer asks and asks and does not read the answers."""
        if not self._is_over_its_bound():
            super().onPing(payload)

    # -- signs of life -------------------------------------------------------------------

    def _await_next_ping(self) -> None:
        house = self.factory.house
        part = _EARLIEST_PING + (1 - _EARLIEST_PING) * house.random.random()
        self._set_alarm(house.settings.ping_interval_s * part, self._ping)

    def _ping(self) -> None:
        """Ask for a sign of life that only one who reads what we send can give."""
        house = self.factory.house
        self._ping_payload = b"%08x" % house.random.getrandbits(_PING_PAYLOAD_BITS)
        self._set_alarm(house.settings.pong_timeout_s, self._pong_timed_out)
        self.sendPing(self._ping_payload)

    def _pong_timed_out(self) -> None:
        self.factory.house.ledger.timeouts["pong"] += 1
        self._report("peer is gone: no pong in time", "pong")
        self.wasNotCleanReason = "no pong in time"
        self.dropConnection(abort=True)

    # -- a peer that does not read ---------------------------------------------------------

    def pauseProducing(self) -> None:
        """Start the clock: the transport's buffer is full. Called for every write while it is."""
        if not self._is_full and self._life is State.OPEN:
            self._is_full = True
            house = self.factory.house
            self._full_alarm = house.clock.callLater(
                house.settings.slow_reader_timeout_s, self._full_for_long
            )

    def resumeProducing(self) -> None:
        """Stop the clock: the transport's buffer is empty."""
        self._is_full = False
        if self._full_alarm is not None and self._full_alarm.active():
            self._full_alarm.cancel()
        self._full_alarm = None

    def stopProducing(self) -> None:
        """Stop the clock: the transport is gone."""
        self.resumeProducing()

    def _full_for_long(self) -> None:
        """End, unless the queue has become shorter and was only never quite empty."""
        self.resumeProducing()
        if self.backlog > _FULL_BYTES:
            self._too_slow("time")

    def _is_over_its_bound(self) -> bool:
        """Whether nothing more may be queued; the connection ends then."""
        # The transport is asked only after it said that it is full.
        bound = self.factory.house.settings.max_backlog_bytes
        if not self._is_full or self.backlog <= bound:
            return False
        self._too_slow("bytes")
        return True

    def _too_slow(self, bound: str) -> None:
        """Close, for the bound in bytes or that in time; the hard end cuts who reads nothing."""
        self.factory.house.ledger.timeouts["slow-reader"] += 1
        self._report("peer is too slow", bound, bound=bound, queued_bytes=self.backlog)
        self.close(CloseCode.TRY_AGAIN_LATER, f"you read too slowly: the bound in {bound}")
