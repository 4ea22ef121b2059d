"""The question whether a server is ready: every answer, and every way to get none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_twisted
from twisted.internet import reactor, ssl
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rtcsig.client.reach import ProbeFailed, trust_in
from rtcsig.client.readiness import ask_readiness, readyz_url
from rtcsig.client.verdict import Limits, Status, of_answer
from tests.support.certificates import make_certificate

READY = b'{"ready": true, "reasons": []}'
DRAINING = b'{"ready": false, "reasons": ["draining"]}'
MAX_BODY_BYTES = 65_536


class Readyz(Resource):
    """Answers always the same; ``seen`` has the request."""

    isLeaf = True  # noqa: N815 Twisted's name
    seen = None

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__()
        self._status = status
        self._body = body

    def render_GET(self, request):
        self.seen = request
        request.setResponseCode(self._status)
        return self._body


class Endless(Resource):
    """Sends what it has, and never ends the answer."""

    isLeaf = True  # noqa: N815 Twisted's name

    def __init__(self, *body: bytes) -> None:
        super().__init__()
        self._body = body

    def render_GET(self, request):
        for part in self._body:
            request.write(part)
        return NOT_DONE_YET


class Raw(Protocol):
    """Sends the factory's bytes when it is asked, and ends the connection."""

    def dataReceived(self, data):
        self.factory.asked += data
        self.transport.write(self.factory.answer)
        self.transport.loseConnection()


@asynccontextmanager
async def listening(factory, tls=None, host="127.0.0.1") -> AsyncIterator[str]:
    """A listener on the loopback, as ``HOST:PORT``."""
    if tls is None:
        port = reactor.listenTCP(0, factory, interface=host)
    else:
        port = reactor.listenSSL(0, factory, tls, interface=host)
    try:
        yield f"{host}:{port.getHost().port}"
    finally:
        await port.stopListening()


def served(resource):
    """The same with a web site."""
    return listening(Site(resource))


def answering(*raw: bytes):
    """The same with a server that sends these bytes."""
    return listening(raw_factory(*raw))


def raw_factory(*raw: bytes) -> Factory:
    """What such a server is made of; its ``asked`` is all that it was sent."""
    factory = Factory.forProtocol(Raw)
    factory.answer = b"".join(raw)
    factory.asked = b""
    return factory


async def ask(url, timeout_s=10.0, **how):
    """The answer of the server at ``url``."""
    return await ask_readiness(reactor, url, timeout_s, **how)


async def reason(url, timeout_s=10.0, **how):
    """Why there is no answer."""
    with pytest.raises(ProbeFailed) as failed:
        await ask(url, timeout_s, **how)
    return str(failed.value)


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, READY, Status.OK),
        (503, DRAINING, Status.CRITICAL),
        (403, b"Forbidden", Status.CRITICAL),
        (404, b"", Status.CRITICAL),
        (200, b"<html>", Status.CRITICAL),
        (200, READY.ljust(MAX_BODY_BYTES), Status.OK),
    ],
    ids=["ready", "not ready", "forbidden", "not found", "no JSON", "as large as it may be"],
)
@pytest_twisted.ensureDeferred
async def test_any_answer(status, body, verdict):
    """Status and body are handed on, with the time; the verdict is made of them."""
    async with served(Readyz(status, body)) as address:
        answer = await ask(f"http://{address}/")
    assert (answer.http_status, answer.body) == (status, body)
    assert 0 < answer.round_trip_s < 10
    said = of_answer("U", answer.http_status, answer.body, answer.round_trip_s, Limits())
    assert said.status is verdict


@pytest.mark.parametrize("token", [None, "s3cret=="])
@pytest_twisted.ensureDeferred
async def test_the_request(token):
    """It asks for JSON below the URL's path, with the token if there is one."""
    resource = Readyz(200, READY)
    async with served(resource) as address:
        await ask(f"ws://{address}/below/", token=token)
    assert (resource.seen.method, resource.seen.uri) == (b"GET", b"/below/readyz")
    assert resource.seen.getHeader("host") == address
    assert resource.seen.getHeader("accept") == "application/json"
    assert resource.seen.getHeader("authorization") == (token and f"Bearer {token}")


@pytest.mark.parametrize("resource", [Readyz(200, b"x" * 300_000), Endless(b"x" * 70_000)])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_too_large(resource):
    """It is not read to its end."""
    async with served(resource) as address:
        assert await reason(f"http://{address}/") == "an answer of more than 65536 bytes"


