"""What is kept of peers beside their connections, and what it may cost.

A peer whose connection was lost is *away*: its place, and messages for it, are kept
until it is back or its grace is over. Messages for one who never was here are kept
too, for a shorter time. Each message that was kept has one end, once: it is
delivered, or its sender is told why it was not.

All of it is counted in bytes, names and bookkeeping included, against one bound of
the server and one for each peer. ``tests/hub/test_keeping.py`` measures
that it does not take more than is counted.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rtcsig.hub.terms import Code, Member, Terms, Timer, Timers

__all__ = ["HELD_BYTES", "Keeping", "WaitingRoom", "away_bytes", "slot_bytes"]

# What a message costs beside its own bytes, and who is away and a slot beside the
# characters of a name.
HELD_BYTES = 512
_AWAY_BYTES = 512
_SLOT_BYTES = 1024
_CHARACTER_BYTES = 4
# Graces end together that end within so long: connections are lost by the thousand.
_TOGETHER_S = 0.05


def away_bytes(peer_id: str) -> int:
    """What it counts to know that a peer may come back."""
    return _AWAY_BYTES + _CHARACTER_BYTES * len(peer_id)


def slot_bytes(peer_id: str) -> int:
    """What it counts to have messages for a peer, or of it, beside the messages."""
    return _SLOT_BYTES + _CHARACTER_BYTES * len(peer_id)


class _NoTimers:
    """For terms under which nothing is kept."""

    def now_s(self) -> float:
        raise RuntimeError("what is kept needs timers")

    def set(self, delay_s: float, action: Callable[..., None], *arguments: Any) -> Timer:  # noqa: ARG002 it sets none
        raise RuntimeError("what is kept needs timers")


class Keeping:
    """What all namespaces of a server keep together: terms, time, and the sum of it.

    ``outcomes`` counts what became of messages to the absent, ``unheard_outcomes`` those of
    which nobody was there to hear; ``is_over`` once nothing is to be kept any more.
    """

    def __init__(self, terms: Terms, timers: Timers | None = None) -> None:
        self.terms = terms
        self.timers = timers or _NoTimers()
        self.bytes = 0
        self.messages = 0
        self.outcomes: Counter[Code] = Counter()
        self.unheard_outcomes = 0
        self.is_over = False

    def take(self, cost_bytes: int) -> bool:
        """Count so many bytes in, if there is room for them."""
        if self.bytes + cost_bytes > self.terms.max_kept_bytes:
            return False
        self.bytes += cost_bytes
        return True

    def give_back(self, cost_bytes: int) -> None:
        """Count so many bytes out."""
        self.bytes -= cost_bytes


@dataclass(slots=True)
class _Held:
    """A message that waits for its peer; ``sender`` is the place of who sent it."""

    message: bytes
    sender: _Slot
    receipt: object
    due_s: float

    @property
    def cost_bytes(self) -> int:
        return HELD_BYTES + len(self.message)


class _Slot:
    """What is kept of one peer, while something is.

    ``held`` are the messages for it while it is not here, ``sent_*`` count its own that
    are held for others, ``outcomes`` is what it did not hear of them while it was away.
    """

    __slots__ = (
        "has_left",
        "held",
        "held_bytes",
        "outcomes",
        "peer_id",
        "sent_bytes",
        "sent_messages",
        "timer",
    )

    def __init__(self, peer_id: str) -> None:
        self.peer_id = peer_id
        self.held: list[_Held] = []
        self.held_bytes = 0
        self.outcomes: list[tuple[str, object, Code, int]] = []
        self.sent_messages = 0
        self.sent_bytes = 0
        self.has_left = False
        self.timer: Timer | None = None

    def holds(self, receipt: object, sender: _Slot | None) -> bool:
        """Whether a message of this sender's with this receipt is held here."""
        return any(held.sender is sender and held.receipt == receipt for held in self.held)

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class WaitingRoom:
    """The places of one namespace's peers.

    ``members`` are those who are connected; ``gave_up`` hears whose grace is over.
    """

    def __init__(
        self, keeping: Keeping, members: Mapping[str, Member], gave_up: Callable[[str], None]
    ) -> None:
        self._keeping = keeping
        self._members = members
        self._gave_up = gave_up
        self._slots: dict[str, _Slot] = {}
        # Until when, and the token that would prove it; in the order of their loss.
        self._away: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._wake_up: Timer | None = None

    @property
    def away(self) -> int:
        """How many were lost and may come back."""
        return len(self._away)

    def is_away(self, peer_id: str) -> bool:
        """Whether it was lost, and may come back."""
        return peer_id in self._away

    def token_of(self, peer_id: str) -> str:
        """What one who is away would have to show, or nothing."""
        away = self._away.get(peer_id)
        return away[1] if away is not None else ""

    # -- messages ---------------------------------------------------------------------

    def hold(self, destination: str, message: bytes, sender: str, receipt: object) -> Code | None:
        """Keep a message for one who is not here; returns why not, if it cannot be kept."""
        why_not = self._hold(destination, message, sender, receipt)
        if why_not is not None:
            self._keeping.outcomes[why_not] += 1
        return why_not

    def _hold(self, destination: str, message: bytes, sender: str, receipt: object) -> Code | None:
        keeping = self._keeping
        if keeping.is_over:
            return Code.STOPPING
        is_away = self.is_away(destination)
        if not is_away and not keeping.terms.hold_absent_s:
            return Code.PEER_NOT_FOUND
        of, to = self._slot(sender), self._slot(destination)
        if receipt is not None and to is not None and to.holds(receipt, of):
            # Sent once more, by who has not heard of it yet: one outcome is enough for both.
            return None
        if of is not None and to is not None and self._may_keep(len(message), of, to):
            due_s = 0.0 if is_away else keeping.timers.now_s() + keeping.terms.hold_absent_s
            self._put(to, _Held(message, of, receipt, due_s))
            return None
        for slot in (of, to):
            self._drop_if_empty(slot)
        return Code.NOT_HELD if is_away else Code.PEER_NOT_FOUND

    def _may_keep(self, message_bytes: int, of: _Slot, to: _Slot) -> bool:
        """Count a message in, if both places and the server have room for it."""
        terms = self._keeping.terms
        cost_bytes = HELD_BYTES + message_bytes
        return (
            len(to.held) < terms.max_held_messages
            and to.held_bytes + cost_bytes <= terms.max_held_bytes
            and of.sent_messages < terms.max_held_messages
            and of.sent_bytes + cost_bytes <= terms.max_held_bytes
            and self._keeping.take(cost_bytes)
        )

    def _put(self, to: _Slot, held: _Held) -> None:
        held.sender.sent_messages += 1
        held.sender.sent_bytes += held.cost_bytes
        self._keeping.messages += 1
        to.held.append(held)
        to.held_bytes += held.cost_bytes
        if to.timer is None and to.peer_id not in self._away:
            delay_s = held.due_s - self._keeping.timers.now_s()
            to.timer = self._keeping.timers.set(delay_s, self._expire, to)

    def _expire(self, slot: _Slot) -> None:
        """Give up what was held long enough for one who never came."""
        slot.timer = None
        timers = self._keeping.timers
        while slot.held and slot.held[0].due_s <= timers.now_s():
            self._end(slot, self._take_first(slot), Code.PEER_NOT_FOUND)
        if slot.held:
            slot.timer = timers.set(slot.held[0].due_s - timers.now_s(), self._expire, slot)
        self._drop_if_empty(slot)

    @staticmethod
    def _put_back(slot: _Slot, held: _Held) -> None:
        slot.held.insert(0, held)
        slot.held_bytes += held.cost_bytes

    @staticmethod
    def _take_first(slot: _Slot) -> _Held:
        held = slot.held.pop(0)
        slot.held_bytes -= held.cost_bytes
        return held

    def _end(self, slot: _Slot, held: _Held, code: Code, *, is_told: bool = True) -> None:
        """A held message has its outcome, which its sender is told, now or when it is back.

        Not by us if its receiver does that itself: it may be lost on its way there.
        """
        keeping = self._keeping
        keeping.messages -= 1
        keeping.outcomes[code] += 1
        sender = held.sender
        sender.sent_messages -= 1
        sender.sent_bytes -= held.cost_bytes
        if is_told and not self._tell(sender, slot.peer_id, held.receipt, code):
            if not sender.has_left and sender.peer_id in self._away:
                sender.outcomes.append((slot.peer_id, held.receipt, code, held.cost_bytes))
                return
            keeping.unheard_outcomes += 1
        keeping.give_back(held.cost_bytes)
        self._drop_if_empty(sender)

    def _tell(self, sender: _Slot, destination: str, receipt: object, code: Code) -> bool:
        """Tell an outcome to who is still there to hear it."""
        member = None if sender.has_left else self._members.get(sender.peer_id)
        return member is not None and member.outcome(destination, receipt, code)

    # -- peers ------------------------------------------------------------------------

    def lost(self, peer_id: str, token: str) -> bool:
        """Keep the place of one whose connection was lost; False if that cannot be."""
        keeping = self._keeping
        grace_s = keeping.terms.resume_grace_s
        if not grace_s or keeping.is_over or not keeping.take(away_bytes(peer_id)):
            return False
        self._away[peer_id] = keeping.timers.now_s() + grace_s, token
        if self._wake_up is None:
            self._wake_up = keeping.timers.set(grace_s, self._end_graces)
        return True

    def _end_graces(self) -> None:
        """Give up whose grace is over.

        One that became shorter, by new terms, does not end before those that began earlier.
        """
        timers = self._keeping.timers
        now_s = timers.now_s()
        while self._away:
            peer_id, (due_s, _) = next(iter(self._away.items()))
            if due_s > now_s:
                self._wake_up = timers.set(max(_TOGETHER_S, due_s - now_s), self._end_graces)
                return
            self.left(peer_id)
            self._gave_up(peer_id)
        self._wake_up = None

    def left(self, peer_id: str, code: Code = Code.PEER_NOT_FOUND) -> None:
        """Forget one who is gone for good; who wrote to it is told."""
        self._is_not_away(peer_id)
        slot = self._slots.pop(peer_id, None)
        if slot is None:
            return
        slot.stop_timer()
        slot.has_left = True
        self._keeping.give_back(slot_bytes(peer_id))
        for *_, cost_bytes in slot.outcomes:
            self._keeping.give_back(cost_bytes)
            self._keeping.unheard_outcomes += 1
        slot.outcomes = []
        while slot.held:
            self._end(slot, self._take_first(slot), code)

    def _is_not_away(self, peer_id: str) -> None:
        if self._away.pop(peer_id, None) is not None:
            self._keeping.give_back(away_bytes(peer_id))

    def came(self, peer_id: str, member: Member) -> None:
        """Hand over what was kept for one who is here now, in order, while it can take it."""
        if self._away:
            self._is_not_away(peer_id)
        slot = self._slots.get(peer_id)
        if slot is None:
            return
        slot.stop_timer()
        while slot.held and self._members.get(peer_id) is member:
            held = self._take_first(slot)
            if member.deliver(held.message):
                self._end(slot, held, Code.DELIVERED, is_told=not member.acknowledges)
            elif slot.has_left:
                self._end(slot, held, Code.PEER_NOT_FOUND)
            else:
                # It was lost for this very message, which it has to get when it is back.
                self._put_back(slot, held)
                break
        while slot.outcomes and self._members.get(peer_id) is member:
            destination, receipt, code, cost_bytes = slot.outcomes[0]
            if not member.outcome(destination, receipt, code):
                break
            slot.outcomes.pop(0)
            self._keeping.give_back(cost_bytes)
        self._drop_if_empty(slot)

    def end(self) -> None:
        """Keep nothing from now on: who wrote to one who is not here is told."""
        for peer_id in (*self._away, *self._slots):
            if peer_id not in self._members:
                self.left(peer_id, Code.STOPPING)
        if self._wake_up is not None:
            self._wake_up.cancel()
            self._wake_up = None

    # -- places -----------------------------------------------------------------------

    def _slot(self, peer_id: str) -> _Slot | None:
        """The place of a peer, made if there is room for it."""
        slot = self._slots.get(peer_id)
        if slot is None and self._keeping.take(slot_bytes(peer_id)):
            slot = self._slots[peer_id] = _Slot(peer_id)
        return slot

    def _drop_if_empty(self, slot: _Slot | None) -> None:
        """Forget a place in which nothing is kept."""
        if slot is None or slot.held or slot.sent_messages or slot.outcomes:
            return
        if self._slots.get(slot.peer_id) is slot:
            slot.stop_timer()
            del self._slots[slot.peer_id]
            self._keeping.give_back(slot_bytes(slot.peer_id))
