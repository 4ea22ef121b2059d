"""The demo's page and the browser client, in real browsers, while the server is restarted."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.clients import FOLDER, Client
from tests.operations.browser import Browser, Page
from tests.support.npm import install
from tests.support.supervised import SupervisedServer

pytestmark = pytest.mark.needs("chromium")

PNG = b"\x89PNG"
CALLS = Path(__file__).with_name("calls.js").read_text(encoding="utf-8")
CHANNEL_IS_OPEN = 'document.body.dataset.channel === "open"'
# Every state that each of them has come to since; the page may write the same once more.
WATCH = """globalThis.states = { channel: [], signalling: [] };
for (const name of ["channel", "signalling"]) {
    new MutationObserver((writes) => {
        const state = document.body.dataset[name];
        if (writes.some(({ oldValue }) => oldValue !== state)) states[name].push(state);
    }).observe(document.body, { attributeFilter: [`data-${name}`], attributeOldValue: true });
}"""
IS_POINTED = "!document.getElementById('their-cursor').hidden"


@pytest.fixture
def browse(tmp_path):
    """Open a page in a browser of its own, as often as it is called."""
    with ExitStack() as stack:

        def opened(url: str) -> Page:
            folder = tmp_path / f"browser-{len(pages)}"
            folder.mkdir()
            browser = stack.enter_context(Browser(folder))
            pages.append(stack.enter_context(browser.page()))
            pages[-1].open(url)
            return pages[-1]

        pages: list[Page] = []
        yield opened


def say(page, text):
    """Write a line into the chat."""
    page.evaluate(
        f"document.getElementById('text').value = {json.dumps(text)};"
        "document.getElementById('say').requestSubmit()"
    )


def reads(text):
    """The expression for that this stands in the chat."""
    return f"document.getElementById('log').innerText.includes({json.dumps(text)})"


def test_two_browsers_meet(browse, artefacts):
    """They chat and see each other point; a restart of the server does not touch that.

    Afterwards they meet again, over a second channel.
    """
    with SupervisedServer("--demo", patient=True) as server:
        demo = f"http://127.0.0.1:{server.port}/demo"
        ann = browse(f"{demo}?me=alice&meet=bob")
        ann.resize(1280, 800)
        bob = browse(f"{demo}/?me=bob&meet=alice")
        bob.resize(360, 740, scale=2)
        for page in (ann, bob):
            page.wait_for(CHANNEL_IS_OPEN)
        say(ann, "Do you see me?")
        bob.wait_for(reads("Do you see me?"))
        say(bob, "As if you were here.")
        ann.wait_for(reads("As if you were here."))
        ann.call("Input.dispatchMouseEvent", type="mouseMoved", x=800, y=400)
        bob.wait_for(IS_POINTED)
        for page in (ann, bob):
            page.evaluate(WATCH)
        server.hurt(signal.SIGKILL)
        server.child(restarts=1)
        for page in (ann, bob):
            page.wait_for('states.signalling.at(-1) === "open"')
        say(ann, "The server was restarted.")
        bob.wait_for(reads("The server was restarted."))
        assert ann.evaluate("states.channel") == bob.evaluate("states.channel") == []
        for name, page in (("wide", ann), ("narrow", bob)):
            page.capture(artefacts / f"demo-{name}.png")
        ann.evaluate("document.getElementById('again').click()")
        for page in (ann, bob):
            page.wait_for("states.channel.length > 0")
            page.wait_for(CHANNEL_IS_OPEN)
        say(bob, "A second channel.")
        ann.wait_for(reads("A second channel."))
        assert not [each for page in (ann, bob) for each in page.complaints() if is_ours(each)]
    for name in ("wide", "narrow"):
        assert (artefacts / f"demo-{name}.png").read_bytes().startswith(PNG)


def is_ours(complaint):
    """Whether the page could have spared the browser this; not the connections that were cut."""
    return "WebSocket connection to" not in complaint


@pytest.mark.needs("node", "npm")
def test_a_browser_calls_an_old_client(browse, tmp_path):
    """Of libdatachannel's examples; the server is restarted, and a second channel opens."""
    if trouble := install(FOLDER):
        pytest.fail(trouble, pytrace=False)
    with SupervisedServer("--demo", patient=True) as server:
        command = ("node", "staying_peer.mjs", server.url, "old")
        with Client(command, {}, tmp_path / "old.log") as old:
            old.wait_for("connected")
            page = browse(f"http://127.0.0.1:{server.port}/demo/")
            page.evaluate(f"void {CALLS}")
            page.wait_for('globalThis.signalling?.state === "open"')
            _call(page, "first")
            _talk(page, "first", "before")
            server.hurt(signal.SIGKILL)
            server.child(restarts=1)
            old.wait_for("open")
            old.wait_for("connected")
            page.wait_for('signalling.state === "open"')
            _call(page, "second")
            _talk(page, "first", "after")
            _talk(page, "second", "after")
            assert page.evaluate("calls.first.heard") == ["old heard: before", "old heard: after"]


def _call(page, label):
    page.evaluate(f"void call('old', {json.dumps(label)})")
    page.wait_for(f"calls[{json.dumps(label)}]?.channel.readyState === 'open'")


def _talk(page, label, text):
    page.evaluate(f"calls[{json.dumps(label)}].channel.send({json.dumps(text)})")
    page.wait_for(f"calls[{json.dumps(label)}].heard.includes({json.dumps(f'old heard: {text}')})")
