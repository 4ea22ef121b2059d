"""Somebody new, again and again: each connects, says something, hears it, and leaves."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from tests.support.peer import Peer
from tests.support.server import wait_until

__all__ = ["Newcomers"]

_MOST = 2000
_PATIENCE_S = 40.0


class Newcomers:
    """``per_s`` newcomers a second, in threads, from the beginning to the end of the context.

    What became of each is in ``outcomes``: ``served``, or the error it met.
    ``waits_s`` is how long those took who were served.
    """

    def __init__(self, port: int, per_s: float) -> None:
        self.outcomes: list[str] = []
        self.waits_s: list[float] = []
        self._port = port
        self._every_s = 1 / per_s
        self._is_over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sender = threading.Thread(target=self._send)

    def __enter__(self) -> Newcomers:
        self._sender.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        for thread in (self._sender, *self._threads):
            thread.join(_PATIENCE_S)
            assert not thread.is_alive()

    def served(self) -> int:
        """How many were served so far."""
        return self.outcomes.count("served")

    def wait_for(self, more: int) -> None:
        """Wait until so many more were served."""
        wanted = self.served() + more
        wait_until(lambda: self.served() >= wanted, _PATIENCE_S, f"{more} more are served")

    def _send(self) -> None:
        while len(self._threads) < _MOST and not self._is_over.wait(self._every_s):
            thread = threading.Thread(target=self._come, args=(len(self._threads),))
            self._threads.append(thread)
            thread.start()

    def _come(self, number: int) -> None:
        begin_s = time.monotonic()
        try:
            with Peer(self._port, f"/new-{number}") as peer:
                peer.socket.settimeout(_PATIENCE_S)
                peer.send({"id": f"new-{number}", "n": number})
                assert peer.receive()["n"] == number
        except (OSError, EOFError, AssertionError) as error:
            self.outcomes.append(f"{type(error).__name__}: {error}")
        else:
            self.waits_s.append(time.monotonic() - begin_s)
            self.outcomes.append("served")
