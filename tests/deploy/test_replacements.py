"""What is replaced in a file is in it: or else something other than the file would be tried."""

from __future__ import annotations

import pytest

from tests.deploy.proxies import replaced, server_flags


def test_all_is_replaced():
    """In the order of the replacements."""
    assert replaced("a b c", {"a": "x y", "y": "z"}) == "x z b c"


@pytest.mark.parametrize("text", ["nothing", "one of one"])
def test_what_is_not_there_once(text):
    """Neither the missing nor the ambiguous is passed over."""
    with pytest.raises(ValueError, match="'one' to be replaced"):
        replaced(text, {"one": "other"})


def test_flags():
    """All of them, also those on a second line."""
    assert server_flags("nginx.conf") == ["--trusted-proxy", "127.0.0.1"]
    assert server_flags("haproxy.cfg", {"8001": "1"})[2:] == [
        "--proxy-protocol", "tcp:8000:interface=127.0.0.1",
        "--admin-listen", "tcp:1:interface=127.0.0.1",
    ]  # fmt: skip
