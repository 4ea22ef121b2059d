"""A few pages as a twisted.web site, on ports of their own or for one answer on another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from rtcsig.door.proxies import Networks

__all__ = ["PageSite", "Render", "begin", "text"]

# Nobody who reads these needs longer.
_IDLE_TIMEOUT_S = 10

Render = Callable[[Request], bytes]


def begin(request: Request, status: HTTPStatus, content_type: str) -> None:
    """Set the head of an answer that nobody keeps, and whose type nobody guesses."""
    request.setResponseCode(status.value)
    request.setHeader(b"Content-Type", content_type.encode())
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"X-Content-Type-Options", b"nosniff")


def text(request: Request, status: HTTPStatus, sentence: str) -> bytes:
    """Answer with a sentence."""
    begin(request, status, "text/plain; charset=utf-8")
    return f"{sentence}\n".encode()


class PageSite(Site):
    """A site of a few pages; ``connections`` are those of its own ports.

    ``pages`` has what renders each path. Who is ``allowed`` by his address is let ask
    also when nobody else is let in.
    """

    def __init__(
        self,
        pages: Mapping[str, Render],
        clock: IReactorTime,
        allowed: Callable[[], Networks] = lambda: Networks([]),
    ) -> None:
        super().__init__(
            Resource(), requestFactory=_Request, timeout=_IDLE_TIMEOUT_S, reactor=clock
        )
        self.connections = 0
        self.paths = frozenset(pages)
        self._allowed = allowed
        self._leaves = {path.encode(): _Leaf(render) for path, render in pages.items()}
        self._nothing_here = _Leaf(self._not_found)

    @property
    def allowed(self) -> Networks:
        """The networks whose clients may read in any case."""
        return self._allowed()

    def getResourceFor(self, request: Request) -> Resource:
        """The page of a path, and nothing below it."""
        request.site = self
        return self._leaves.get(request.path, self._nothing_here)

    def _not_found(self, request: Request) -> bytes:
        return text(request, HTTPStatus.NOT_FOUND, f"there are {', '.join(sorted(self.paths))}")

    def startFactory(self) -> None:
        """Nothing to do: there is no access log, and so no timer for its dates."""

    def stopFactory(self) -> None:
        """Nothing to do."""

    def for_a_port(self) -> ServerFactory:
        """A factory for a port of the site's own."""
        return _PortFactory(self)

    def buildProtocol(self, addr: IAddress | None) -> Any:  # noqa: ARG002 Twisted's
        """A channel for a connection to a port of the site's own."""
        return self._channel(_CountedChannel())

    def for_one_answer(self) -> Any:
        """A channel for a connection that somebody else accepted; it ends with its answer."""
        return self._channel(_OneAnswerChannel())

    def _channel(self, channel: Any) -> Any:
        channel.factory = channel.site = self
        channel.requestFactory = self.requestFactory
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.timeOut
        return channel


class _Request(Request):
    def handleContentChunk(self, data: bytes) -> None:
        """Keep nothing: no page reads a body, and Twisted's forms are parsed from what is kept."""


class _PortFactory(ServerFactory):
    """The site without its wish to negotiate a protocol over TLS.

    Old Twisted with new OpenSSL would fail at each connection for it, and HTTP/1.1,
    which is all that is spoken here, is what clients take without it.
    """

    noisy = False

    def __init__(self, site: PageSite) -> None:
        self._site = site

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._site.buildProtocol(addr)


class _CountedChannel(HTTPChannel):
    factory: PageSite

    def connectionMade(self) -> None:
        self.factory.connections += 1
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:  # type: ignore[override]  # Twisted's, without a default
        self.factory.connections -= 1
        super().connectionLost(reason)


class _OneAnswerChannel(HTTPChannel):
    """An upgrade never comes on a connection that was used for a page before."""

    def checkPersistence(self, request: Any, version: bytes) -> bool:  # noqa: ARG002 Twisted's
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False


class _Leaf(Resource):
    """A page made by a function; it can be read only."""

    isLeaf = True  # noqa: N815 Twisted's

    def __init__(self, render: Render) -> None:
        super().__init__()
        self._render = render

    def render(self, request: Request) -> bytes:
        if request.method == b"GET":
            return self._render(request)
        if request.method == b"HEAD":
            # Twisted would complain of a body.
            request.setHeader(b"Content-Length", str(len(self._render(request))).encode())
            return b""
        request.setHeader(b"Allow", b"GET, HEAD")
        return text(request, HTTPStatus.METHOD_NOT_ALLOWED, "this can be read only")
