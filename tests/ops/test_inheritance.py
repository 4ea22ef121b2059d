"""What a supervisor hands down."""

from __future__ import annotations

import json

from rtcsig.ops.inheritance import VARIABLE, Inheritance
from rtcsig.settings import Settings

SETTINGS = Settings(
    listen=("tcp:1", "unix:/x"),
    admin_listen=("tcp:2",),
    proxy_protocol=("tcp:1",),
    mount=(("/", "echo"), ("/b", "datachannel")),
    supervise=True,
    drain_s=1.5,
)
GIVEN = Inheritance(SETTINGS, 7)


def test_it_arrives_as_it_was_given():
    """Through a variable of the environment."""
    assert Inheritance.of({VARIABLE: GIVEN.text()}) == GIVEN


def test_nobody_supervises():
    """Then there is nothing."""
    assert Inheritance.of({}) is None
    assert Inheritance.of({VARIABLE: ""}) is None


def test_a_supervisor_of_another_version():
    """Runs on while the package below it is exchanged: what is not known is passed over."""
    values = {"backlog": 5, "of_yesterday": 1}
    handed_down = Inheritance.of({VARIABLE: json.dumps({"settings": values, "restarts": 1})})
    assert handed_down == Inheritance(Settings(backlog=5), 1)


def test_the_sockets_follow_the_standard_descriptors():
    """One for each listener, in their order."""
    assert GIVEN.descriptors == [3, 4, 5]


def test_the_listeners_are_those_that_there_are():
    """Whatever the settings say by now; the rest is theirs."""
    settings = GIVEN.with_its_listeners(Settings(listen=("tcp:9",), backlog=5))
    assert (settings.listen, settings.admin_listen) == (SETTINGS.listen, SETTINGS.admin_listen)
    assert (settings.proxy_protocol, settings.backlog) == (("tcp:1",), 5)
