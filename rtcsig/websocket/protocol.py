"""One connection to one peer: what it lets in, passes on, asks and sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from rtcsig.codes import CloseCode
from rtcsig.dialects import Session
from rtcsig.door.deadlines import Deadline
from rtcsig.door.life import State
from rtcsig.door.report import shown_peer_id
from rtcsig.door.talk import Talk
from rtcsig.door.transport import queued_bytes
from rtcsig.websocket.arriving import ArrivingProtocol
from rtcsig.websocket.frames import (
    binary_frame,
    is_part_of_text_frame,
    read_text_frame,
    text_frame,
)
from rtcsig.websocket.opening import Request
from rtcsig.websocket.request import target_of

__all__ = ["SignallingProtocol"]

_PING_PAYLOAD_BITS = 32
# A ping comes after 80 to 100 % of the interval: peers that arrived together
# are not asked together for ever, and no peer is asked too late.
_EARLIEST_PING = 0.8
_FULL_BYTES = 65_536
_LEAST_FRESH_BYTES = 4096
# So many frames are paid for with their message; each further one costs a part of a message.
_FRAMES_PAID_FOR = 4
_OPEN = State.OPEN


@implementer(IPushProducer)
class SignallingProtocol(ArrivingProtocol):
    """A connection with its session; it is the ``Link`` that the session sees.

    As a push producer it hears from the transport when much is queued, and when
    nothing is any more. Nothing is produced less for that: the
    peers who send are not slowed by one who does not read. Its queue is
    bounded in bytes and in time instead.
    """

    path = "/"
    query = ""
    messages_out = bytes_out = 0

    _session: Session  # from `admit` on
    _session_is_open = False  # from its `opened` to its `closed`
    _talk: Talk  # from `opened` on
    _peer_id = ""
    _ping_payload: bytes | None = None
    _askers: tuple[Callable[[], None], ...] = ()
    _pinged_s = 0.0
    _is_paused = False
    _full_alarm: Deadline | None = None

    # -- the life of the connection: see GuardedProtocol ------------------------

    def admit(self, request: Request) -> str | None:
        """Check the origin, find the dialect, make the session."""
        house = self.factory.house
        self.heed_forwarding(request.head)
        house.origins.check(request.origin)
        path, self.query = target_of(request.target)
        mount, self.path = house.mounts.find(path)
        self._session = mount.dialect.session(mount.namespace, self)
        self._peer_id = self._session.peer_id
        self.dialect = mount.dialect.name
        for name in mount.dialect.subprotocols:
            if name in request.protocols:
                return name
        return None

    def opened(self) -> None:
        """Begin to count what is said and to listen for signs of life; tell the session."""
        house = self.factory.house
        house.ledger.has_opened(self.dialect)
        self.is_counted = True
        self._talk = Talk(house.rates, house.clock.seconds)
        self._have_at_hand()
        self.is_open_now()
        self.transport.registerProducer(self, True)
        self._await_next_ping()
        self._session_is_open = True
        self._session.opened()

    def _have_at_hand(self) -> None:
        """Have on the instance what is asked for each message: on the class it is found late."""
        self.current_frame = self.current_frame
        self.inside_message = self.inside_message
        self.data = self.data
        self.maxMessagePayloadSize = self.maxMessagePayloadSize
        self._perMessageCompress = self._perMessageCompress
        self._parser_is_lost = self._parser_is_lost
        self._is_paused = self._is_paused
        self.messages_out = self.bytes_out = 0

    def message(self, payload: bytes, binary: bool) -> None:
        """Pass a message to the session."""
        if self._talk.message_is_too_much():
            self._says_too_much("messages", self.factory.house.settings.max_message_rate)
        elif binary:
            self._session.received_binary(payload)
        else:
            self._session.received(payload)

    def onMessageFrame(self, payload: Any) -> None:
        """Charge for a message in very many frames: each takes nearly as long as a message."""
        if (
            self._frames_in_message >= _FRAMES_PAID_FOR
            and self._life is _OPEN
            and self._talk.fragment_is_too_much()
        ):
            self._says_too_much("messages", self.factory.house.settings.max_message_rate)
        else:
            super().onMessageFrame(payload)

    def pinged(self, payload: bytes) -> None:
        """Answer, unless the peer asks and asks and does not read the answers."""
        if not self._is_one_too_many() and not self._is_over_its_bound():
            self.sendPong(payload)

    def ponged(self, payload: bytes) -> None:
        """Be content until the next ping, if this is the pong that was asked for."""
        if self._is_one_too_many():
            return
        if payload == self._ping_payload:
            self._ping_payload = None
            house = self.factory.house
            house.ledger.round_trips_s.add(house.clock.seconds() - self._pinged_s)
            self._await_next_ping()
            self._tell_askers()

    def ended(self) -> None:
        """Tell the session, if it was told of the beginning, and let go of it."""
        self.resumeProducing()
        if self.is_counted:
            self.is_counted = False
            self.factory.house.ledger.has_ended(self.dialect, self)
        session, is_open = self._session, self._session_is_open
        del self._session
        self._session_is_open = False
        if is_open:
            session.closed(lost=not self._said_good_bye)

    def gone(self) -> None:
        """Give the place back, and write the line, if there is one for each connection."""
        super().gone()
        house = self.factory.house
        if house.settings.log_connections and self._was_open:
            code = self.remoteCloseCode or self.localCloseCode
            house.reporter.line("connection ended", self._context(code=code))

    def _context(self, **fields: Any) -> dict[str, Any]:
        """Add what is known of a peer once it is admitted, and of one that was open."""
        house = self.factory.house
        context = super()._context(**fields)
        if self.dialect:
            context["dialect"] = self.dialect
        if self._peer_id and house.settings.log_peer_ids != "none":
            context["peer"] = shown_peer_id(self._peer_id, house.settings.log_peer_ids)
        if self._was_open:
            context["seconds"] = round(house.clock.seconds() - self._talk.since_s, 3)
            context["bytes_in"] = self.bytes_in
            context["bytes_out"] = self.bytes_out
        return context

    # -- what the peer says: how much, and the usual frames without Autobahn -------------

    def take(self, data: bytes) -> bytes:
        """Take whole text messages in small frames, which is nearly all that comes."""
        if self.current_frame is None and not self.inside_message and not self.data:
            frame = read_text_frame(data, 0, self.maxMessagePayloadSize)
            is_one = frame is not None and frame[1] == len(data)
            if is_one and not self._perMessageCompress and self._talk.is_within(len(data)):
                # One message in one read is what nearly always comes: no call more than it takes.
                try:
                    self._session.received(frame[0])
                except Exception as error:  # noqa: BLE001 a bug of ours costs this connection
                    self._failed("message", error)
                return b""
        return self._take_several(data)

    def _take_several(self, data: bytes) -> bytes:
        """Take what messages there are in one read; those to one peer leave in one send."""
        fresh_bytes = len(data)
        if self._talk.bytes_are_too_much(fresh_bytes):
            self.data = b""
            self._says_too_much("bytes", self.factory.house.settings.max_byte_rate)
            return b""
        if self.current_frame is not None or self.inside_message or self._perMessageCompress:
            return data
        data, self.data = self.data + data, b""
        end = 0
        outbox = self.factory.house.outbox
        outbox.hold()
        try:
            while self._life is _OPEN:
                frame = read_text_frame(data, end, self.maxMessagePayloadSize)
                if frame is None:
                    return self._kept(data, end, fresh_bytes)
                payload, end = frame
                self._hand_on(payload, False)
        finally:
            outbox.release()
        return data[end:]

    def _kept(self, data: bytes, start: int, fresh_bytes: int) -> bytes:
        """Keep the beginning of a usual frame until its rest comes; returns what is not one.

        What comes in small pieces is left to Autobahn: it would be looked at for each anew.
        """
        is_much = fresh_bytes >= _LEAST_FRESH_BYTES
        if is_much and is_part_of_text_frame(data, start, self.maxMessagePayloadSize):
            self.data = data[start:]
            return b""
        return data[start:]

    def _is_one_too_many(self) -> bool:
        """Count a control frame; whether the connection ends for it."""
        if not self._talk.control_frame_is_too_much():
            return False
        self._says_too_much("control frames", self.factory.house.settings.max_control_frame_rate)
        return True

    def _says_too_much(self, what: str, per_s: int) -> None:
        self.factory.house.ledger.excesses[what] += 1
        self._report("peer sends too much", what, sent=what, per_s=per_s)
        self._end_talk(CloseCode.POLICY_VIOLATION, f"more than {per_s} {what} a second")

    @property
    def messages_in(self) -> int:
        """How many messages came in."""
        return self._talk.messages

    @property
    def bytes_in(self) -> int:
        """How many bytes came in since it is open."""
        return self._talk.bytes

    @property
    def _was_open(self) -> bool:
        return hasattr(self, "_talk")

    # -- Link: what the session sees ---------------------------------------------------

    @property
    def backlog(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return queued_bytes(self.transport)

    def send(self, text: bytes) -> bool:
        """Send a text message; False if it is not sent. Never raises."""
        if self._life is not _OPEN or self._is_paused or self._perMessageCompress is not None:
            return self._send_message(text, False)
        try:
            frame = text_frame(text)
            self.messages_out += 1
            self.bytes_out += len(frame)
            self.transport.write(frame)
        except Exception as error:  # noqa: BLE001 the caller may be another peer's session
            self._failed("send", error)
            return False
        return True

    def send_binary(self, data: bytes) -> None:
        """Send a binary message. Never raises."""
        self._send_message(data, True)

    def _send_message(self, payload: bytes, binary: bool) -> bool:
        house = self.factory.house
        if self._life is not _OPEN:
            house.ledger.dropped_messages["not-open"] += 1
            return False
        try:
            if self._is_over_its_bound():
                house.ledger.dropped_messages["slow-reader"] += 1
                return False
            self.messages_out += 1
            if self._perMessageCompress is not None:
                self.bytes_out += len(payload)
                self.sendMessage(payload, binary)
            else:
                frame = binary_frame(payload) if binary else text_frame(payload)
                self.bytes_out += len(frame)
                self.transport.write(frame)
        except Exception as error:  # noqa: BLE001 the caller may be another peer's session
            self._failed("send", error)
            return False
        return True

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
        self._pinged_s = house.clock.seconds()
        self.sendPing(self._ping_payload)

    def probe(self, answered: Callable[[], None]) -> None:
        """Ping at once, and call ``answered`` when the pong has come. Never raises."""
        if self._life is not _OPEN:
            return
        try:
            self._askers = (*self._askers, answered)
            if self._ping_payload is None:
                self._ping()
            else:
                self.sendPing(self._ping_payload)
        except Exception as error:  # noqa: BLE001 the caller is another peer's connection
            self._failed("ping", error)

    def _tell_askers(self) -> None:
        askers, self._askers = self._askers, ()
        for answered in askers:
            answered()

    def _pong_timed_out(self) -> None:
        self.factory.house.ledger.timeouts["pong"] += 1
        self._report("peer is gone: no pong in time", "pong")
        self.wasNotCleanReason = "no pong in time"
        self.dropConnection(abort=True)

    # -- a peer that does not read ---------------------------------------------------------

    def pauseProducing(self) -> None:
        """Watch the queue from now on, which the transport takes for full.

        TCP says so for every write while that is so, TLS for the first one only.
        """
        self._is_paused = True
        self._watch_queue()

    def resumeProducing(self) -> None:
        """Watch the queue no longer, and stop the clock: it is empty."""
        self._is_paused = False
        self._stop_clock()

    def stopProducing(self) -> None:
        """Stop the clock: the transport is gone."""
        self.resumeProducing()

    def _watch_queue(self) -> None:
        """Start the clock when the queue is full, if it does not run already."""
        if self._full_alarm is None and self._life is _OPEN and self.backlog > _FULL_BYTES:
            house = self.factory.house
            self._full_alarm = house.deadlines.set(
                house.settings.slow_reader_timeout_s, self._full_for_long
            )

    def _stop_clock(self) -> None:
        if self._full_alarm is not None:
            self._full_alarm.cancel()
            self._full_alarm = None

    def _full_for_long(self) -> None:
        """End, unless the queue has become shorter and was only never quite empty.

        When this comes late the process stood still and could not write: the
        clock starts anew. It is watched on in either case, until it is empty.
        """
        is_late = self._is_late(self._full_alarm)
        self._stop_clock()
        if is_late:
            self._watch_queue()
        elif self.backlog > _FULL_BYTES:
            self._too_slow("time")

    def _is_over_its_bound(self) -> bool:
        """Whether nothing more may be queued; the connection ends then."""
        # The transport is asked only after it said that something is queued.
        if not self._is_paused:
            return False
        self._watch_queue()
        if self.backlog <= self.factory.house.settings.max_backlog_bytes:
            return False
        self._too_slow("bytes")
        return True

    def _too_slow(self, bound: str) -> None:
        """Close, for the bound in bytes or that in time; the hard end cuts who reads nothing."""
        self.factory.house.ledger.timeouts["slow-reader"] += 1
        self._report("peer is too slow", bound, bound=bound, queued_bytes=self.backlog)
        self.close(CloseCode.TRY_AGAIN_LATER, f"you read too slowly: the bound in {bound}")
