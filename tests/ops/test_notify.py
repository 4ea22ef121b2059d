"""What a service manager is told: see tests/process/test_notify_socket.py for the whole order."""

from __future__ import annotations

import os
import socket

import pytest
from twisted.internet.task import Clock

from rtcsig.ops.notify import Herald, Notifier, watchdog_s


@pytest.fixture
def manager(tmp_path):
    """A socket that hears, with its address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(str(tmp_path / "notify"))
        hearing.setblocking(False)
        yield hearing


def heard(manager: socket.socket) -> list[str]:
    """All that has come."""
    datagrams = []
    while True:
        try:
            datagrams.append(manager.recv(65_536).decode())
        except BlockingIOError:
            return datagrams


def herald_of(notifier: Notifier, clock: Clock, watchdog: float | None, **more) -> Herald:
    """A herald of a server that is well, unless ``more`` says otherwise."""
    given = {"faults": list, "status": lambda: "well", "withheld": lambda _: None, **more}
    return Herald(notifier, clock, watchdog, **given)


def test_signs_come_twice_in_the_time_of_the_watchdog(manager):
    """From the start on, until the stop."""
    clock, notifier = Clock(), Notifier(manager.getsockname())
    herald = herald_of(notifier, clock, 10.0)
    herald.started()
    clock.pump([4.9, 0.2, 5.0])
    herald.stop()
    sign = "WATCHDOG=1\nSTATUS=well"
    assert heard(manager) == ["READY=1\nSTATUS=well", sign, sign, sign]
    assert not clock.getDelayedCalls()


def test_a_server_with_a_fault_gives_no_sign(manager):
    """The faults are told to whoever wants to know, and the next time it is asked again."""
    faults, told = ["gaga"], []
    clock, notifier = Clock(), Notifier(manager.getsockname())
    herald = herald_of(notifier, clock, 2.0, faults=lambda: list(faults), withheld=told.append)
    herald.started()
    clock.advance(1.0)
    assert told == [["gaga"], ["gaga"]]
    faults.clear()
    clock.advance(1.0)
    herald.stop()
    assert heard(manager) == ["READY=1\nSTATUS=well", "WATCHDOG=1\nSTATUS=well"]


def test_the_end_says_how_long_it_may_take(manager):
    """In microseconds, beside the state."""
    herald = herald_of(Notifier(manager.getsockname()), Clock(), None)
    herald.stopping(1.5)
    herald.stop()
    assert heard(manager) == ["STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000\nSTATUS=well"]


def test_nobody_listens():
    """Then nothing is done at all."""
    clock = Clock()
    herald = herald_of(Notifier(None), clock, 10.0)
    herald.started()
    herald.stopping(1.0)
    herald.stop()
    assert not clock.getDelayedCalls()


def test_an_abstract_address():
    """Begins with @, which stands for a zero byte (unix(7))."""
    name = f"rtcsig-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hearing:
        hearing.bind(f"\0{name}")
        hearing.setblocking(False)
        notifier = Notifier(f"@{name}")
        notifier.send("READY=1")
        notifier.close()
        assert heard(hearing) == ["READY=1"]


def test_a_manager_that_does_not_read(manager):
    """Is not waited for, and what did not fit is lost."""
    notifier = Notifier(manager.getsockname())
    for _ in range(10_000):
        notifier.send("STATUS=" + "x" * 100)
    assert 0 < len(heard(manager)) < 10_000
    notifier.send("READY=1")
    notifier.close()
    assert heard(manager) == ["READY=1"]


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": ""}, 1.5),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "gaga"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_how_often_a_sign_is_wanted(environment, seconds):
    """The manager says it, and of whom."""
    assert watchdog_s(environment) == seconds
