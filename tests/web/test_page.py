"""The page for people."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest

from rtcsig import __version__
from rtcsig.web import page as page_module
from rtcsig.web.page import CONTENT_SECURITY_POLICY, page


def text_of(*mounts: tuple[str, str], is_apart: bool = False) -> str:
    """The page of a server with these mounts."""
    return page(list(mounts), "machine", is_apart=is_apart).decode()


def test_it_says_what_it_is_and_where():
    """Version, machine, and each mount with its dialect."""
    text = text_of(("/", "datachannel"), ("/rtc", "echo"))
    assert f"version {__version__}, on machine" in text
    assert re.findall(
        r'<code>(.*?)</code></td><td>(\w+)</td><td><code data-path="(.*?)">', text
    ) == [
        ("/", "datachannel", "/"),
        ("/rtc", "echo", "/rtc"),
    ]
    assert "{{" not in text


def test_a_page_on_a_port_of_its_own():
    """Does not send peers to that port."""
    text = text_of(("/", "datachannel"), is_apart=True)
    assert "on another port" in text
    assert 'data-path="' not in text.partition("<script>")[0]


def test_what_settings_say_is_text():
    """A mount's path and a machine's name are shown and not run."""
    text = page([("/<b>&\"'", "echo")], "<i>", is_apart=False).decode()
    assert "<b>" not in text
    assert "<i>" not in text
    assert "/&lt;b&gt;&amp;&quot;&#x27;" in text


@pytest.mark.parametrize("element", ["script", "style"])
def test_only_its_own_code_may_run(element):
    """The policy has the hash of the one script and the one style, and forbids all else."""
    found = re.findall(rf"<{element}>(.*?)</{element}>", text_of(("/", "echo")), re.DOTALL)
    (own,) = found
    digest = b64encode(sha256(own.encode()).digest()).decode()
    assert f"{element}-src 'sha256-{digest}';" in CONTENT_SECURITY_POLICY.decode()
    assert CONTENT_SECURITY_POLICY.startswith(b"default-src 'none';")
    assert b"unsafe" not in CONTENT_SECURITY_POLICY


def test_a_page_without_such_an_element():
    """Would have a policy that forbids itself: that is found when it is made."""
    with pytest.raises(ValueError, match="the page has no video"):
        page_module._source("video")
