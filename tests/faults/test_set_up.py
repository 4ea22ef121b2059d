"""What fails between accept and the first byte costs its connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.trial import Trial

PATCHES = Path(__file__).parents[1] / "process" / "faults"
LONG = ("--open-timeout-s=3600", "--close-timeout-s=3600")
EACH_THIRD = "each third connection: "


def meet(run: Trial) -> tuple[int, int]:
    """Let some connect, one after the other; how many were served, and how many were ended."""
    served = ended = 0
    for number in range(3 * run.random.randrange(2, 8)):
        try:
            peer = run.connected()
            assert peer.upgrade(f"/new-{number}")[0] == 101
        except (EOFError, ConnectionError):
            ended += 1
        else:
            served += 1
            peer.close()
    return served, ended


@pytest.mark.parametrize(
    ("number", "patch", "how", "is_bug"),
    [
        ("6.1", "getpeer_raises", "`getPeer` raises OSError(ENOTCONN)", False),
        ("6.2", "getpeer_has_a_bug", "`getPeer` raises AttributeError", True),
        ("6.3", "no_delay_raises", "`setTcpNoDelay` raises OSError(EINVAL)", False),
        ("6.4", "timer_raises", "the deadline cannot be set: KeyError", True),
        ("6.5", "protocol_cannot_be_made", "the protocol's `__init__` raises", True),
        ("7", "epoll_refuses", "`addReader` raises OSError(ENOENT)", False),
    ],
)
def test_a_set_up_that_fails(trial, number, patch, how, is_bug):
    """The client sees the end at once, with no timer's help; it is counted, and others served."""
    patches = [PATCHES / f"{patch}.py"]
    with trial(number, EACH_THIRD + how, *LONG, patch=patches, shows_bugs=is_bug) as run:
        served = ended = 0
        with run.fault():
            for _ in run.repeat():
                more = meet(run)
                served, ended = served + more[0], ended + more[1]
        assert run.count("set_up_failures") == ended == served // 2
        run.seen = f"{ended} connections ended at once and counted, {served} served"