@pytest.mark.parametrize("parts", [(), (b'{"ready"',)], ids=["nothing", "half an answer"])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_does_not_end(parts):
    """The one time limit covers the body, too; it is said who was asked."""
    async with served(Endless(*parts)) as address:
        said = await reason(f"http://{address}/", 0.3)
    assert said == f"no answer in time from http://{address}/readyz"


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing():
    """A port that accepts and is silent fails in time."""
    async with listening(Factory.forProtocol(Protocol)) as address:
        assert "no answer in time" in await reason(f"http://{address}/", 0.3)
        assert "no answer in time" in await reason(f"https://{address}/", 0.3)


@pytest_twisted.ensureDeferred
async def test_an_answer_that_ends_with_the_connection():
    """A body without a length is whole when the server ends the connection."""
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", READY) as address:
        assert (await ask(f"http://{address}/")).body == READY


@pytest.mark.parametrize(
    "raw",
    [b"", b"SSH-2.0-nobody\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"],
    ids=["nothing", "no HTTP", "cut off"],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_whole_answer(raw):
    """It is said, with the address."""
    async with answering(raw) as address:
        said = await reason(f"http://{address}/")
    assert said.startswith(f"no whole HTTP answer from http://{address}/readyz: ")


@pytest_twisted.ensureDeferred
async def test_nobody_there():
    """Is said with the address."""
    async with listening(Factory()) as address:
        pass
    assert f"cannot connect to {address}: " in await reason(f"http://{address}/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, for a server with its key, and as PEM."""
    key, signed = make_certificate(tmp_path_factory.mktemp("tls"))
    return ssl.DefaultOpenSSLContextFactory(str(key), str(signed)), signed.read_bytes()


@pytest.fixture
def factory():
    """A server that is ready; Twisted's own site fails over TLS with old Twisted, new pyOpenSSL."""
    return raw_factory(b"HTTP/1.1 200 OK\r\n\r\n", READY)


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest_twisted.ensureDeferred
async def test_a_private_authority(factory, certificate, scheme):
    """A server with its certificate is asked."""
    tls, pem = certificate
    async with listening(factory, tls) as address:
        answer = await ask(f"{scheme}://{address}/", trust=trust_in(pem))
    assert answer.body == READY
    assert factory.asked.startswith(b"GET /readyz ")


@pytest_twisted.ensureDeferred
async def test_an_authority_that_nobody_knows(factory, certificate):
    """A certificate that the platform does not trust is not accepted."""
    async with listening(factory, certificate[0]) as address:
        said = await reason(f"https://{address}/")
    assert said.endswith("TLS: certificate verify failed")
    assert factory.asked == b""


@pytest_twisted.ensureDeferred
async def test_the_certificate_of_another_host(factory, certificate):
    """A trusted certificate for another host is not accepted, and nothing is asked."""
    tls, pem = certificate
    async with listening(factory, tls, "127.0.0.2") as address:
        said = await reason(f"https://{address}/", token="s3cret", trust=trust_in(pem))
    assert said.endswith("TLS: the certificate is for another host")
    assert factory.asked == b""


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h:8000/", "http://h:8000/readyz"),
        ("http://h", "http://h/readyz"),
        ("ws://h:8000/a/b/", "http://h:8000/a/b/readyz"),
        ("wss://h/a", "https://h/a/readyz"),
        ("https://[::1]:8443/", "https://[::1]:8443/readyz"),
    ],
)
def test_where_to_ask(url, target):
    """The path is below the URL's; the schemes of WebSocket are those of HTTP."""
    assert readyz_url(url) == target


@pytest.mark.parametrize(
    "url",
    [
        *("gaga", "127.0.0.1:8000", "ftp://h/", "http://", "http://[::1/", "http://h:port/"),
        *("http://h:0/", "http://h:99999/", "http://h/?a", "http://h/?", "http://h/#a"),
        *("http://user:secret@h/", "http://h /", "http://h/\r\nHost: x", "http://\xfc/"),
    ],
)
def test_a_url_that_is_none(url):
    """Is said, too."""
    with pytest.raises(ProbeFailed) as failed:
        readyz_url(url)
    assert str(failed.value).startswith(f"{url}: ")


@pytest_twisted.ensureDeferred
async def test_a_host_that_cannot_be():
    """A name that is none is a reason like any other."""
    assert "http://a..b/readyz" in await reason("http://a..b/")


@pytest.mark.parametrize("pem", [b"", b"gaga"])
def test_a_file_without_certificates(pem):
    """Trust in nobody is refused: no server could be reached."""
    with pytest.raises(ValueError, match="has no certificate in PEM"):
        trust_in(pem)


def test_a_certificate_that_cannot_be_read():
    """It is refused, however the rest of the file is."""
    with pytest.raises(ValueError, match="has a certificate that cannot be read"):
        trust_in(b"-----BEGIN CERTIFICATE-----\ngaga\n-----END CERTIFICATE-----\n")


def test_several_certificates(certificate):
    """A file may have more than one authority."""
    assert trust_in(certificate[1] * 2) is not None
