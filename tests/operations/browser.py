"""A headless Chromium that is driven by the DevTools protocol."""

from __future__ import annotations

import http.client
import itertools
import json
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.interop.clients import CHROMIUM, Client
from tests.support.peer import Peer
from tests.support.server import wait_until

__all__ = ["Browser", "Page"]

_TIMEOUT_S = 30.0


class Browser(Client):
    """Chromium with one empty page, and a port for who drives it."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "profile"
        self._profile.mkdir()
        command = (
            *CHROMIUM,
            f"--user-data-dir={self._profile}",
            "--remote-debugging-port=0",
            "about:blank",
        )
        # It writes to its home, too.
        super().__init__(command, {"HOME": str(self._profile)}, folder / "chromium.log")

    def _read(self, lines: Iterable[str]) -> None:
        for _ in lines:  # what happens is asked for
            pass
        self.tell({"event": "ended"})

    def page(self) -> Page:
        """Take hold of the page."""
        port = wait_until(self._port, what="the browser says where it listens")
        path = wait_until(lambda: _path_of_page(port), what="the browser has a page")
        return Page(Peer(port, path))

    def _port(self) -> int | None:
        """The port, when the file with it is complete: a line with the port, one with a path."""
        path = self._profile / "DevToolsActivePort"
        port, end, rest = (path.read_text() if path.exists() else "").partition("\n")
        return int(port) if end and rest else None


class Page:
    """One page. Used as a context manager; leaving it lets go of the page."""

    def __init__(self, peer: Peer) -> None:
        self.events: list[dict[str, Any]] = []
        self._peer = peer
        self._numbers = itertools.count(1)
        for domain in ("Log", "Page", "Runtime"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Page:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._peer.socket.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do what the protocol calls ``method``; events that come before its result are kept."""
        number = next(self._numbers)
        self._peer.send({"id": number, "method": method, "params": parameters})
        while (received := self._peer.receive()).get("id") != number:
            self.events.append(received)
        assert "error" not in received, f"{method}: {received['error']}"
        return received["result"]

    def open(self, url: str) -> None:
        """Go there, and wait until all of it is loaded."""
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        while not self._has_seen("Page.loadEventFired"):
            self.events.append(self._peer.receive())

    def _has_seen(self, method: str) -> bool:
        return any(event["method"] == method for event in self.events)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, from JSON."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """Wait until the expression is true; returns its value."""
        try:
            return wait_until(lambda: self.evaluate(expression), _TIMEOUT_S, expression)
        except AssertionError as error:
            shown = self.evaluate("document.body.innerText")
            raise AssertionError(f"{error}\n{shown}\n{self.complaints()}") from None

    def complaints(self) -> list[str]:
        """What the browser had to say so far: violated policies, exceptions, errors."""
        return [text for event in self.events if (text := _complaint(event))]

    def resize(self, width: int, height: int, *, scale: int = 1) -> None:
        """Be a window of this size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=scale > 1,
        )

    def prefer(self, scheme: str) -> None:
        """Be used by somebody who wants it ``light`` or ``dark``."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def capture(self, path: Path) -> None:
        """Write a picture of the whole page, also of what does not fit into the window."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(b64decode(shot["data"]))


def _complaint(event: dict[str, Any]) -> str | None:
    parameters = event["params"]
    match event["method"]:
        case "Log.entryAdded":
            entry = parameters["entry"]
            return f"{entry['source']}: {entry['text']}"
        case "Runtime.exceptionThrown":
            return f"exception: {json.dumps(parameters['exceptionDetails'])}"
        case "Runtime.consoleAPICalled":
            return f"console: {json.dumps(parameters['args'])}"
    return None


def _path_of_page(port: int) -> str | None:
    """Where the one page is driven, when there is one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/json/list")
        targets = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return next(
        (f"/devtools/page/{each['id']}" for each in targets if each["type"] == "page"), None
    )
