"""A client that stays: it comes back by itself, and what it sends arrives, or it says why not.

    client = SignallingClient(reactor, "ws://127.0.0.1:8000/", "alice")
    client.on_message = lambda sender, message: print(sender, message)
    await client.start()
    await client.send("bob", {"type": "offer", "description": "v=0..."})

Twisted's ``ClientService`` comes back as well, but knows only that a connection
ended: how a server wants its clients to come back stands in close codes and HTTP answers.
"""

from __future__ import annotations

import json
import math
import random
import secrets
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rtcsig.client.backoff import STEADY_S, Backoff
from rtcsig.client.connection import Connection, End, check_peer_id, check_url, url_of
from rtcsig.client.delivery import Incoming, Outgoing
from rtcsig.client.errors import IdTaken, PeerNotFound, SignallingError, Stopped

__all__ = ["ClientState", "SignallingClient"]

_ACK_DELAY_S = 0.05
_MAX_ACK_DELAY_MESSAGES = 16
_STREAM_BYTES = 12
_MAX_STREAM_CHARACTERS = 64
_MAX_IDLE_STREAMS = 1000
_MAX_WATCHED = 1000
# So many names of any kind are no message that is too large.
_ASKED_TOGETHER = 25
_OURS = frozenset({"id", "rtcsig"})


class ClientState(StrEnum):
    """What a client is doing."""

    IDLE = "idle"
    CONNECTING = "connecting"
    OPEN = "open"
    WAITING = "waiting"  # before it comes back
    STOPPED = "stopped"


