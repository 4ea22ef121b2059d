"""The page for people, in a real browser, while the server works."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.operations.load import Load
from tests.support.peer import CLOSE, Peer
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.needs("chromium")

PAIRS = 25
LOOKS = 5
PNG = b"\x89PNG"
# What is written beside a plot that has no figure now.
NOTHING = "\N{EN DASH}"
STATE = "document.getElementById('state').textContent"
# Of each plot what is written beside it, and what is drawn.
PLOTS = """Object.fromEntries([...document.querySelectorAll("figure")].map(figure => [
    figure.querySelector("span").textContent,
    { value: figure.querySelector("output").textContent,
      line: figure.querySelector(".line").getAttribute("d") },
]))"""


def looked(count):
    """The expression for that the page has asked the server so often."""
    return f"document.documentElement.dataset.looks >= {count}"


def shows(state):
    """The expression for what the page says of the server."""
    return f"{STATE} === {json.dumps(state)}"


def plot(name):
    """The expression for one plot."""
    return f"({PLOTS})[{json.dumps(name)}]"


def plot_shows(name, text):
    """The expression for that this is written beside a plot."""
    return f"{plot(name)}.value === {json.dumps(text)}"


def test_shows_the_load(page, artefacts):
    """What the load makes true is written and drawn; the browser has nothing to complain of."""
    with ServerProcess("--ping-interval-s=1") as server, Load(server.port, PAIRS) as load:
        page.resize(1280, 900)
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait_for(looked(LOOKS))
        page.wait_for(shows("ready"))
        page.wait_for(plot_shows("Open WebSockets", str(load.peers)))
        page.wait_for(f"parseFloat({plot('Messages in')}.value) > 0")
        page.wait_for(f"Object.values({PLOTS}).every(plot => plot.line)")
        page.capture(artefacts / "page.png")
        page.prefer("dark")
        page.capture(artefacts / "page-dark.png")
        page.prefer("light")
        page.resize(390, 844, scale=2)
        page.capture(artefacts / "page-narrow.png")
        # Nothing is wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.complaints() == []
    for name in ("page", "page-dark", "page-narrow"):
        assert (artefacts / f"{name}.png").read_bytes().startswith(PNG)


def test_nothing_but_its_own_runs(page):
    """The policy keeps out what somebody would put into the page, and the browser says so."""
    with ServerProcess() as server:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait_for(shows("ready"))
        page.evaluate(
            "document.body.append("
            "Object.assign(document.createElement('script'), { textContent: 'stranger = 1' }))"
        )
        # Events come between the answers.
        wait_until(lambda: page.evaluate("true") and page.complaints(), what="it complains")
        assert "Content Security Policy" in page.complaints()[0]
        assert page.evaluate("typeof stranger") == "undefined"


def test_sees_the_server_drain_and_end(page):
    """It says that no newcomers are taken, and in the end that nobody answers."""
    with ServerProcess("--drain-s=3600") as server, Peer(server.port, "/ann") as ann:
        page.open(f"http://127.0.0.1:{server.port}/")
        page.wait_for(shows("ready"))
        os.kill(server.pid, signal.SIGTERM)
        page.wait_for(shows("takes no newcomers: draining"))
        page.wait_for(plot_shows("Open WebSockets", "1"))
        os.kill(server.pid, signal.SIGTERM)
        received = ann.receive_frame()
        assert received.close_code == 1012
        ann.send_frame(CLOSE, received.payload)
        assert server.stop() == 0
        page.wait_for(shows("does not answer"))
        page.wait_for(plot_shows("Open WebSockets", NOTHING))


def test_outlives_the_server(page):
    """One that stands still does not answer; one that comes after it is watched from its start."""
    with ServerProcess() as server:
        listen = f"tcp:{server.port}:interface=127.0.0.1"
        with Load(server.port, 1):
            page.open(f"http://127.0.0.1:{server.port}/")
            page.wait_for(f"!({plot_shows('Messages in', NOTHING)})")
        page.wait_for(plot_shows("Messages in", "0/s"))
        with server.frozen():
            page.wait_for(shows("does not answer"))
        page.wait_for(shows("ready"))
    page.wait_for(shows("does not answer"))
    with ServerProcess(listen=[listen]):
        page.wait_for(shows("ready"))
        page.wait_for(plot_shows("Messages in", "0/s"))
        # The smaller counts of the new process are no negative rates, below the base line.
        lines = [each["line"] for each in page.evaluate(PLOTS).values()]
        heights = [float(height) for line in lines for height in re.findall(r",([\d.-]+)", line)]
        assert heights
        assert 0 <= min(heights) <= max(heights) <= 100
