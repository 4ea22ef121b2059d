"""Echo: what comes goes back."""

from __future__ import annotations

import pytest

from rtcsig.dialects.echo import EchoSession
from rtcsig.hub import Namespace
from tests.support.links import RecordingLink


@pytest.fixture
def link():
    """A connection."""
    return RecordingLink()


@pytest.fixture
def session(link):
    """An open session on it."""
    session = EchoSession(Namespace("/"), link)
    session.opened()
    return session


def test_nothing_is_said_first(session, link):
    """An echo begins with the client."""
    assert (link.sent, link.sent_binary) == ([], [])


def test_text_goes_back_as_text(session, link):
    """The bytes of a text message come back, whatever they say."""
    session.received("{é".encode())
    session.received(b"")
    assert (link.sent, link.sent_binary) == (["{é".encode(), b""], [])


def test_binary_goes_back_as_binary(session, link):
    """Also what is no UTF-8."""
    session.received_binary(b"\xff\x00")
    assert (link.sent, link.sent_binary) == ([], [b"\xff\x00"])


def test_its_end_leaves_nothing(link):
    """An echo takes no id, and closes nobody."""
    namespace = Namespace("/")
    session = EchoSession(namespace, link)
    session.opened()
    session.closed()
    assert len(namespace) == 0
    assert link.closes == []
