"""Two peers of libdatachannel that find each other through rtcsig, and talk on without it.

    pip install rtcsig pylibdatachannel
    python two_peers.py ws://127.0.0.1:8000/ --messages 20

Restart the server meanwhile: the data channel does not notice, and both peers are
back with their ids afterwards.
"""

from __future__ import annotations

import argparse
from typing import Any

import pylibdatachannel as rtc
from twisted.internet import task
from twisted.internet.defer import Deferred

from rtcsig.client import SignallingClient


class WebRtcPeer:
    """A peer connection whose descriptions and candidates travel through a signalling client."""

    def __init__(self, reactor: Any, signalling: SignallingClient, other: str) -> None:
        self.opened: Deferred[Any] = Deferred()
        self.heard: Deferred[str] = Deferred()
        self._reactor = reactor
        self._signalling = signalling
        self._other = other
        self._channel: Any = None
        self._connection = rtc.PeerConnection()
        # libdatachannel calls from threads of its own. Only what has not begun to call yet
        # may be told whom to call: it waits for a call that is under way, and that for Python.
        self._connection.on_local_description(self._in_reactor(self._describe))
        self._connection.on_local_candidate(self._in_reactor(self._propose))
        self._connection.on_data_channel(self._use)
        signalling.on_message = self._take

    def call(self) -> None:
        """Open a channel to the other one."""
        self._use(self._connection.create_data_channel("talk"))

    def say(self, text: str) -> None:
        """Send a text over the channel."""
        self._channel.send(text)

    def hush(self) -> None:
        """Be called no more."""
        self._channel.reset_callbacks()
        self._connection.reset_callbacks()

    def close(self) -> None:
        """Let go of all that has threads of its own; it must call nobody any more."""
        self._channel.close()
        self._connection.close()
        self._channel = self._connection = None

    def _in_reactor(self, call: Any) -> Any:
        return lambda *arguments: self._reactor.callFromThread(call, *arguments)

    def _describe(self, description: Any) -> None:
        kind = description.type.name.lower()
        self._tell({"type": kind, "description": str(description)})

    def _propose(self, candidate: Any) -> None:
        self._tell({"type": "candidate", "candidate": candidate.candidate, "mid": candidate.mid})

    def _tell(self, message: dict[str, Any]) -> None:
        sent = self._signalling.send(self._other, message)
        sent.addErrback(lambda failure: print(f"not delivered: {failure.getErrorMessage()}"))

    def _take(self, sender: str, message: dict[str, Any]) -> None:
        if sender != self._other:
            return
        if message["type"] == "candidate":
            self._connection.add_remote_candidate(
                rtc.Candidate(message["candidate"], message["mid"])
            )
        else:
            kind = rtc.DescriptionType.from_string(message["type"])
            self._connection.set_remote_description(rtc.Description(message["description"], kind))

    def _use(self, channel: Any) -> None:
        self._channel = channel
        channel.on_message(self._in_reactor(self._hear))
        channel.on_open(self._in_reactor(self._is_open))
        if channel.is_open:
            self._in_reactor(self._is_open)()

    def _is_open(self) -> None:
        if not self.opened.called:
            self.opened.callback(None)

    def _hear(self, text: str) -> None:
        heard, self.heard = self.heard, Deferred()
        heard.callback(text)


def told(peer_id: str) -> Any:
    """Print each state of a signalling connection."""
    return lambda state: print(f"{peer_id} signalling: {state}", flush=True)


async def talk(reactor: Any, url: str, messages: int, pause_s: float) -> None:
    """Let two peers meet, and pass messages from one to the other and back."""
    ids = ("ann", "bob")
    clients = [SignallingClient(reactor, url, peer_id) for peer_id in ids]
    for client in clients:
        client.on_state = told(client.peer_id)
        await client.start()
    ann, bob = (
        WebRtcPeer(reactor, client, other)
        for client, other in zip(clients, reversed(ids), strict=True)
    )
    ann.call()
    await ann.opened
    await bob.opened
    print("the data channel is open", flush=True)
    for number in range(messages):
        heard_by_bob, heard_by_ann = bob.heard, ann.heard
        ann.say(f"message {number}")
        bob.say(f"answer to {await heard_by_bob}")
        print(await heard_by_ann, flush=True)
        await task.deferLater(reactor, pause_s)
    for peer in (ann, bob):
        peer.hush()
    for client in clients:
        await client.stop()
    for peer in (ann, bob):
        peer.close()


def main() -> None:
    """Read the command line, and run until all is said."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="where the server is, e.g. ws://127.0.0.1:8000/")
    parser.add_argument("--messages", type=int, default=20, help="how many; default: %(default)s")
    parser.add_argument("--pause-s", type=float, default=1.0, help="between them")
    asked = parser.parse_args()
    task.react(
        lambda reactor: Deferred.fromCoroutine(
            talk(reactor, asked.url, asked.messages, asked.pause_s)
        )
    )


if __name__ == "__main__":
    main()
