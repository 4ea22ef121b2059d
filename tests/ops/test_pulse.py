"""How late the reactor is, and what follows from it; time by hand."""

from __future__ import annotations

import pytest
from twisted.logger import Logger

from rtcsig.codes import Refusal
from rtcsig.door.descriptors import descriptor_limit
from rtcsig.door.ledger import Ledger
from rtcsig.door.report import Reporter
from rtcsig.door.turnstile import SourceLimits, Turnstile
from rtcsig.ops import pulse as pulse_module
from rtcsig.ops.pulse import BEAT_S, Pulse
from tests.support.memory import SteadyClock

MAX_LAG_S = 1.0


class Watched:
    """A pulse, with what is around it."""

    def __init__(self, max_lag_s=MAX_LAG_S):
        self.clock = SteadyClock()
        self.ledger = Ledger()
        self.turnstile = Turnstile(10, SourceLimits())
        self.reporter = Reporter(Logger("rtcsig"), self.clock, self.ledger)
        self.pulse = Pulse(self.ledger, self.turnstile, self.reporter, self.clock, max_lag_s)


@pytest.fixture
def watched():
    """A pulse that beats."""
    watched = Watched()
    watched.pulse.start()
    return watched


def test_the_first_beat_comes_at_once(watched):
    """What is known of the process is known from the start."""
    assert watched.ledger.descriptors > 0
    assert watched.ledger.descriptor_limit == descriptor_limit()
    assert watched.ledger.lag_s == 0
    assert not watched.turnstile.is_lagging


def test_a_reactor_in_time_lets_everybody_in(watched, logged):
    """For an hour of beats that come when they are due."""
    watched.clock.advance(3600)
    assert watched.ledger.lag_s == pytest.approx(0, abs=1e-6)
    watched.turnstile.enter()
    assert logged.events == []


def test_a_reactor_that_stood_still_lets_nobody_in(watched, logged):
    """The first beat afterwards closes the turnstile, the next in time opens it."""
    watched.clock.leap(BEAT_S + 1.5)
    assert watched.ledger.lag_s == pytest.approx(1.5)
    with pytest.raises(Refusal) as caught:
        watched.turnstile.enter()
    assert caught.value.status == 503
    watched.clock.advance(BEAT_S)
    assert watched.ledger.lag_s == pytest.approx(0)
    watched.turnstile.enter()
    (line,) = logged.lines("reactor lags")
    assert line["log_level"].name == "warn"
    assert line["fields"]["lag_s"] == 1.5
    assert line["fields"]["max_lag_s"] == MAX_LAG_S


@pytest.mark.parametrize(("lag_s", "is_lagging"), [(0.5, False), (1.0, False), (1.25, True)])
def test_the_bound_itself_is_no_lag(watched, lag_s, is_lagging):
    """Only what is later is."""
    watched.clock.leap(BEAT_S + lag_s)
    assert watched.turnstile.is_lagging is is_lagging
    assert watched.ledger.lag_s == lag_s


def test_a_lag_that_lasts_is_told_once(watched, logged):
    """When it begins, not at each beat; and again when it begins again."""
    for _ in range(3):
        watched.clock.leap(BEAT_S + 2)
        assert watched.turnstile.is_lagging
    assert len(logged.lines("reactor lags")) == 1
    watched.clock.advance(BEAT_S)
    watched.clock.leap(BEAT_S + 2)
    assert len(logged.lines("reactor lags")) == 2


def test_without_a_bound_lag_is_measured_only(logged):
    """0 lets everybody in, however late."""
    watched = Watched(max_lag_s=0)
    watched.pulse.start()
    watched.clock.leap(100)
    assert watched.ledger.lag_s == pytest.approx(100 - BEAT_S)
    assert not watched.turnstile.is_lagging
    assert logged.events == []


def test_a_clock_that_goes_back_is_no_lag(watched):
    """A beat that comes early is in time."""
    watched.pulse._note_lag(-5)
    assert watched.ledger.lag_s == 0
    assert not watched.turnstile.is_lagging


def test_descriptors_are_counted_now_and_then(monkeypatch):
    """Not at each beat: it is a walk over all of them."""
    counts = []
    monkeypatch.setattr(pulse_module, "descriptors_in_use", lambda: counts.append(1) or 7)
    watched = Watched()
    watched.pulse.start()
    watched.clock.advance(60)
    assert watched.ledger.descriptors == 7
    assert 60 / 6 <= len(counts) <= 60 / 4


def test_after_its_stop_nothing_beats(watched):
    """No timer is left behind, and to stop twice is once."""
    watched.pulse.stop()
    watched.pulse.stop()
    assert not watched.clock.getDelayedCalls()


def test_what_never_started_can_be_stopped():
    """A server whose start failed stops all the same."""
    watched = Watched()
    watched.pulse.stop()
    assert not watched.clock.getDelayedCalls()
