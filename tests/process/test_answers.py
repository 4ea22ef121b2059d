"""What is no upgrade, or none that is allowed, is answered over HTTP as the RFCs say."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.peer import Peer, request
from tests.support.server import ServerProcess

PAGE = "https://example.org"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """A server with one mount below the root, for pages of one origin."""
    with ServerProcess("--mount=/rtc=datachannel", f"--allow-origin={PAGE}") as started:
        yield started


def answer_to(peer: Peer, said: bytes) -> tuple[int, dict[str, str], str]:
    """The answer to a request as it stands; the server ends the connection after it."""
    peer.socket.sendall(said)
    answer = peer.http_answer()
    assert peer.wait_for_end() == "eof"
    assert answer[1]["connection"].startswith("close")
    return answer


def without(line: str) -> bytes:
    """An upgrade request that lacks the header line that begins like this."""
    lines = request("/rtc/ann").split(b"\r\n")
    kept = [kept for kept in lines if not kept.startswith(line.encode())]
    assert len(kept) == len(lines) - 1
    return b"\r\n".join(kept)


def test_a_plain_get(server, connect):
    """A request without an upgrade is answered 426, which names what to upgrade to."""
    said = b"GET /rtc/ann HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, fields, _ = answer_to(connect(server), said)
    assert status == 426
    assert fields["upgrade"] == "websocket"


def test_another_version_of_the_protocol(server, connect):
    """Version 12 is answered 426, with the version that is spoken (RFC 6455, 4.4)."""
    said = request("/rtc/ann").replace(b"Version: 13", b"Version: 12")
    status, fields, _ = answer_to(connect(server), said)
    assert status == 426
    assert fields["sec-websocket-version"] == "13"


def test_another_method(server, connect):
    """POST is answered 405, which names the method that is allowed."""
    said = request("/rtc/ann").replace(b"GET ", b"POST ")
    status, fields, _ = answer_to(connect(server), said)
    assert status == 405
    assert fields["allow"] == "GET"


def test_http_1_0(server, connect):
    """An old version of HTTP is answered 505."""
    said = request("/rtc/ann").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert answer_to(connect(server), said)[0] == 505


@pytest.mark.parametrize("line", ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Host"])
def test_a_missing_header(server, connect, line):
    """An upgrade that lacks a header is answered 400."""
    assert answer_to(connect(server), without(line))[0] == 400


@pytest.mark.parametrize("path", ["/", "/rtcx/ann", "/other"])
def test_no_mount(server, connect, path):
    """A path that no mount holds is answered 404."""
    assert answer_to(connect(server), request(path))[0] == 404


@pytest.mark.parametrize("path", ["/rtc", "/rtc/", "/rtc/%ff", f"/rtc/{'a' * 129}", "/rtc/%00"])
def test_a_bad_peer_id(server, connect, path):
    """A path without a usable peer id is answered 400."""
    assert answer_to(connect(server), request(path))[0] == 400


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"\r\n\r\n", b"GET\r\n\r\n"])
def test_no_http_at_all(server, connect, said):
    """What cannot be read is answered 400."""
    assert answer_to(connect(server), said)[0] == 400


@pytest.mark.parametrize(
    "origin", ["https://other.example", "http://example.org", f"{PAGE}:444", "null"]
)
def test_another_origin(server, connect, origin):
    """A page of another origin is answered 403, and ``null`` is another one."""
    said = request("/rtc/ann", f"Origin: {origin}")
    status, fields, body = answer_to(connect(server), said)
    assert status == 403
    assert origin not in f"{fields}{body}"


def test_an_origin_that_is_none(server, connect):
    """What cannot be read as an origin is answered 400."""
    assert answer_to(connect(server), request("/rtc/ann", "Origin: nonsense"))[0] == 400


@pytest.mark.parametrize("lines", [[], [f"Origin: {PAGE}"], [f"Origin: {PAGE}:443"]])
def test_an_allowed_origin(server, connect, lines):
    """The allowed origin, and a client that is no page, are let in."""
    connect(server, "/rtc/ann", *lines).close()


def test_a_subprotocol_that_nobody_speaks(server, connect):
    """An offer of subprotocols is no reason to refuse, and none is chosen."""
    peer = connect(server)
    status, fields, _ = peer.upgrade("/rtc/ann", "Sec-WebSocket-Protocol: one, two")
    assert status == 101
    assert "sec-websocket-protocol" not in fields
    peer.close()


def test_the_client_is_not_quoted(server, connect):
    """Nothing of what a client says stands in an answer."""
    said = request("/rtc/<script>%01", "Origin: https://<script>", "X: <script>")
    said = said.replace(b"Version: 13", b"Version: <script>")
    _, fields, body = answer_to(connect(server), said)
    assert "script" not in f"{fields}{body}"


def test_a_client_that_shuts_its_side_gets_its_answer(server, connect):
    """As ``nc -N`` does: the answer is not thrown away because the request is over."""
    peer = connect(server)
    peer.socket.sendall(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    peer.socket.shutdown(socket.SHUT_WR)
    assert peer.http_answer()[0] == 426
    assert peer.wait_for_end() == "eof"
