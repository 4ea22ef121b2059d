"""What the server says about itself: health, readiness, metrics, and the page for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from rtcsig.web.access import Access
from rtcsig.web.page import CONTENT_SECURITY_POLICY, page
from rtcsig.web.site import PageSite, Render, begin, text

__all__ = ["AdminSite", "Views"]

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


class AdminSite(PageSite):
    """These pages, for those who may read them, and ``more`` that all may."""

    def __init__(
        self,
        views: Views,
        clock: IReactorTime,
        more: Mapping[str, Render] = MappingProxyType({}),
    ) -> None:
        self._views = views
        own = {
            "/": self._page,
            "/healthz": self._health,
            "/readyz": self._readiness,
            "/metrics": self._metrics,
        }
        pages = {path: self._guarded(render) for path, render in own.items()}
        super().__init__({**pages, **more}, clock, lambda: views.access().allowed)

    def _guarded(self, render: Render) -> Render:
        """Ask who it is first."""

        def guarded(request: Request) -> bytes:
            if not self._views.access().admits(_host_of(request), _values_of(request)):
                return text(request, HTTPStatus.FORBIDDEN, _FORBIDDEN)
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
        begin(request, HTTPStatus.OK, content_type)
        return body

    def _page(self, request: Request) -> bytes:
        begin(request, HTTPStatus.OK, "text/html; charset=utf-8")
        request.setHeader(b"Content-Security-Policy", CONTENT_SECURITY_POLICY)
        views = self._views
        return page(views.mounts(), views.machine, is_apart=views.is_apart)


def _host_of(request: Request) -> str | None:
    address = request.getClientAddress()
    return None if isinstance(address, UNIXAddress) else getattr(address, "host", "")


def _values_of(request: Request) -> Callable[[str], list[str]]:
    return lambda name: list(request.requestHeaders.getRawHeaders(name, []))


def _json(request: Request, status: HTTPStatus, answer: dict[str, Any]) -> bytes:
    begin(request, status, "application/json")
    return json.dumps(answer).encode() + b"\n"
