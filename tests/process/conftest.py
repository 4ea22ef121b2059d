"""What the tests of a real process share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.peer import Peer
from tests.support.server import ServerProcess

Connect = Callable[..., Peer]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connect a peer to a server: ``connect(server, path, *header_lines)``; closed at the end."""
    with ExitStack() as stack:

        def connected(server: ServerProcess, path: str | None = None, *lines: str) -> Peer:
            peer = stack.enter_context(Peer(server.port))
            if path is not None:
                assert peer.upgrade(path, *lines)[0] == 101
            return peer

        yield connected
