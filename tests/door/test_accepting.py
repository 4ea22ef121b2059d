"""What follows from an error of accept(2)."""

from __future__ import annotations

import errno

import pytest

from rtcsig.door.accepting import MAX_GONE_IN_A_ROW, Reaction, reaction_to, remedy_for

GONE = [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EPERM, errno.EINTR]
PAUSING = [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EBADF, 99_999, None]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EWOULDBLOCK])
def test_nobody_waits(number):
    """Is no error."""
    assert reaction_to(number, MAX_GONE_IN_A_ROW) is Reaction.WAIT


@pytest.mark.parametrize("number", GONE)
def test_a_connection_that_is_gone(number):
    """Makes room for the next, unless it goes on and on."""
    assert reaction_to(number, 0) is Reaction.NEXT
    assert reaction_to(number, MAX_GONE_IN_A_ROW - 1) is Reaction.NEXT
    assert reaction_to(number, MAX_GONE_IN_A_ROW) is Reaction.PAUSE


@pytest.mark.parametrize("number", PAUSING)
def test_what_is_about_the_machine_pauses(number):
    """And so does an errno that nobody has heard of."""
    assert reaction_to(number, 0) is Reaction.PAUSE


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (OSError(errno.EMFILE, ""), "ulimit -n"),
        (OSError(errno.ENFILE, ""), "fs.file-max"),
        (OSError(errno.ENOMEM, ""), "memory"),
        (OSError(errno.EBADF, ""), "accept(2)"),
        (OSError(""), "accept(2)"),
        (MemoryError(), "accept(2)"),
    ],
)
def test_the_remedy_is_named(error, word):
    """In words that an operator can type."""
    assert word in remedy_for(error)
