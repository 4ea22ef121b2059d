"""The question whether a server is ready for more: ``GET /readyz``."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rtcsig.client.reach import ProbeFailed, endpoint, why

__all__ = ["Answer", "ask_readiness", "readyz_url"]

_MAX_BODY_BYTES = 65_536
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True)
class Answer:
    """What the server answered, and the time from connecting to the last byte of it."""

    http_status: int
    body: bytes
    round_trip_s: float


async def ask_readiness(
    reactor: Any, url: str, timeout_s: float, *, token: str | None = None, trust: Any = None
) -> Answer:
    """Ask the server at ``url`` whether it is ready, as who has this token.

    Raises ``ProbeFailed`` with the reason why there is no answer, at the latest
    after ``timeout_s``. ``trust`` is as in ``reach.endpoint``.
    """
    target = readyz_url(url)
    agent = Agent.usingEndpointFactory(reactor, _Endpoints(reactor, trust))
    asking = Deferred.fromCoroutine(_ask(agent, target, token))

    def too_late(_result: object, _timeout_s: float) -> None:
        raise ProbeFailed(f"no answer in time from {target}")

    asking.addTimeout(timeout_s, reactor, onTimeoutCancel=too_late)
    return await asking


def readyz_url(url: str) -> str:
    """Where to ask about the server at ``url``; raises ``ProbeFailed`` if that is none."""
    try:
        parts = urlsplit(url)
        scheme = _SCHEMES[parts.scheme]
        is_address = bool(parts.hostname) and parts.port != 0 and url.isascii()
    except (ValueError, KeyError):
        is_address = False
    if not is_address or not url.isprintable() or " " in url:
        raise ProbeFailed(f"{url}: must be like http://HOST:PORT/, https://, ws:// or wss://")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ProbeFailed(f"{url}: the URL of a server has no user, no query and no fragment")
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/readyz", "", ""))


async def _ask(agent: Agent, target: str, token: str | None) -> Answer:
    fields = Headers({"Accept": ["application/json"]})
    if token is not None:
        fields.addRawHeader("Authorization", f"Bearer {token}")
    begun_s = monotonic()
    try:
        response = await agent.request(b"GET", target.encode(), fields)
        body = _Body()
        response.deliverBody(body)
        return Answer(response.code, await body.whole, monotonic() - begun_s)
    except ProbeFailed:
        raise
    except (ConnectError, DNSLookupError) as error:
        raise ProbeFailed(f"cannot connect to {urlsplit(target).netloc}: {error}") from error
    except Exception as error:
        # Twisted has many, some of them private, for what a server can do wrong.
        raise ProbeFailed(f"no whole HTTP answer from {target}: {why(error)}") from error


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Connects where an URL says, with trust in whom it is told."""

    def __init__(self, reactor: Any, trust: Any) -> None:
        self._reactor = reactor
        self._trust = trust

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        secure = uri.scheme == b"https"
        return endpoint(
            self._reactor, uri.host.decode(), uri.port, secure=secure, trust=self._trust
        )


class _Body(Protocol):
    """Takes the body of a response, up to a bound.

    Twisted's ``readBody`` has none, and warns of a transport that it is given by
    Twisted itself.
    """

    def __init__(self) -> None:
        self._data = b""
        self.whole: Deferred[bytes] = Deferred(self._let_go)

    def dataReceived(self, data: bytes) -> None:
        if self.whole.called:
            return
        self._data += data
        if len(self._data) > _MAX_BODY_BYTES:
            self.whole.errback(ProbeFailed(f"an answer of more than {_MAX_BODY_BYTES} bytes"))
            self._let_go()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        # The second is the end of the connection where that is the end of the body.
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(self._data)
        else:
            self.whole.errback(reason)

    def _let_go(self, _: object = None) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
