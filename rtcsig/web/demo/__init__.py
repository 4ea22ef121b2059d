"""The demo: a page on which two browsers find each other, and the browser client that it uses.

It says nothing about the server, so all may read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files

from twisted.web.server import Request

from rtcsig.web.site import Render, begin, text

__all__ = ["DEMO_POLICY", "demo_pages"]

# Its own code and style, and signalling to wherever its address says.
DEMO_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HOME = "/demo/"
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "demo.css": ("demo.css", "text/css; charset=utf-8"),
    "demo.js": ("demo.js", "text/javascript; charset=utf-8"),
    "rtcsig.js": ("rtcsig.js", "text/javascript; charset=utf-8"),
}


def demo_pages() -> Mapping[str, Render]:
    """What renders each file of the demo, by path; they are read now."""
    folder = files("rtcsig.web.demo")
    pages = {
        _HOME + path: _file(folder.joinpath(name).read_bytes(), content_type)
        for path, (name, content_type) in _FILES.items()
    }
    return {**pages, _HOME.rstrip("/"): _go_home}


def _file(content: bytes, content_type: str) -> Render:
    def render(request: Request) -> bytes:
        begin(request, HTTPStatus.OK, content_type)
        request.setHeader(b"Content-Security-Policy", DEMO_POLICY)
        return content

    return render


def _go_home(request: Request) -> bytes:
    """Where the names of its files are right."""
    query = request.uri.partition(b"?")[1:]
    request.setHeader(b"Location", _HOME.encode() + b"".join(query))
    return text(request, HTTPStatus.MOVED_PERMANENTLY, f"the demo is at {_HOME}")
