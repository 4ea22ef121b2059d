"""What one read causes leaves together."""

from __future__ import annotations

from rtcsig.door.outbox import Outbox


class Sender:
    """Notes its flushes; it can wait anew in one of them."""

    def __init__(self, outbox, *, again=False):
        self.flushes = 0
        self._outbox = outbox
        self._again = again

    def flush(self):
        self.flushes += 1
        if self._again:
            self._outbox.waiting.append(self)


def test_who_waits_is_flushed_once():
    """Each, when the outbox is released, and no more after that."""
    outbox = Outbox()
    senders = [Sender(outbox), Sender(outbox)]
    outbox.hold()
    assert outbox.holds
    outbox.waiting.extend(senders)
    outbox.release()
    assert not outbox.holds
    outbox.release()
    assert [sender.flushes for sender in senders] == [1, 1]


def test_who_waits_again_meanwhile_is_for_the_next_time():
    """A flush never turns into a loop."""
    outbox = Outbox()
    sender = Sender(outbox, again=True)
    outbox.hold()
    outbox.waiting.append(sender)
    outbox.release()
    assert sender.flushes == 1
    assert outbox.waiting == [sender]
