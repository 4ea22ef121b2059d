"""What users of other signalling servers complain about when a peer comes back.

Each test has the thread's number, does what is complained about to a real server, and
would fail on a server that behaves as the thread says.
"""

from __future__ import annotations

import struct
import threading

import pytest

from tests.support.peer import CLOSE, PING, PONG, Peer, frame
from tests.support.server import ServerProcess

NATIVE = "?rtcsig=1"
# Signs of life are asked for often, so that a test needs few seconds.
OFTEN = ("--ping-interval-s=0.2", "--pong-timeout-s=2")


@pytest.fixture
def server():
    """A server with its defaults."""
    with ServerProcess(patient=True) as running:
        yield running


def welcomed(server, peer_id, token=""):
    """A peer that asked for more; its welcome is ``welcome``."""
    peer = Peer(server.port, f"/{peer_id}{NATIVE}" + (f"&token={token}" if token else ""))
    peer.welcome = peer.receive()
    return peer


def passes(sender, receiver, peer_id, n):
    """Whether a message goes from one to the other."""
    sender.send({"id": peer_id, "n": n})
    return receiver.receive()["n"] == n


@pytest.mark.parametrize("thread", ["peers/peerjs#224", "peers/peerjs#294"])
def test_a_lost_network_does_not_take_the_id(server, thread):
    """Though nobody noticed the loss, the peer has its id again within seconds."""
    with (
        # It is there no more: it does not answer, and TCP does not know.
        Peer(server.port, "/a"),
        Peer(server.port, "/b") as other,
        Peer(server.port, "/a") as back,
    ):
        assert passes(other, back, "a", 1), thread


@pytest.mark.parametrize("thread", ["peers/peerjs-server#4", "peers/peerjs-server#89"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_an_id_is_free_again_at_once(server, thread, how):
    """However often the page is reloaded, and whether it says good-bye or not."""
    for _ in range(30):
        with Peer(server.port, "/a") as peer:
            getattr(peer, how)()
    with Peer(server.port, "/a") as last, Peer(server.port, "/b") as other:
        assert passes(other, last, "a", 1), thread


@pytest.mark.parametrize("thread", ["peers/peerjs#1289", "peers/peerjs-server#462"])
def test_every_return_is_told(server, thread):
    """Its welcome comes also while the record of the former connection still exists."""
    with welcomed(server, "a") as first:
        token = first.welcome["token"]
        for _ in range(3):
            with welcomed(server, "a", token) as back:
                assert back.welcome["resumed"], thread


def test_peerjs_1362_two_who_register_at_once():
    """One of them has the id, the other one is told so; no id is nobody's."""
    with ServerProcess("--same-id=reject") as server:
        peers = [Peer(server.port) for _ in range(8)]
        answers = []
        threads = [
            threading.Thread(target=lambda peer=peer: answers.append(peer.upgrade("/a")[0]))
            for peer in peers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with Peer(server.port) as nobody:
            assert nobody.upgrade("/")[0] == 400
        for peer in peers:
            peer.socket.close()
    assert sorted(answers) == [101, *[409] * 7]


def test_peerjs_704_a_hidden_page_is_not_lost():
    """Its timers hardly run, but its browser answers pings: nothing else is asked of it."""
    with ServerProcess(*OFTEN) as server, Peer(server.port, "/a") as page:
        for _ in range(10):
            asked = page.receive_frame()
            assert asked.opcode == PING
            page.send_frame(PONG, asked.payload)
        with Peer(server.port, "/b") as other:
            assert passes(other, page, "a", 1)


def test_pixelstreaming_912_one_who_is_gone_is_noticed():
    """Nobody has to come for the id: those who watch hear of it, and the connection is cut."""
    with (
        ServerProcess(*OFTEN, patient=True) as server,
        Peer(server.port, "/player") as player,
        welcomed(server, "b") as watcher,
    ):
        watcher.send({"id": "", "type": "watch", "peers": ["player"]})
        assert watcher.receive()["state"] == "here"
        assert watcher.receive()["state"] == "away"
        player.wait_for_end()


def test_livekit_1755_who_comes_back_is_not_kicked(server):
    """Neither by its former connection's end nor by its return: that one was told not to."""
    with (
        welcomed(server, "a") as former,
        Peer(server.port, "/b") as other,
        welcomed(server, "a", former.welcome["token"]) as back,
    ):
        told = former.receive_frame()
        assert (told.opcode, told.close_code) == (CLOSE, 4500)
        former.send_frame(CLOSE, told.payload)
        former.wait_for_end()
        assert passes(other, back, "a", 1)


@pytest.mark.parametrize(
    "thread", ["livekit/client-sdk-flutter#1219", "livekit/client-sdk-swift#1052"]
)
def test_what_a_peer_says_does_not_stop_the_clock(thread):
    """One who talks and pings but never answers a ping is not there for what it is sent."""
    with ServerProcess(*OFTEN) as server, Peer(server.port, "/a") as peer:
        over = threading.Event()

        def talk():
            while not over.wait(0.05):
                try:
                    peer.socket.sendall(frame(PING, b"") + frame(1, b'{"id":"a"}'))
                except OSError:
                    return

        talking = threading.Thread(target=talk)
        talking.start()
        try:
            peer.wait_for_end()
        finally:
            over.set()
            talking.join()
    assert thread


def test_gstwebrtc_demos_156_a_reload_is_no_invalid_peer(server):
    """Who wrote to the page while it was reloaded is heard."""
    with Peer(server.port, "/a") as page, Peer(server.port, "/b") as other:
        page.reset()
        other.send({"id": "a", "n": 1})
        with Peer(server.port, "/a") as reloaded:
            assert reloaded.receive() == {"id": "b", "n": 1}
            assert passes(other, reloaded, "a", 2)


def test_webrtcsink_92_a_session_with_one_who_vanished_can_be_ended():
    """Its other side hears that the peer is away, and then that it does not come back."""
    with (
        ServerProcess("--resume-grace-s=0.3") as server,
        Peer(server.port, "/viewer") as viewer,
        welcomed(server, "camera") as camera,
    ):
        camera.send({"id": "", "type": "watch", "peers": ["viewer"]})
        assert camera.receive()["state"] == "here"
        viewer.reset()
        states = [camera.receive()["state"] for _ in range(2)]
    assert states == ["away", "absent"]


def test_matchbox_479_a_peer_that_leaves_is_told_of(server):
    """At once."""
    with Peer(server.port, "/a") as leaver, welcomed(server, "b") as watcher:
        watcher.send({"id": "", "type": "watch", "peers": ["a"]})
        leaver.send_frame(CLOSE, struct.pack("!H", 1000))
        assert [watcher.receive()["state"] for _ in range(2)] == ["here", "absent"]


def test_an_id_that_its_holder_defends(server):
    """The newcomer is refused, and the holder keeps on talking."""
    with Peer(server.port, "/a") as holder, Peer(server.port) as newcomer:
        answers = []
        asking = threading.Thread(target=lambda: answers.append(newcomer.upgrade("/a")))
        asking.start()
        asked = holder.receive_frame()
        assert asked.opcode == PING
        holder.send_frame(PONG, asked.payload)
        asking.join()
        (answer,) = answers
        assert (answer[0], answer[2]) == (409, "a peer with this id is connected\n")
        with Peer(server.port, "/b") as other:
            assert passes(other, holder, "a", 1)
