"""The probe: through a server that works, and what it says of others."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from rtcsig.client.probe import ProbeFailed, probe
from rtcsig.server import SignallingService
from rtcsig.settings import Settings


async def served(**settings):
    """A service and its URL."""
    service = SignallingService(
        Settings(listen=("tcp:0:interface=127.0.0.1",), **settings), reactor
    )
    service.privilegedStartService()
    service.startService()
    return service, f"ws://127.0.0.1:{service.ports[0].getHost().port}"


@pytest_twisted.ensureDeferred
async def test_a_server_that_works():
    """A message goes there and back; the probe leaves nothing behind."""
    service, url = await served()
    assert 0 < await probe(reactor, f"{url}/", 10) < 10
    await service.stopService()
    assert service.house.ledger.numbered == 2


async def reason(url, timeout_s=10.0):
    """Why a probe fails."""
    with pytest.raises(ProbeFailed) as failed:
        await probe(reactor, url, timeout_s)
    return str(failed.value)


@pytest_twisted.ensureDeferred
async def test_a_mount_that_is_another_protocol():
    """An echo goes nowhere; the answer names what was waited for."""
    service, url = await served(mount=(("/", "echo"),))
    assert "passing a message" in await reason(url, 0.5)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_server_that_refuses():
    """Its status is the reason."""
    service, url = await served(mount=(("/elsewhere", "datachannel"),))
    assert "404" in await reason(url)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_server_that_says_nothing():
    """Fails in time, with what was waited for."""
    port = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
    assert "connecting" in await reason(f"ws://127.0.0.1:{port.getHost().port}/", 0.3)
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_nobody_there():
    """Is said with the address."""
    port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
    number = port.getHost().port
    await port.stopListening()
    assert f"127.0.0.1:{number}" in await reason(f"ws://127.0.0.1:{number}/")


@pytest.mark.parametrize("url", ["gaga", "http://127.0.0.1/", "ws://127.0.0.1:99999/", "ws://"])
@pytest_twisted.ensureDeferred
async def test_a_url_that_is_none(url):
    """Is said, too."""
    assert url.rstrip("/") in await reason(url)
