"""What settings come to, and what is said of those that come to nothing."""

from __future__ import annotations

import pytest

from rtcsig.hub import Hub
from rtcsig.rules import rules_of
from rtcsig.settings import SettingError, Settings


def nobody(_: str) -> list[str]:
    """A request without header fields."""
    return []


def test_each_mount_has_peers_of_its_own():
    """Another dialect under the same path, after a reload, meets others as well."""
    hub = Hub()
    before = rules_of(Settings(mount=(("/", "datachannel"),)), hub).mounts.mounts[0]
    again = rules_of(Settings(mount=(("/", "datachannel"),)), hub).mounts.mounts[0]
    other = rules_of(Settings(mount=(("/", "echo"),)), hub).mounts.mounts[0]
    assert before.namespace is again.namespace
    assert before.namespace is not other.namespace
    assert {namespace.name for namespace in hub} == {"/=datachannel", "/=echo"}


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"mount": (("/", "gaga"),)}, "mount: there is no dialect 'gaga'; there are datachannel"),
        ({"allow_origin": ("gaga",)}, "allow_origin: "),
        ({"trusted_proxy": ("gaga",)}, "trusted_proxy: 'gaga' is no network"),
        ({"admin_allow": ("gaga",)}, "admin_allow: 'gaga' is no network"),
        ({"admin_token_file": "/nowhere"}, "admin_token_file: /nowhere: No such file"),
    ],
)
def test_a_mistake_names_its_setting(settings, line):
    """In one line."""
    with pytest.raises(SettingError, match=line) as error:
        rules_of(Settings(**settings), Hub())
    assert "\n" not in str(error.value)


def token_of(path) -> str:
    """A file for a token, as a setting."""
    return rules_of(Settings(admin_token_file=str(path), admin_allow=()), Hub()).access


def test_a_token_is_what_a_line_holds(tmp_path):
    """Without the space around it."""
    path = tmp_path / "token"
    path.write_text(" secret\n")
    access = token_of(path)
    assert access.admits("192.0.2.1", lambda name: ["Bearer secret"] * (name == "authorization"))
    assert not access.admits("192.0.2.1", nobody)


@pytest.mark.parametrize(("content", "line"), [(b" \n", "is empty"), (b"\xff", "is no UTF-8")])
def test_a_token_that_is_none(tmp_path, content, line):
    """Lets nobody in by mistake: it ends the start."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=f"admin_token_file: .*: {line}"):
        token_of(path)
