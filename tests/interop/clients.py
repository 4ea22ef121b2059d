"""WebRTC clients that run by themselves and tell what happens to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.support.server import wait_until

__all__ = ["CHROMIUM", "Chromium", "Client", "DataChannelPeer", "PageServer"]

FOLDER = Path(__file__).parent
_TIMEOUT_S = 40.0
_STOP_TIMEOUT_S = 10.0
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-breakpad",
    # A container's /dev/shm may be too small for it.
    "--disable-dev-shm-usage",
    # The peers are on the loopback, which Chromium leaves out, and their
    # addresses are no secret that it would have to hide behind mDNS names.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)


class Client:
    """A program that speaks WebRTC, and the events that it tells.

    Used as a context manager; leaving it ends the program with all that it
    has started.
    """

    def __init__(self, command: Iterable[str], environment: dict[str, str], log: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self._coming: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._command = list(command)
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Client:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=FOLDER,
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self.process
        # Until `wait` the process id, which is the session's, is not given to others.
        for pid in self._session():
            os.kill(pid, signal.SIGKILL)
        process.wait(_STOP_TIMEOUT_S)
        wait_until(lambda: not self._session(), _STOP_TIMEOUT_S, "the client's processes are gone")
        self._reader.join(_STOP_TIMEOUT_S)
        assert not self._reader.is_alive()
        process.stdout.close()

    @property
    def process(self) -> subprocess.Popen[str]:
        """The process that was started; it may have children."""
        assert self._process is not None
        return self._process

    def _session(self) -> list[int]:
        """The processes of the client's session that still run."""
        return [pid for pid, session in _running() if session == self.process.pid]

    def _read(self, lines: Iterable[str]) -> None:
        """Take the events from stdout. Runs in a thread, until the end of the stream."""
        for line in lines:
            self.tell(json.loads(line))
        self.tell({"event": "ended"})

    def tell(self, event: dict[str, Any]) -> None:
        """Note that something happened. May be called by any thread."""
        self._coming.put(event)

    def wait_for(self, name: str) -> None:
        """Wait for an event; that the client fails or ends before is a failure."""
        while True:
            try:
                event = self._coming.get(timeout=_TIMEOUT_S)
            except Empty:
                event = {"event": "nothing"}
            self.events.append(event)
            if event["event"] == name:
                return
            if event["event"] in ("failed", "ended", "nothing"):
                raise AssertionError(f"waited for {name!r} in vain: {self}")

    def received(self) -> list[dict[str, Any]]:
        """The signalling messages that the client received."""
        return [event["message"] for event in self.events if event["event"] == "received"]

    def opened(self) -> list[str]:
        """The names of the data channels that were opened."""
        return [event["label"] for event in self.events if event["event"] == "open"]

    def heard(self) -> list[str]:
        """The texts that came over the data channels."""
        return [event["text"] for event in self.events if event["event"] == "message"]

    def __str__(self) -> str:
        events = "\n".join(json.dumps(event) for event in self.events)
        return f"{self._command}\n{events}\n{self._log.read_text(encoding='utf-8')}"


class DataChannelPeer(Client):
    """libdatachannel in a Node process; see ``datachannel_peer.mjs`` for the roles."""

    def __init__(self, folder: Path, server: str, role: str, peer: str, *remote: str) -> None:
        self.id = peer
        command = ("node", "datachannel_peer.mjs", server, role, peer, *remote)
        super().__init__(command, {}, folder / f"{peer}.log")

    def finish(self) -> None:
        """Wait until the process has done its part and ended by itself."""
        self.wait_for("finished")
        # It is not reaped here: see `__exit__`.
        ended = wait_until(
            lambda: os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT),
            what="the process ends",
        )
        assert ended.si_status == 0, str(self)


class Chromium(Client):
    """``page.html`` in a browser of its own."""

    def __init__(self, folder: Path, pages: PageServer, **query: str) -> None:
        self.id = query["id"]
        profile = folder / self.id
        profile.mkdir()
        pages.clients[self.id] = self
        command = (*CHROMIUM, f"--user-data-dir={profile}", pages.url(query))
        # It writes to its home, too.
        super().__init__(command, {"HOME": str(profile)}, folder / f"{self.id}.log")

    def _read(self, lines: Iterable[str]) -> None:
        for _ in lines:  # the events come from the page
            pass
        self.tell({"event": "ended"})

    def finish(self) -> None:
        """Wait until the page has done its part; the browser stays."""
        self.wait_for("finished")


class PageServer:
    """Serves the page on the loopback, and passes what it posts to its client."""

    def __init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _PageHandler)
        self._server.clients = self.clients
        self._thread = threading.Thread(target=self._server.serve_forever)

    def url(self, query: dict[str, str]) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self._server.server_port}/page.html?{urlencode(query)}"

    def __enter__(self) -> PageServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_STOP_TIMEOUT_S)


class _PageHandler(BaseHTTPRequestHandler):
    timeout = _TIMEOUT_S
    _TYPES = {"/page.html": "text/html", "/page.mjs": "text/javascript"}  # noqa: RUF012 constant

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path in self._TYPES:
            self._answer(200, (FOLDER / path[1:]).read_bytes(), self._TYPES[path])
        else:
            self._answer(404)

    def do_POST(self) -> None:
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.clients[urlsplit(self.path).path[1:]].tell(event)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing on stderr."""


def _running() -> Iterable[tuple[int, int]]:
    """Process and session ids of all processes that run; the dead and unburied do not."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended since
        state, _, _, session = stat.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            yield int(folder.name), int(session)
