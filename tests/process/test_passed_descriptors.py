"""A peer of a unix socket can pass descriptors, of which the server takes no notice."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.support.peer import TEXT, Peer, frame
from tests.support.server import ServerProcess

MESSAGE = b'{"id":"me","fill":"%b"}' % (b"a" * 1000)


def test_descriptors_that_are_passed(tmp_path):
    """They are closed without a line in the log, and the peer is served."""
    path = tmp_path / "socket"
    with ServerProcess(listen=(f"unix:{path}",)) as server, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        peer = Peer.over(sock)
        assert peer.upgrade("/me")[0] == 101
        before = server.descriptors()
        with Path(os.devnull).open("rb") as passed:
            for byte in frame(TEXT, MESSAGE):
                socket.send_fds(sock, [bytes([byte])], [passed.fileno()] * 3)
        assert peer.receive()["fill"] == "a" * 1000
        assert server.descriptors() == before
        peer.close()
        assert server.stop() == 0
        assert len(server.log.splitlines()) < 20
