"""Where log lines are written: by a thread, so that a full disk or a blocked pipe stops nobody.

A terminal, a pipe or a disk can make a write wait for as long as it likes; in
the reactor's thread everybody would wait with it.
"""

from __future__ import annotations

import atexit
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

__all__ = ["Sink"]

_MAX_WAITING_LINES = 1000
_STOP_TIMEOUT_S = 2.0


class Sink:
    """What an observer takes for a text file; the lines go to ``write``.

    Until ``start`` they go there at once: a daemon forks before that, and no
    thread survives a fork. Afterwards a line that cannot be written, or that
    has ``_MAX_WAITING_LINES`` before it, is dropped and counted in ``dropped``,
    as ``error`` or as ``full``. When lines can be written again, one made by
    ``lost_line`` says how many were dropped.
    """

    def __init__(self, write: Callable[[str], Any], lost_line: Callable[[int], str]) -> None:
        self.dropped: Counter[str] = Counter()
        self._write = write
        self._lost_line = lost_line
        self._told = 0
        self._lines: deque[str] = deque()
        self._has_news = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> None:
        """Take a line. Never waits once the sink is started, and never raises."""
        if self._thread is None:
            self._write_now(text)
        elif len(self._lines) >= _MAX_WAITING_LINES:
            self.dropped["full"] += 1
        else:
            self._lines.append(text)
            self._has_news.set()

    def flush(self) -> None:
        """Nothing to do: every line goes out as soon as it can."""

    def start(self) -> None:
        """Write by a thread from now on, until the process ends."""
        self._thread = threading.Thread(target=self._work, name="rtcsig-log", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Write what waits, if that is possible within ``_STOP_TIMEOUT_S``; take nothing more."""
        atexit.unregister(self.stop)
        self._is_stopping = True
        self._has_news.set()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)

    def _work(self) -> None:
        while not self._is_stopping:
            self._has_news.wait()
            self._has_news.clear()
            while self._lines:
                self._write_now(self._lines.popleft())

    def _write_now(self, text: str) -> None:
        try:
            lost = self.dropped["full"] + self.dropped["error"] - self._told
            if lost:
                self._write(self._lost_line(lost))
                self._told += lost
            self._write(text)
        except Exception:  # noqa: BLE001 there is no log to tell it to: the next line tells
            self.dropped["error"] += 1
