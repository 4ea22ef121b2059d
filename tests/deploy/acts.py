"""What is done through every proxy, and must come out the same."""

from __future__ import annotations

from pathlib import Path

from tests.interop.clients import DataChannelPeer
from tests.support.log import context
from tests.support.peer import CLOSE, TEXT, Peer
from tests.support.server import ServerProcess

__all__ = ["CLIENT", "assert_known_by", "assert_two_talk"]

# A client on the loopback whose address is not the proxy's.
CLIENT = "127.0.0.2"
_OFFENCE = "peer broke the protocol"


def assert_two_talk(port: int, folder: Path) -> None:
    """Two libdatachannel peers open a channel, and text goes both ways over it."""
    url = f"ws://127.0.0.1:{port}"
    with DataChannelPeer(folder, url, "answer", "n790") as callee:
        callee.wait_for("connected")
        with DataChannelPeer(folder, url, "offer", "TvOA", "n790") as caller:
            caller.finish()
            callee.finish()
    assert caller.opened() == callee.opened() == ["test"]
    assert callee.heard() == ["a call from TvOA"]
    assert caller.heard() == ["an answer from n790"]


def assert_known_by(server: ServerProcess, peer: Peer, address: str) -> None:
    """The server's log has the peer's own address when the peer breaks the protocol."""
    peer.send_frame(TEXT, b"{}", masked=False)
    while (received := peer.receive_frame()).opcode != CLOSE:
        pass
    assert received.close_code == 1002
    server.wait_for(_OFFENCE)
    (line,) = context(server.log, _OFFENCE)
    assert line["address"].partition(":")[0] == address
