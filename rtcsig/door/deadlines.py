"""The connections' timers: a heap of their own, behind one timer of the reactor.

Every connection has one or two timers, nearly all of which are cancelled before
they are due. Twisted's are objects of some 600 bytes, and are looked at twice
before they stand in its heap; these are an entry of a heap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

__all__ = ["Deadline", "Deadlines"]

# With fewer cancelled ones than this the heap is not worth sweeping.
_MIN_SWEPT = 64


class Deadline:
    """A call that is due at ``due_s`` of the clock, unless it is cancelled before."""

    __slots__ = ("_arguments", "_number", "_owner", "_stands_at_s", "action", "due_s")

    def __init__(
        self,
        owner: Deadlines,
        due_s: float,
        number: int,
        action: Callable[..., None],
        arguments: tuple[Any, ...],
    ) -> None:
        self.due_s = self._stands_at_s = due_s
        self._number = number
        self._owner = owner
        self.action: Callable[..., None] | None = action
        self._arguments = arguments

    @property
    def is_active(self) -> bool:
        """Whether it was neither made nor cancelled yet."""
        return self.action is not None

    def cancel(self) -> None:
        """Do not make the call; nothing happens when it was made or cancelled already."""
        if self.action is not None:
            self._forget()
            self._owner._one_less(is_cancelled=True)

    def _forget(self) -> None:
        self.action = None
        self._arguments = ()

    def _make(self) -> None:
        action, arguments = self.action, self._arguments
        if action is not None:
            self._forget()
            self._owner._one_less(is_cancelled=False)
            action(*arguments)


class Deadlines:
    """Makes calls when they are due: setting one is O(log n), cancelling it O(1) in the mean.

    A call that raises is a bug of ours: it is logged, and costs no other call.
    """

    log = Logger("rtcsig")

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.now_s = clock.seconds
        self._heap: list[tuple[float, int, Deadline]] = []
        self._set = 0
        self._active = 0
        self._cancelled = 0
        self._wake_up: IDelayedCall | None = None
        self._wakes_at_s = 0.0

    def __iter__(self) -> Iterator[Deadline]:
        """Those that are neither made nor cancelled, in no order."""
        return (deadline for _, _, deadline in self._heap if deadline.is_active)

    def set(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> Deadline:
        """Make a call in ``delay_s``; of those due at one time the first set is the first made."""
        due_s = self._clock.seconds() + delay_s
        self._set += 1
        deadline = Deadline(self, due_s, self._set, action, arguments)
        self._active += 1
        heappush(self._heap, (due_s, self._set, deadline))
        if self._wake_up is None or due_s < self._wakes_at_s:
            self._wake_at(due_s)
        return deadline

    def replace(
        self,
        deadline: Deadline | None,
        delay_s: float,
        action: Callable[..., None],
        *arguments: Any,
    ) -> Deadline:
        """As to cancel ``deadline`` and to set another; cheaper when that is due later.

        Then it is not looked for in the heap: it stays where it stands until its turn there.
        """
        if deadline is None or deadline.action is None:
            return self.set(delay_s, action, *arguments)
        due_s = self._clock.seconds() + delay_s
        if due_s < deadline._stands_at_s:
            deadline.cancel()
            return self.set(delay_s, action, *arguments)
        self._set += 1
        deadline._number = self._set
        deadline.due_s = due_s
        deadline.action = action
        deadline._arguments = arguments
        return deadline

    def _one_less(self, *, is_cancelled: bool) -> None:
        self._active -= 1
        if is_cancelled:
            self._cancelled += 1
            if self._cancelled > max(_MIN_SWEPT, self._active):
                self._sweep()
        if not self._active:
            self._sleep()

    def _sweep(self) -> None:
        """Forget the cancelled ones: each sweep is paid for by as many cancellations."""
        self._heap = [entry for entry in self._heap if entry[2].is_active]
        heapify(self._heap)
        self._cancelled = 0

    def _wake_at(self, due_s: float) -> None:
        self._sleep()
        self._wakes_at_s = due_s
        self._wake_up = self._clock.callLater(max(0.0, due_s - self._clock.seconds()), self._run)

    def _sleep(self) -> None:
        if self._wake_up is not None:
            self._wake_up.cancel()
            self._wake_up = None

    def _run(self) -> None:
        """Make the calls that are due now; those that they set for now come later."""
        self._wake_up = None
        now_s = self._clock.seconds()
        last = self._set
        later = []
        while self._heap and self._heap[0][0] <= now_s:
            entry = heappop(self._heap)
            deadline = entry[2]
            if not deadline.is_active:
                self._cancelled -= 1
            elif entry[1] != deadline._number:
                deadline._stands_at_s = deadline.due_s
                heappush(self._heap, (deadline.due_s, deadline._number, deadline))
            elif entry[1] > last:
                later.append(entry)
            else:
                self._make(deadline)
        for entry in later:
            heappush(self._heap, entry)
        if self._active and self._heap:
            self._wake_at(self._heap[0][0])

    def _make(self, deadline: Deadline) -> None:
        try:
            deadline._make()
        except Exception:  # noqa: BLE001 a bug of ours costs this call
            self.log.failure("a timer failed")
