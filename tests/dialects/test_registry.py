"""Which dialect answers under which path."""

from __future__ import annotations

import pytest

from rtcsig.codes import Refusal
from rtcsig.dialects import DIALECTS, Mount, MountTable, Session
from rtcsig.hub import Namespace
from tests.support.links import RecordingLink


def table_of(*paths: str) -> MountTable:
    """A table with the echo dialect under each path."""
    return MountTable([Mount(path, DIALECTS["echo"], Namespace(path)) for path in paths])


def found(table: MountTable, path: str) -> tuple[str, str]:
    """The path of the mount, and the rest."""
    mount, rest = table.find(path)
    return mount.path, rest


@pytest.mark.parametrize(
    ("path", "mount", "rest"),
    [
        ("/", "/", "/"),
        ("/a", "/", "/a"),
        ("/rtc", "/rtc", "/"),
        ("/rtc/", "/rtc", "/"),
        ("/rtc/a/b", "/rtc", "/a/b"),
        ("/rtc//a", "/rtc", "//a"),
        ("/rtcx", "/", "/rtcx"),
        ("/RTC", "/", "/RTC"),
        ("/rtc/echo", "/rtc/echo/", "/"),
        ("/rtc/echo/a", "/rtc/echo/", "/a"),
        ("/rtc/echoes", "/rtc", "/echoes"),
        ("/x/rtc", "/", "/x/rtc"),
    ],
)
def test_the_longest_mount_answers(path, mount, rest):
    """Mounts end at segment borders, and their order does not matter."""
    paths = ["/", "/rtc", "/rtc/echo/"]
    assert found(table_of(*paths), path) == (mount, rest)
    assert found(table_of(*reversed(paths)), path) == (mount, rest)


@pytest.mark.parametrize("path", ["/", "/rt", "/rtcx", "/x/rtc"])
def test_outside_all_mounts_is_404(path):
    """A path that no mount holds is refused before a session is made."""
    with pytest.raises(Refusal) as caught:
        table_of("/rtc").find(path)
    assert caught.value.status == 404


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_makes_sessions(name):
    """A dialect is known by its own name and has sessions with a namespace and a link."""
    dialect = DIALECTS[name]
    assert dialect.name == name
    assert isinstance(dialect.session(Namespace("/"), RecordingLink("/peer")), Session)


def test_the_dialects_cannot_be_changed():
    """The registry is read by all, and written by nobody."""
    with pytest.raises(TypeError):
        DIALECTS["echo"] = None
