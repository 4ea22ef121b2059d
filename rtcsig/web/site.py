"""The pages, as a twisted.web site."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.web.http import HTTPChannel
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from rtcsig.door.proxies import Networks
from rtcsig.web.access import Access
from rtcsig.web.page import CONTENT_SECURITY_POLICY, page

__all__ = ["PATHS", "AdminSite", "Views"]

PATHS = frozenset({"/", "/healthz", "/readyz", "/metrics"})
# Nobody who reads these needs longer.
_IDLE_TIMEOUT_S = 10
_FORBIDDEN = (
    "this may be read from the networks of --admin-allow, or with the token of --admin-token-file"
)


@dataclass(frozen=True)
class Views:
    """What the pages show. Every callable is asked for each request.

    ``faults`` says what is broken, ``reasons`` why newcomers are not taken, both
    with nothing for a server that is well. ``metrics`` takes an Accept header and
    returns the metrics and their content type. ``facts`` are figures of the
    moment, ``mounts`` has path and dialect of each mount, ``machine`` is
    what this one is called, ``is_apart`` whether the pages have ports of their own.
    """

    faults: Callable[[], list[str]]
    reasons: Callable[[], list[str]]
    facts: Callable[[], dict[str, Any]]
    metrics: Callable[[str], tuple[bytes, str]]
    mounts: Callable[[], list[tuple[str, str]]]
    machine: str
    is_apart: bool
    access: Callable[[], Access]


class AdminSite(Site):
    """Health, readiness, metrics and the page; ``connections`` are those of its own ports."""

    def __init__(self, views: Views, clock: IReactorTime) -> None:
        super().__init__(
            _Root(views), requestFactory=_Request, timeout=_IDLE_TIMEOUT_S, reactor=clock
        )
        self.connections = 0
        self.paths = PATHS
        self._access = views.access

    @property
    def allowed(self) -> Networks:
        """The networks whose clients may read in any case."""
        return self._access().allowed

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

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._site.buildProtocol(addr)


class _CountedChannel(HTTPChannel):
    factory: AdminSite

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


class _Root(Resource):
    """Asks who it is, then finds the page."""

    def __init__(self, views: Views) -> None:
        super().__init__()
        self._views = views
        for path, render in (
            ("", self._page),
            ("healthz", self._health),
            ("readyz", self._readiness),
            ("metrics", self._metrics),
        ):
            self.putChild(path.encode(), _Leaf(self._guarded(render)))

    def getChild(self, path: bytes, request: Request) -> Resource:  # noqa: ARG002 Twisted's
        return _Leaf(_nothing_here)

    def _guarded(self, render: Callable[[Request], bytes]) -> Callable[[Request], bytes]:
        def guarded(request: Request) -> bytes:
            if not self._views.access().admits(_host_of(request), _values_of(request)):
                return _text(request, HTTPStatus.FORBIDDEN, _FORBIDDEN)
            return render(request)

        return guarded

    def _health(self, request: Request) -> bytes:
        faults = self._views.faults()
        status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
        return _json(request, status, {"healthy": not faults, "faults": faults})

    def _readiness(self, request: Request) -> bytes:
        reasons = self._views.reasons()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        answer = {"ready": not reasons, "reasons": reasons, **self._views.facts()}
        return _json(request, status, answer)

    def _metrics(self, request: Request) -> bytes:
        accept = ",".join(_values_of(request)("accept"))
        body, content_type = self._views.metrics(accept)
        _set(request, HTTPStatus.OK, content_type)
        return body

    def _page(self, request: Request) -> bytes:
        _set(request, HTTPStatus.OK, "text/html; charset=utf-8")
        request.setHeader(b"Content-Security-Policy", CONTENT_SECURITY_POLICY)
        views = self._views
        return page(views.mounts(), views.machine, is_apart=views.is_apart)


class _Leaf(Resource):
    """A page made by a function; it can be read only."""

    isLeaf = True  # noqa: N815 Twisted's

    def __init__(self, render: Callable[[Request], bytes]) -> None:
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
        return _text(request, HTTPStatus.METHOD_NOT_ALLOWED, "this can be read only")


def _nothing_here(request: Request) -> bytes:
    return _text(request, HTTPStatus.NOT_FOUND, f"there are {', '.join(sorted(PATHS))}")


def _host_of(request: Request) -> str | None:
    address = request.getClientAddress()
    return None if isinstance(address, UNIXAddress) else getattr(address, "host", "")


def _values_of(request: Request) -> Callable[[str], list[str]]:
    return lambda name: list(request.requestHeaders.getRawHeaders(name, []))


def _text(request: Request, status: HTTPStatus, sentence: str) -> bytes:
    _set(request, status, "text/plain; charset=utf-8")
    return f"{sentence}\n".encode()


def _json(request: Request, status: HTTPStatus, answer: dict[str, Any]) -> bytes:
    _set(request, status, "application/json")
    return json.dumps(answer).encode() + b"\n"


def _set(request: Request, status: HTTPStatus, content_type: str) -> None:
    request.setResponseCode(status.value)
    request.setHeader(b"Content-Type", content_type.encode())
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
