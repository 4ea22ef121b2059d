"""curl, as health checks and people use it, at one running server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.certificates import make_certificate
from tests.support.peer import Peer
from tests.support.server import ServerProcess, wait_until

pytestmark = pytest.mark.needs("curl")

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
HTML = "text/html; charset=utf-8"
KINDS = {"/healthz": JSON, "/readyz": JSON, "/metrics": METRICS, "/": HTML}
ADMIN = "--admin-listen=tcp:0:interface=127.0.0.1"
# Of networks for documentation (RFC 5737): nobody is there.
ELSEWHERE, CLIENT = "192.0.2.0/24", "192.0.2.1"
TIMEOUT_S = "20"


@dataclass(frozen=True)
class Answer:
    """What curl got."""

    status: int
    fields: dict[str, str]
    body: str


def curl(url: str, *arguments: str) -> Answer:
    """Ask for a URL, past all proxies of the machine; the body is what is behind the head."""
    command = ["curl", "--silent", "--show-error", "--include", "--noproxy", "*"]
    done = subprocess.run(
        [*command, "--max-time", TIMEOUT_S, *arguments, url],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr, done.stdout)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    status_line, *lines = head.split("\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(status_line.split()[1]), fields, body)


def admin_port(server: ServerProcess) -> int:
    """The port of the listener that was opened last."""
    listens = re.compile(r"rtcsig listens on \S+ 127\.0\.0\.1:(\d+)\n")
    ports = wait_until(lambda: listens.findall(server.log)[1:], what="the admin port listens")
    return int(ports[0])


def signals(server: ServerProcess) -> bool:
    """Whether two peers reach each other."""
    with Peer(server.port, "/ann") as ann, Peer(server.port, "/bob") as bob:
        ann.send({"id": "bob", "type": "offer"})
        return bob.receive() == {"id": "ann", "type": "offer"}


@pytest.fixture(scope="module", params=["same-port", "admin-listen"])
def pages(request) -> Iterator[str]:
    """Where the pages are, of a server whose peers connect there too or elsewhere.

    In the end two peers still reach each other.
    """
    flags = [ADMIN] if request.param == "admin-listen" else []
    with ServerProcess(*flags) as server:
        port = admin_port(server) if flags else server.port
        yield f"http://127.0.0.1:{port}"
        assert signals(server)


@pytest.mark.parametrize(("path", "kind"), KINDS.items())
def test_a_page_can_be_read(pages, path, kind):
    """With its kind, as new as it is, and with the length that is announced."""
    answer = curl(pages + path)
    assert answer.status == 200
    assert answer.fields["content-type"] == kind
    assert answer.fields["cache-control"] == "no-store"
    assert int(answer.fields["content-length"]) == len(answer.body.encode())


@pytest.mark.parametrize(("path", "kind"), KINDS.items())
def test_a_page_can_be_asked_for_its_head(pages, path, kind):
    """HEAD has the head of GET and nothing behind it."""
    answer = curl(pages + path, "--head")
    assert (answer.status, answer.fields["content-type"], answer.body) == (200, kind, "")
    assert int(answer.fields["content-length"]) > 0


@pytest.mark.parametrize("flag", ["--http1.0", "--http2"])
def test_other_versions_of_http(pages, flag):
    """One older is answered, and the offer of a newer one is not taken up."""
    answer = curl(f"{pages}/healthz", flag)
    assert (answer.status, json.loads(answer.body)["healthy"]) == (200, True)


def test_what_the_pages_say(pages):
    """It works, takes newcomers, and counts."""
    assert json.loads(curl(f"{pages}/healthz").body) == {"healthy": True, "faults": []}
    ready = json.loads(curl(f"{pages}/readyz?verbose").body)
    assert (ready["ready"], ready["reasons"]) == (True, [])
    assert ready["connections"] <= ready["max_connections"]
    assert "\n# TYPE rtcsig_upgrades_total counter\n" in curl(f"{pages}/metrics").body
    assert "<code>/</code></td><td>datachannel</td>" in curl(f"{pages}/").body


def test_a_path_without_a_page(pages):
    """It says so: 404 where only pages are, else that a WebSocket would be."""
    answer = curl(f"{pages}/nothing")
    assert answer.status in {404, 426}
    assert answer.fields["content-type"] == TEXT


@pytest.mark.parametrize("how", [(), ("--parallel",)], ids=["in-turn", "at-once"])
def test_several_pages_by_one_curl(pages, how):
    """It would keep its connection for the next one, and gets every answer all the same."""
    urls = [pages + path for path in KINDS]
    status = ["--write-out", "\n%{http_code}\n", "--max-time", TIMEOUT_S]
    done = subprocess.run(
        ["curl", "--silent", "--noproxy", "*", *status, *how, *urls],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^200$", done.stdout, re.MULTILINE)) == len(urls)


@pytest.mark.parametrize("header", [f"X-Forwarded-For: {CLIENT}", f"Forwarded: for={CLIENT}"])
def test_a_proxy_that_nobody_named_lets_nobody_in(pages, header):
    """That the proxy itself is near says nothing of whom it brings."""
    for path in KINDS:
        answer = curl(pages + path, "--header", header)
        assert (answer.status, answer.fields["content-type"]) == (403, TEXT)
        assert "--admin-allow" in answer.body


def test_a_named_proxy_brings_its_clients():
    """Those of the networks that may read, and no others."""
    with ServerProcess("--trusted-proxy=127.0.0.1", f"--admin-allow={ELSEWHERE}") as server:
        url = f"{server.url.replace('ws', 'http', 1)}/readyz"
        assert curl(url, "--header", f"X-Forwarded-For: {CLIENT}").status == 200
        assert curl(url, "--header", "X-Forwarded-For: 198.51.100.1").status == 403
        assert curl(url).status == 403
        assert signals(server)


def test_a_token_opens_from_anywhere(tmp_path):
    """Who shows it may read; who shows another or none may not, wherever they are."""
    token = tmp_path / "token"
    token.write_text("a-token-of-a-test\n")
    with ServerProcess(f"--admin-allow={ELSEWHERE}", f"--admin-token-file={token}") as server:
        for path in KINDS:
            url = f"http://127.0.0.1:{server.port}{path}"
            assert curl(url).status == 403
            assert curl(url, "--oauth2-bearer", "another").status == 403
            assert curl(url, "--oauth2-bearer", "a-token-of-a-test").status == 200
        assert signals(server)


def test_over_tls(tmp_path):
    """Where peers connect over TLS, the pages are read over TLS."""
    key, certificate = make_certificate(tmp_path)
    listener = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    with ServerProcess(listen=[listener]) as server:
        for path, kind in KINDS.items():
            answer = curl(f"https://127.0.0.1:{server.port}{path}", "--cacert", str(certificate))
            assert (answer.status, answer.fields["content-type"]) == (200, kind)
