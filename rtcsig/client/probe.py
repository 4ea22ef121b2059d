"""Two peers that meet through a server: the shortest proof that it works."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from time import monotonic
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rtcsig.client.reach import ProbeFailed, endpoint, why

__all__ = ["ProbeFailed", "probe"]

_QUESTION = "rtcsig-check"
_ANSWER = "rtcsig-check-answer"


class _ProbePeer(WebSocketClientProtocol):
    """A peer that waits to be open, and then for one message."""

    factory: _ProbeFactory

    def onOpen(self) -> None:
        self.factory.opened.callback(None)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: ARG002 Autobahn's names
        self.factory.on_message(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: ARG002
        self.factory.on_failure(f"the server ended the connection: {reason or code}")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Autobahn would say that the server dropped the connection, where we did.
        if self.factory.isSecure and not reason.check(ConnectionClosed):
            server = f"{self.factory.host}:{self.factory.port}"
            self.factory.on_failure(f"no secure connection to {server}: {why(reason.value)}")
        super().connectionLost(reason)


class _ProbeFactory(WebSocketClientFactory):
    """Makes one peer, and tells what it hears."""

    protocol: Any = _ProbePeer
    noisy = False

    def __init__(
        self,
        url: str,
        reactor: Any,
        on_message: Callable[[bytes], None],
        on_failure: Callable[[str], None],
    ) -> None:
        super().__init__(url, reactor=reactor)
        # The probe has a time limit of its own.
        self.setProtocolOptions(openHandshakeTimeout=0)
        self.opened: Deferred[None] = Deferred()
        self.on_message = on_message
        self.on_failure = on_failure


class _Probe:
    """The two peers and what they are doing; ends by ``result``, once."""

    def __init__(self, reactor: Any, url: str, trust: Any) -> None:
        self._reactor = reactor
        self._trust = trust
        self._url = url.rstrip("/")
        self._doing = "connecting"
        self._peers: list[_ProbePeer] = []
        self._sent_s = 0.0
        self._mark = secrets.token_hex(8)
        self._ids = [f"rtcsig-check-{secrets.token_hex(8)}" for _ in range(2)]
        self.result: Deferred[float] = Deferred()

    async def start(self) -> None:
        """Connect both peers, then send."""
        if "?" in self._url:
            raise ProbeFailed(f"{self._url}: the URL of a mount has no query")
        for number in range(2):
            await self._connect(number)
        self._doing = "passing a message from one peer to the other"
        self._sent_s = monotonic()
        self._send(0, {"id": self._ids[1], "type": _QUESTION, "mark": self._mark})

    def stop(self) -> None:
        """Let go of both peers."""
        for peer in self._peers:
            peer.factory.on_failure = _ignored
            peer.dropConnection(abort=True)

    def failed(self, why: str) -> None:
        """End with a reason."""
        if not self.result.called:
            self.result.errback(ProbeFailed(why))

    def timed_out(self) -> None:
        """End because it took too long."""
        self.failed(f"no answer in time while {self._doing}")

    async def _connect(self, number: int) -> None:
        url = f"{self._url}/{self._ids[number]}"
        try:
            factory = _ProbeFactory(url, self._reactor, self._hearer(number), self.failed)
        except Exception as error:
            # Autobahn's URL parser raises plain exceptions that say what it dislikes.
            raise ProbeFailed(f"{self._url}: {error}") from error
        try:
            peer: Any = await self._endpoint(factory).connect(factory)
        except (ConnectError, DNSLookupError) as error:
            raise ProbeFailed(
                f"cannot connect to {factory.host}:{factory.port}: {error}"
            ) from error
        self._peers.append(cast(_ProbePeer, peer))
        await factory.opened

    def _endpoint(self, factory: _ProbeFactory) -> IStreamClientEndpoint:
        return endpoint(
            self._reactor,
            factory.host,
            factory.port,
            secure=factory.isSecure,
            trust=self._trust,
        )

    def _hearer(self, number: int) -> Callable[[bytes], None]:
        """The second peer sends back what it hears; the first one ends the probe."""

        def heard(payload: bytes) -> None:
            message = json.loads(payload)
            if message.get("type") == "error":
                self.failed(f"the server answered: {message.get('message')}")
            elif message.get("mark") != self._mark or message["id"] != self._ids[1 - number]:
                return
            elif number == 1 and message["type"] == _QUESTION:
                self._send(1, message | {"type": _ANSWER})
            elif number == 0 and message["type"] == _ANSWER and not self.result.called:
                self.result.callback(monotonic() - self._sent_s)

        def guarded(payload: bytes) -> None:
            try:
                heard(payload)
            except (ValueError, AttributeError, KeyError):
                self.failed("the server sent something that is no signalling message")

        return guarded

    def _send(self, number: int, message: dict[str, Any]) -> None:
        self._peers[number].sendMessage(json.dumps(message).encode())


def _ignored(why: str) -> None:
    """The probe is over; that its connections end is no news."""


async def probe(reactor: Any, url: str, timeout_s: float, *, trust: Any = None) -> float:
    """Connect two peers below ``url`` and pass a message there and back.

    Returns the time of that round trip in seconds. Raises ``ProbeFailed`` with
    the reason, at the latest after ``timeout_s``. ``trust`` is as in
    ``reach.endpoint``.
    """
    running = _Probe(reactor, url, trust)
    timer = reactor.callLater(timeout_s, running.timed_out)
    starting = Deferred.fromCoroutine(running.start())
    starting.addErrback(lambda failure: running.failed(failure.getErrorMessage()))
    try:
        return await running.result
    finally:
        if timer.active():
            timer.cancel()
        running.stop()
        starting.cancel()
