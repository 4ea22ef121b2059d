"""The service: what starts and stops, in one process with the test."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.internet.threads import deferToThread

from rtcsig import listening
from rtcsig.listening import CannotStart
from rtcsig.server import SignallingService
from rtcsig.settings import SettingError, Settings
from tests.support.peer import Peer

ANYWHERE = "tcp:0:interface=127.0.0.1"


async def started(**settings):
    """A service that listens, and its first port."""
    service = SignallingService(Settings(listen=(ANYWHERE,), **settings), reactor)
    service.privilegedStartService()
    service.startService()
    return service, service.ports[0].getHost().port


@pytest_twisted.ensureDeferred
async def test_stopping_closes_every_connection():
    """Open ones get 1001; afterwards nothing is left and nobody gets in."""
    service, port = await started()
    peer = await deferToThread(Peer, port, "/a")
    stopped = service.stopService()

    def goes():
        code = peer.receive_frame().close_code
        peer.send_frame(8, b"\x03\xe9")
        peer.wait_for_end()
        peer.socket.close()
        return code

    assert await deferToThread(goes) == 1001
    await stopped
    assert not service.house.connections
    with pytest.raises(ConnectionRefusedError):
        await deferToThread(Peer, port, "/a")


@pytest_twisted.ensureDeferred
async def test_stopping_has_an_end():
    """A peer that does not answer the close is cut after ``close_timeout_s``."""
    service, port = await started(close_timeout_s=0.2)
    peer = await deferToThread(Peer, port, "/a")
    await service.stopService()
    assert service.house.ledger.timeouts == {"close": 1}
    assert await deferToThread(peer.wait_for_end) == "reset"
    peer.socket.close()


@pytest_twisted.ensureDeferred
async def test_mounts_are_worlds_of_their_own():
    """Peers of different mounts never see each other."""
    service, port = await started(mount=(("/one", "datachannel"), ("/two", "datachannel")))

    def talk():
        with Peer(port, "/one/a") as one, Peer(port, "/two/b") as two:
            one.send({"id": "b"})
            assert one.receive()["code"] == "peer-not-found"
            two.send({"id": "b", "n": 1})
            assert two.receive() == {"id": "b", "n": 1}
            one.close()
            two.close()

    await deferToThread(talk)
    await service.stopService()


@pytest_twisted.ensureDeferred
async def test_a_taken_port_is_an_error_that_names_it():
    """The endpoint and the reason."""
    service, port = await started()
    taken = SignallingService(Settings(listen=(f"tcp:{port}:interface=127.0.0.1",)), reactor)
    with pytest.raises(CannotStart, match=f"tcp:{port}.*Address already in use"):
        taken.privilegedStartService()
    await service.stopService()


class LateEndpoint:
    """An endpoint that does not answer at once, or not with an OSError."""

    def __init__(self, answer):
        self._answer = answer

    def listen(self, factory):
        return self._answer


def test_an_endpoint_that_fails_otherwise(monkeypatch):
    """Its own words are the reason."""
    failing = Deferred()
    failing.errback(RuntimeError("why"))
    monkeypatch.setattr(listening, "endpoint_of", lambda *_: LateEndpoint(failing))
    with pytest.raises(CannotStart, match="why"):
        SignallingService(Settings(), MemoryReactorClock()).privilegedStartService()


def test_an_endpoint_that_fails_late_is_logged(monkeypatch, logged):
    """Nobody is there to raise to."""
    late = Deferred()
    monkeypatch.setattr(listening, "endpoint_of", lambda *_: LateEndpoint(late))
    SignallingService(Settings(), MemoryReactorClock()).privilegedStartService()
    late.errback(RuntimeError("why"))
    (error,) = logged.errors()
    assert error["log_failure"].type is RuntimeError


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"mount": (("/", "gaga"),)}, "mount: .*'gaga'.*datachannel, echo"),
        ({"listen": ("gaga",)}, "listen: 'gaga'"),
        ({"allow_origin": ("gaga",)}, "allow_origin: "),
    ],
)
def test_settings_that_only_the_server_can_judge(settings, line):
    """Are SettingErrors that name the setting."""
    with pytest.raises(SettingError, match=line):
        SignallingService(Settings(**settings), Clock())