class SignallingClient:
    """One peer, on any number of connections one after the other.

    ``url`` is the mount, ``ws://HOST:PORT/`` or ``wss://...``; anything else raises ``ValueError``,
    as does a ``peer_id`` that none can have.
    ``trust`` is as in ``reach.endpoint``. ``wait_for_id`` comes back also when another peer has the
    id. ``chance`` gives numbers from 0 to 1.

    Callbacks, all of them optional: ``on_message(sender, message)`` with the message as
    it was sent, ``on_presence(peer, state)`` for those that are watched, with ``here``, ``away`` or
    ``absent``, and ``on_state(state)``. One that raises is logged, and costs nothing else.

    ``error`` is why the client stopped by itself, ``retry_s`` how long it waits before it comes
    back. A server that offers nothing beyond the protocol of libdatachannel's examples is served
    without acknowledgements: there, ``send`` is done when the message was written.
    """

    log = Logger("rtcsig.client")

    def __init__(
        self,
        reactor: Any,
        url: str,
        peer_id: str,
        *,
        trust: Any = None,
        wait_for_id: bool = False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.peer_id = peer_id
        self.on_message: Callable[[str, dict[str, Any]], None] = _nothing
        self.on_presence: Callable[[str, str], None] = _nothing
        self.on_state: Callable[[ClientState], None] = _nothing
        self.state = ClientState.IDLE
        self.error: SignallingError | None = None
        self.retry_s = 0.0
        self._reactor = reactor
        check_url(url)
        check_peer_id(peer_id)
        self._url = url
        self._trust = trust
        self._waits_for_id = wait_for_id
        self._backoff = Backoff(chance)
        self._token = ""
        self._is_acknowledged = True
        self._opened_s = 0.0
        self._connection: Connection | None = None
        self._started: Deferred[None] = Deferred()
        self._left: Deferred[None] | None = None
        self._outgoing: dict[str, Outgoing] = {}
        self._incoming = Incoming()
        self._acks: dict[tuple[str, str], int] = {}
        self._ack_count = 0
        self._acks_sent_s = -math.inf
        self._watched: dict[str, None] = {}
        self._return: Any = None
        self._ack_timer: Any = None
        self._resend_timer: Any = None
        self._resends_s = math.inf

    # -- for the program -----------------------------------------------------------------

    def start(self) -> Deferred[None]:
        """Connect. Fires when the client is open first, fails with what makes it stop before.

        Raises ``Stopped`` when it was started before.
        """
        if self.state is not ClientState.IDLE:
            raise Stopped("a client is started once")
        self._connect()
        return self._started

    def stop(self) -> Deferred[None]:
        """Say good-bye, and give up what is not acknowledged; fires when all is over."""
        if self._left is None:
            self._left = Deferred()
            connection = self._connection
            self._give_up(Stopped("the client was stopped"))
            if connection is None:
                self._left.callback(None)
            else:
                connection.leave()
        left: Deferred[None] = Deferred()
        self._left.addCallback(lambda _: left.callback(None))
        return left

    def send(self, peer: str, message: dict[str, Any]) -> Deferred[None]:
        """Send a message; fires when the peer has it, fails when that is not known to be so.

        That is with ``PeerNotFound`` when the server gave it up, ``TooMuchWaiting``
        at once, and with what made the client stop. Raises ``ValueError`` for a message with a
        member ``id`` or ``rtcsig``, which are the client's, and that or ``TypeError`` for what
        JSON cannot hold. The message is taken as it is now.
        """
        if _OURS & message.keys():
            raise ValueError("the members id and rtcsig of a message are the client's")
        done: Deferred[None] = Deferred()
        if self.state is ClientState.STOPPED:
            done.errback(self.error or Stopped("the client was stopped"))
            return done
        copy = json.loads(json.dumps(message, allow_nan=False))
        outgoing = self._outgoing.get(peer)
        if outgoing is None:
            outgoing = self._outgoing_for(peer)
        try:
            outgoing.add(copy, done)
        except SignallingError as error:
            done.errback(error)
            return done
        self._pump(outgoing)
        return done

    def watch(self, *peers: str) -> None:
        """Hear where these peers are: now, and whenever that changes.

        Raises ``ValueError`` for what no peer can be called, and for more than a server
        watches for one client.
        """
        for peer in peers:
            check_peer_id(peer)
        if len(self._watched | dict.fromkeys(peers)) > _MAX_WATCHED:
            raise ValueError(f"at most {_MAX_WATCHED} peers can be watched")
        self._watched |= dict.fromkeys(peers)
        self._ask("watch", peers)

    def unwatch(self, *peers: str) -> None:
        """Hear no more of these."""
        for peer in peers:
            self._watched.pop(peer, None)
        self._ask("unwatch", peers)

    # -- connections -----------------------------------------------------------------------

    def _connect(self) -> None:
        self._return = None
        self._connection = connection = Connection(
            self._reactor,
            on_open=self._opened,
            on_message=self._take,
            on_end=self._ended,
            is_welcomed=bool(self._token),
        )
        self._become(ClientState.CONNECTING)
        connection.connect(url_of(self._url, self.peer_id, self._token), self._trust)

    def _opened(self, welcome: dict[str, Any] | None) -> None:
        """Begin to talk; once more, when a welcome comes that nobody expected any more."""
        self._is_acknowledged = welcome is not None
        if welcome is not None:
            self._token = str(welcome.get("token", ""))
        for outgoing in self._outgoing.values():
            outgoing.disconnected()
        if self.state is not ClientState.OPEN:
            self._opened_s = self._reactor.seconds()
            self._become(ClientState.OPEN)
        if self._watched:
            self._ask("watch", tuple(self._watched))
        for outgoing in tuple(self._outgoing.values()):
            self._pump(outgoing)
        if not self._started.called:
            self._started.callback(None)

    def _ended(self, end: End) -> None:
        was_open = self.state is ClientState.OPEN
        self._connection = None
        self._drop_acks()
        for outgoing in self._outgoing.values():
            outgoing.disconnected()
        if self.state is ClientState.STOPPED:
            if self._left is not None and not self._left.called:
                self._left.callback(None)
            return
        if was_open and self._reactor.seconds() - self._opened_s >= STEADY_S:
            self._backoff.succeeded()
        verdict = end.verdict
        if isinstance(verdict, SignallingError) and not self._comes_back_after(verdict):
            self._give_up(verdict)
            return
        hint_s = verdict if isinstance(verdict, float) else None
        self.retry_s = self._backoff.wait_s(hint_s)
        self._return = self._reactor.callLater(self.retry_s, self._connect)
        self.log.info(
            "{peer}: {why}; back in {retry_s:.1f} s",
            peer=self.peer_id,
            why=end.why,
            retry_s=self.retry_s,
        )
        self._become(ClientState.WAITING)

    def _comes_back_after(self, error: SignallingError) -> bool:
        return self._waits_for_id and isinstance(error, IdTaken)

    def _give_up(self, error: SignallingError) -> None:
        if self.state is ClientState.STOPPED:
            return
        self.error = error
        was_started = self.state is not ClientState.IDLE
        if self._return is not None and self._return.active():
            self._return.cancel()
        self._stop_resending()
        self._drop_acks()
        outgoing, self._outgoing = self._outgoing, {}
        self._become(ClientState.STOPPED)
        for each in outgoing.values():
            for done in each.end():
                done.errback(error)
        if was_started and not self._started.called:
            self._started.errback(error)

    def _become(self, state: ClientState) -> None:
        self.state = state
        self._call(self.on_state, state)

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception:  # noqa: BLE001 the program's fault is not the connection's
            self.log.failure("{peer}: a callback failed", peer=self.peer_id)

    # -- what goes out ---------------------------------------------------------------------

    def _say(self, message: dict[str, Any]) -> bool:
        """Send a message, if there is a connection for it."""
        if self.state is not ClientState.OPEN or self._connection is None:
            return False
        return self._connection.send(message)

    def _ask(self, what: str, peers: tuple[str, ...]) -> None:
        """Ask the server itself for something."""
        if self._is_acknowledged:
            for some in range(0, len(peers), _ASKED_TOGETHER):
                pieces = list(peers[some : some + _ASKED_TOGETHER])
                self._say({"id": "", "type": what, "peers": pieces})

    def _pump(self, outgoing: Outgoing) -> None:
        """Send what may be sent now, and look after it in time."""
        if self.state is not ClientState.OPEN:
            return
        now_s = self._reactor.seconds()
        if not self._is_acknowledged:
            self._write(outgoing, now_s)
            return
        for message in outgoing.messages(now_s):
            self._say(message)
        if outgoing.due_s is not None and outgoing.due_s < self._resends_s:
            self._resend_at(outgoing.due_s)

    def _write(self, outgoing: Outgoing, now_s: float) -> None:
        """Send all there is to who acknowledges nothing: to have written it is all there is."""
        written: list[Any] = []
        while messages := outgoing.messages(now_s):
            for message in messages:
                number = message.pop("rtcsig")["n"]
                if self._say(message):
                    written += outgoing.acknowledged(number, now_s)
        # Not before: the program may send more when it hears of one.
        _fire(written)

    def _resend_at(self, due_s: float) -> None:
        self._stop_resending()
        self._resends_s = due_s
        delay_s = max(0.0, due_s - self._reactor.seconds())
        self._resend_timer = self._reactor.callLater(delay_s, self._look_after)

    def _stop_resending(self) -> None:
        self._resends_s = math.inf
        if self._resend_timer is not None and self._resend_timer.active():
            self._resend_timer.cancel()

    def _look_after(self) -> None:
        """Send again what was not heard of for too long, and look again in time."""
        self._resends_s = math.inf
        for outgoing in tuple(self._outgoing.values()):
            outgoing.overdue(self._reactor.seconds())
            self._pump(outgoing)

    # -- what comes in -----------------------------------------------------------------------

    def _take(self, message: dict[str, Any]) -> None:
        sender = message.get("id")
        if not isinstance(sender, str) or self.state is ClientState.STOPPED:
            return
        match message:
            case {"id": "", "type": "presence", "peer": str(peer), "state": str(state)}:
                self._call(self.on_presence, peer, state)
            case {"id": ""}:
                self.log.warn("{peer}: the server says {said}", peer=self.peer_id, said=message)  # noqa: G010 Twisted's
            # First: what a program sends may well be of the type `error`.
            case {"rtcsig": {"stream": str(stream), "n": int(n), "base": int(base)}} if (
                len(stream) <= _MAX_STREAM_CHARACTERS
            ):
                self._take_numbered(sender, message, stream, n, base)
            case {"type": "ack", "rtcsig": {"stream": stream, "ack": int(up_to)}}:
                self._acknowledged(sender, stream, up_to)
            case {"type": "error", "rtcsig": {"stream": stream, "n": int(n)}, "code": str(code)}:
                self._given_up(sender, stream, n, code, str(message.get("message", "")))
            case _:
                self._hand_over(sender, message)

    def _take_numbered(
        self, sender: str, message: dict[str, Any], stream: str, n: int, base: int
    ) -> None:
        taken = self._incoming.take(sender, stream, n, base)
        self._acks[sender, stream] = taken.acknowledge
        self._ack_count += 1
        # Whoever sends what is not the next one shall not have an answer to each.
        is_quiet = self._reactor.seconds() - self._acks_sent_s >= _ACK_DELAY_S
        if (taken.at_once and is_quiet) or self._ack_count >= _MAX_ACK_DELAY_MESSAGES:
            self._send_acks()
        elif self._ack_timer is None:
            self._ack_timer = self._reactor.callLater(_ACK_DELAY_S, self._send_acks)
        if taken.is_new:
            self._hand_over(sender, message)

    def _hand_over(self, sender: str, message: dict[str, Any]) -> None:
        own = {name: value for name, value in message.items() if name not in _OURS}
        self._call(self.on_message, sender, own)

    def _send_acks(self) -> None:
        acks = self._acks
        self._drop_acks()
        self._acks_sent_s = self._reactor.seconds()
        for (sender, stream), up_to in acks.items():
            number = {"stream": stream, "ack": up_to}
            self._say({"id": sender, "type": "ack", "rtcsig": number})

    def _drop_acks(self) -> None:
        self._acks = {}
        self._ack_count = 0
        if self._ack_timer is not None and self._ack_timer.active():
            self._ack_timer.cancel()
        self._ack_timer = None

    def _outgoing_for(self, peer: str) -> Outgoing:
        """A new stream; those that are done are forgotten when there are many."""
        if len(self._outgoing) >= _MAX_IDLE_STREAMS:
            self._outgoing = {name: each for name, each in self._outgoing.items() if len(each)}
        outgoing = self._outgoing[peer] = Outgoing(peer, secrets.token_urlsafe(_STREAM_BYTES))
        return outgoing

    def _outgoing_of(self, peer: str, stream: object) -> Outgoing | None:
        outgoing = self._outgoing.get(peer)
        return outgoing if outgoing is not None and outgoing.stream == stream else None

    def _acknowledged(self, peer: str, stream: object, up_to: int) -> None:
        outgoing = self._outgoing_of(peer, stream)
        if outgoing is not None:
            _fire(outgoing.acknowledged(up_to, self._reactor.seconds()))
            self._pump(outgoing)

    def _given_up(self, peer: str, stream: object, n: int, code: str, reason: str) -> None:
        outgoing = self._outgoing_of(peer, stream)
        if outgoing is None:
            return
        if code == "stopping":
            # The next server may well reach the peer.
            outgoing.postpone()
        else:
            for done in outgoing.given_up(n):
                done.errback(PeerNotFound(peer, code, reason))
        self._pump(outgoing)


def _fire(tickets: list[Any]) -> None:
    for done in tickets:
        done.callback(None)


def _nothing(*arguments: Any) -> None:
    """The program has no interest in it."""
