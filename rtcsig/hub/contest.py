"""Whether the holder of an id is still there, when somebody else claims it."""

from __future__ import annotations

from collections.abc import Callable

from rtcsig.hub.terms import Member, Timer, Timers

__all__ = ["Contest", "InDoubt", "Taken"]

# For so long a holder that has just answered is not asked again.
_FRESH_S = 1.0
# If a timer is so late, the process stood still, and the question may not be sent yet.
_LATE_S = 0.1
_SECOND_CHANCE_S = 1.0


class Taken(Exception):
    """The id belongs to another, who is there."""


class InDoubt(Exception):
    """Not known yet whether the holder of the id is there: wait for ``contest``, then ask again."""

    def __init__(self, contest: Contest) -> None:
        super().__init__()
        self.contest = contest


class Contest:
    """The question to one holder, for all who claim its id meanwhile.

    ``silent`` is called when no answer came in time, and somebody still waits for it.
    ``over`` when the contest is to be forgotten.
    """

    def __init__(
        self,
        holder: Member,
        timers: Timers,
        probe_s: float,
        silent: Callable[[Member], None],
        over: Callable[[], None],
    ) -> None:
        self.is_won_by_holder = False
        self._holder = holder
        self._timers = timers
        self._silent = silent
        self._over = over
        self._waiting: dict[object, Callable[[], None]] = {}
        self._is_over = False
        self._due_s = timers.now_s() + probe_s
        self._timer: Timer = timers.set(probe_s, self._no_answer)

    def ask(self) -> None:
        """Put the question. The holder may go for that, and so end the contest."""
        self._holder.probe(self._answered)

    def wait(self, who: object, decided: Callable[[], None]) -> None:
        """Call ``decided`` once, when it makes sense for ``who`` to ask for the id again."""
        self._waiting[who] = decided

    def leave(self, who: object) -> None:
        """Do not call for ``who``: it waits no longer."""
        self._waiting.pop(who, None)

    def end(self) -> None:
        """The holder has the id no longer, whatever it answers."""
        self._is_over = True
        self._timer.cancel()
        self._decide()

    def _answered(self) -> None:
        if self._is_over or self.is_won_by_holder:
            return
        self.is_won_by_holder = True
        self._timer.cancel()
        self._timer = self._timers.set(_FRESH_S, self._over)
        self._decide()

    def _no_answer(self) -> None:
        """Time is up; but timers come before what the kernel has, and that may be the answer."""
        is_late = self._timers.now_s() - self._due_s > _LATE_S
        self._timer = self._timers.set(_SECOND_CHANCE_S if is_late else 0.0, self._holder_is_gone)

    def _holder_is_gone(self) -> None:
        self._is_over = True
        self._over()
        if self._waiting:
            self._silent(self._holder)
        self._decide()

    def _decide(self) -> None:
        """Call those who wait, in a turn of their own: whoever ended this is not done yet."""
        self._timers.set(0.0, self._call)

    def _call(self) -> None:
        while self._waiting:
            decided = self._waiting.pop(next(iter(self._waiting)))
            decided()
