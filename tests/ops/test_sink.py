"""Log lines go out by a thread, and nobody waits for a disk or a pipe."""

from __future__ import annotations

import threading

import pytest

from rtcsig.ops import sink as sink_module
from rtcsig.ops.sink import Sink
from tests.support.server import wait_until

TIMEOUT_S = 15.0


class Output:
    """Where lines go: keeps them, blocks or fails when it is told to."""

    def __init__(self):
        self.lines = []
        self.threads = set()
        self.is_open = threading.Event()
        self.is_open.set()
        self.is_entered = threading.Event()
        self.fails = False
        self._lines_are_there = threading.Condition()

    def write(self, text):
        self.is_entered.set()
        assert self.is_open.wait(TIMEOUT_S)
        if self.fails:
            raise OSError("no space")
        with self._lines_are_there:
            self.threads.add(threading.current_thread())
            self.lines.append(text)
            self._lines_are_there.notify_all()

    def wait_for(self, line):
        """Until the line has been written."""
        with self._lines_are_there:
            assert self._lines_are_there.wait_for(lambda: line in self.lines, TIMEOUT_S)


@pytest.fixture
def output():
    """An output that works."""
    return Output()


@pytest.fixture
def sink(output):
    """A sink for it; the thread that it starts ends with the test."""
    made = Sink(output.write, lambda lost: f"lost {lost}")
    yield made
    output.is_open.set()
    made.stop()
    if made._thread is not None:
        made._thread.join(TIMEOUT_S)
        assert not made._thread.is_alive()


def stall(output, sink):
    """Start the sink, with its thread stuck in the writing of one line."""
    sink.start()
    output.is_open.clear()
    sink.write("stuck")
    assert output.is_entered.wait(TIMEOUT_S)


def test_before_the_start_lines_go_out_at_once(output, sink):
    """A daemon forks then, and a thread would be lost."""
    sink.write("line")
    sink.flush()
    assert output.lines == ["line"]
    assert output.threads == {threading.current_thread()}


def test_an_error_before_the_start_stays_here(output, sink):
    """It is counted, and told when a line goes out again."""
    output.fails = True
    sink.write("dropped")
    assert sink.dropped == {"error": 1}
    output.fails = False
    sink.write("line")
    assert output.lines == ["lost 1", "line"]


def test_after_the_start_lines_go_out_by_a_thread(output, sink):
    """In their order, and by one thread, which keeps no process alive."""
    sink.start()
    for number in range(100):
        sink.write(str(number))
    output.wait_for("99")
    assert output.lines == [str(number) for number in range(100)]
    assert output.threads == {sink._thread}
    assert sink._thread.daemon


def test_without_lines_the_thread_sleeps(output, sink):
    """It wakes for the next line, and for nothing else."""
    sink.start()
    for line in ("one", "two"):
        sink.write(line)
        output.wait_for(line)
        wait_until(lambda: not sink._has_news.is_set(), what="the thread waits for news")


def test_a_write_that_blocks_stops_nobody(output, sink):
    """Lines are taken meanwhile, and go out when the write has ended."""
    stall(output, sink)
    for number in range(100):
        sink.write(str(number))
    assert output.lines == []
    output.is_open.set()
    output.wait_for("99")
    assert output.lines == ["stuck", *map(str, range(100))]
    assert not sink.dropped


def test_a_full_queue_drops_and_counts(output, sink, monkeypatch):
    """Memory is bounded; how many lines were lost is told when lines go out again."""
    monkeypatch.setattr(sink_module, "_MAX_WAITING_LINES", 10)
    stall(output, sink)
    for number in range(25):
        sink.write(str(number))
    assert sink.dropped == {"full": 15}
    output.is_open.set()
    output.wait_for("9")
    sink.write("last")
    output.wait_for("last")
    assert output.lines == ["stuck", "lost 15", *map(str, range(10)), "last"]


def test_the_queue_holds_a_thousand_lines(output, sink):
    """And no more."""
    stall(output, sink)
    for number in range(1500):
        sink.write(str(number))
    assert sink.dropped == {"full": 500}
    assert len(sink._lines) == 1000


def test_an_error_is_counted_and_told_later(output, sink):
    """The thread goes on; what is lost while lines are told to be lost counts as well."""
    output.fails = True
    stall(output, sink)
    sink.write("lost as well")
    sink.write("and this")
    output.is_open.set()
    sink.stop()
    assert sink.dropped == {"error": 3}
    assert output.lines == []
    assert not sink._thread.is_alive()


def test_when_it_works_again_lost_lines_are_told_once(output, sink):
    """Each loss in one line, before the first that goes out."""
    output.fails = True
    stall(output, sink)
    output.is_open.set()
    sink.write("lost")
    wait_until(lambda: sink.dropped["error"] == 2, what="both are lost")
    output.fails = False
    sink.write("first")
    sink.write("second")
    output.wait_for("second")
    assert output.lines == ["lost 2", "first", "second"]


def test_stop_writes_what_waits(output, sink):
    """All of it, when the output takes it; then the thread has ended."""
    sink.start()
    for number in range(500):
        sink.write(str(number))
    sink.stop()
    assert output.lines == [str(number) for number in range(500)]
    assert not sink._thread.is_alive()


def test_stop_has_an_end(output, sink, monkeypatch):
    """A write that never comes back keeps no process from ending."""
    monkeypatch.setattr(sink_module, "_STOP_TIMEOUT_S", 0.01)
    stall(output, sink)
    sink.write("waits")
    sink.stop()
    assert sink._thread.is_alive()
    assert output.lines == []
    output.is_open.set()
    sink._thread.join(TIMEOUT_S)
    assert output.lines == ["stuck", "waits"]


def test_stop_again_is_nothing(output, sink):
    """As is the stop of what never started."""
    sink.stop()
    sink.start()
    sink.stop()
    sink.stop()
    assert not sink._thread.is_alive()


def test_the_end_of_the_process_stops_it(sink, monkeypatch):
    """What waits then goes out; after a stop nothing is left to do."""
    registered = []
    monkeypatch.setattr(sink_module.atexit, "register", registered.append)
    monkeypatch.setattr(sink_module.atexit, "unregister", registered.remove)
    sink.start()
    assert registered == [sink.stop]
    sink.stop()
    assert registered == []
    monkeypatch.undo()
