"""Real WebRTC clients find each other through a real server."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.interop.clients import Chromium, Client, DataChannelPeer, PageServer
from tests.support.peer import Peer
from tests.support.server import ServerProcess

pytestmark = [pytest.mark.needs("node", "npm"), pytest.mark.usefixtures("node_modules")]


def _assert_talked(caller: Client, callee: Client) -> None:
    assert caller.opened() == callee.opened() == ["test"]
    assert callee.heard() == [f"a call from {caller.id}"]
    assert caller.heard() == [f"an answer from {callee.id}"]


def _assert_trickled(caller: Client, callee: Client) -> None:
    """The messages are those of the example clients, in their order, and no others."""
    for client, other, first in ((callee, caller, "offer"), (caller, callee, "answer")):
        messages = client.received()
        assert messages[0].keys() == {"id", "type", "description"}
        assert {message["id"] for message in messages} == {other.id}
        assert [message["type"] for message in messages] == [
            first, *["candidate"] * (len(messages) - 1)
        ]  # fmt: skip


def test_two_peers_talk(server: ServerProcess, tmp_path: Path):
    """Two libdatachannel peers open a channel by offer, answer and candidates, and use it."""
    with DataChannelPeer(tmp_path, server.url, "answer", "n790") as callee:
        callee.wait_for("connected")
        with DataChannelPeer(tmp_path, server.url, "offer", "TvOA", "n790") as caller:
            caller.finish()
            callee.finish()
    _assert_talked(caller, callee)
    _assert_trickled(caller, callee)
    assert all(
        message.keys() == {"id", "type", "candidate", "mid"} for message in callee.received()[1:]
    )


@pytest.mark.needs("chromium")
def test_a_browser_calls(server: ServerProcess, pages: PageServer, tmp_path: Path):
    """A page in Chromium calls a libdatachannel peer, and they talk."""
    with DataChannelPeer(tmp_path, server.url, "answer", "n790") as callee:
        callee.wait_for("connected")
        with Chromium(
            tmp_path, pages, server=server.url, role="offer", id="ab12", remote="n790"
        ) as caller:
            caller.finish()
            callee.finish()
    _assert_talked(caller, callee)
    _assert_trickled(caller, callee)


@pytest.mark.needs("chromium")
def test_a_browser_is_called(server: ServerProcess, pages: PageServer, tmp_path: Path):
    """A libdatachannel peer calls a page in Chromium, and they talk."""
    with Chromium(tmp_path, pages, server=server.url, role="answer", id="ab12") as callee:
        callee.wait_for("connected")
        with DataChannelPeer(tmp_path, server.url, "offer", "n790", "ab12") as caller:
            caller.finish()
            callee.finish()
    _assert_talked(caller, callee)
    _assert_trickled(caller, callee)


def test_a_streamer_is_asked(server: ServerProcess, tmp_path: Path):
    """Request, offer and answer with the field ``sdp``: the streamer example's messages suffice."""
    with DataChannelPeer(tmp_path, server.url, "stream", "server") as streamer:
        streamer.wait_for("connected")
        with DataChannelPeer(tmp_path, server.url, "request", "aZ3xY7bK0q", "server") as page:
            streamer.finish()
            page.finish()
    _assert_talked(streamer, page)
    request, answer = streamer.received()
    (offer,) = page.received()
    assert request == {"id": page.id, "type": "request"}
    for message, sender, kind in ((offer, streamer, "offer"), (answer, page, "answer")):
        assert message.keys() == {"id", "type", "sdp"}
        assert (message["id"], message["type"]) == (sender.id, kind)
        assert "a=candidate:" in message["sdp"]


def _send_garbage(port: int, enough: threading.Event) -> list[list[str]]:
    """Send what cannot be delivered until it is enough; returns the rounds of answers."""
    rounds = []
    with Peer(port, "/third") as third:
        while not enough.is_set():
            for garbage in (b"{not JSON", b"null", {"id": "", "type": "offer"}):
                third.send(garbage)
            rounds.append([third.receive()["code"] for _ in range(3)])
    return rounds


def test_garbage_disturbs_nobody(server: ServerProcess, tmp_path: Path):
    """A third peer's garbage all through a negotiation is answered to it alone."""
    enough = threading.Event()
    with (
        DataChannelPeer(tmp_path, server.url, "answer", "n790") as callee,
        ThreadPoolExecutor() as pool,
    ):
        callee.wait_for("connected")
        third = pool.submit(_send_garbage, server.port, enough)
        try:
            with DataChannelPeer(tmp_path, server.url, "offer", "TvOA", "n790") as caller:
                caller.finish()
                callee.finish()
        finally:
            enough.set()
        rounds = third.result()
    _assert_talked(caller, callee)
    _assert_trickled(caller, callee)
    assert len(rounds) > 1
    assert all(
        answers == ["malformed-json", "not-an-object", "peer-not-found"] for answers in rounds
    )
