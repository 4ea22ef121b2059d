"""What a supervisor hands down."""

from __future__ import annotations

from rtcsig.ops.inheritance import VARIABLE, Inheritance
from rtcsig.settings import Settings

GIVEN = Inheritance(("tcp:1", "unix:/x"), ("tcp:2",), ("tcp:1",), 7)


def test_it_arrives_as_it_was_given():
    """Through a variable of the environment."""
    assert Inheritance.of({VARIABLE: GIVEN.text()}) == GIVEN


def test_nobody_supervises():
    """Then there is nothing."""
    assert Inheritance.of({}) is None
    assert Inheritance.of({VARIABLE: ""}) is None


def test_the_sockets_follow_the_standard_descriptors():
    """One for each listener, in their order."""
    assert GIVEN.descriptors == [3, 4, 5]


def test_the_listeners_are_those_that_there_are():
    """Whatever the settings say by now; the rest is theirs."""
    settings = GIVEN.of_settings(Settings(listen=("tcp:9",), backlog=5))
    assert (settings.listen, settings.admin_listen) == (GIVEN.listen, GIVEN.admin_listen)
    assert (settings.proxy_protocol, settings.backlog) == (("tcp:1",), 5)
