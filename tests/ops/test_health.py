"""Whether the server works, and whether it takes newcomers."""

from __future__ import annotations

import pytest

from rtcsig.door.turnstile import SourceLimits, Turnstile
from rtcsig.ops.health import REASONS, Health


class Gate:
    """A listener's gate, in the state that the test wants."""

    listener = "tcp:1"
    dead = False
    is_in_trouble = False

    def is_dead(self) -> bool:
        return self.dead


@pytest.fixture
def turnstile() -> Turnstile:
    """Room for one."""
    return Turnstile(1, SourceLimits())


@pytest.fixture
def gate() -> Gate:
    """One that is well."""
    return Gate()


@pytest.fixture
def health(turnstile, gate) -> Health:
    """Of a server with this gate."""
    return Health(turnstile, lambda: [gate])


def test_a_server_that_is_well(health):
    """Has nothing to tell."""
    assert (health.faults(), health.reasons()) == ([], [])


def test_a_full_server_works(health, turnstile):
    """It takes nobody, and to restart it would throw everybody out."""
    turnstile.enter()
    assert (health.faults(), health.reasons()) == ([], ["full"])


def test_a_reactor_that_lags(health, turnstile):
    """Is a fault, and no newcomer is sent there."""
    turnstile.is_lagging = True
    assert (health.faults(), health.reasons()) == (["the reactor lags"], ["lagging"])


def test_a_listener_that_nobody_watches(health, gate):
    """Would never be noticed otherwise: nobody comes who could complain."""
    gate.dead = True
    assert health.faults() == ["tcp:1 does not listen"]


def test_a_listener_that_pauses(health, gate):
    """Is not dead: it waits, and so do newcomers."""
    gate.is_in_trouble = True
    assert (health.faults(), health.reasons()) == ([], ["paused"])


def test_the_end_is_no_fault(health, turnstile, gate):
    """Listeners that are closed on purpose are not missed."""
    turnstile.is_draining = gate.dead = True
    assert (health.faults(), health.reasons()) == ([], ["draining"])


def test_all_reasons_at_once(health, turnstile, gate):
    """Each by the word that the metrics have for it, the gravest first."""
    turnstile.enter()
    turnstile.is_draining = turnstile.is_lagging = gate.is_in_trouble = True
    assert tuple(health.reasons()) == REASONS
