"""What signals make the process do, whenever they come."""

from __future__ import annotations

import signal

import pytest

from rtcsig.ops.signals import obey


class Reactor:
    """Notes what it is asked for; runs nothing by itself."""

    def __init__(self):
        self.from_threads = []
        self.when_running = []

    def callFromThread(self, call):
        self.from_threads.append(call)

    def callWhenRunning(self, function):
        self.when_running.append(function)

    def addSystemEventTrigger(self, phase, event, function):
        assert (phase, event) == ("after", "shutdown")
        self.at_the_end = function


@pytest.fixture(autouse=True)
def handlers():
    """The handlers of the test's own process, which get their places back."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for each, handler in kept.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_reactor_runs_is_not_lost(number):
    """It is obeyed as soon as that runs, and again after it set its own handlers."""
    reactor, order = Reactor(), object()
    obey(reactor, {number: order})
    signal.raise_signal(number)
    (again,) = reactor.when_running
    signal.signal(number, signal.SIG_IGN)
    again()
    signal.raise_signal(number)
    assert reactor.from_threads == [order, order]


def test_each_signal_has_its_order():
    """And none gets that of another."""
    reactor = Reactor()
    obey(reactor, {signal.SIGTERM: "end", signal.SIGHUP: "reload"})
    signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGTERM)
    assert reactor.from_threads == ["reload", "end"]


def test_the_end_is_a_clean_one():
    """The signal is made forgotten, and one that comes when all is done changes nothing."""
    reactor = Reactor()
    obey(reactor, {signal.SIGHUP: "reload"})
    reactor._exitSignal = signal.SIGTERM
    reactor.at_the_end()
    assert reactor._exitSignal is None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.raise_signal(number)
    assert reactor.from_threads == []
