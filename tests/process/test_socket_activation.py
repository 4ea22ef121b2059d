"""A server takes sockets that systemd opened, and leaves them as they were."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.activation import HeldSocket, handed_down
from tests.support.commands import run_twistd
from tests.support.peer import Peer
from tests.support.server import ServerProcess
from tests.support.supervised import SupervisedServer

_TIMEOUT_S = 15.0
_FAMILIES = {
    socket.AF_INET: lambda _: ("127.0.0.1", 0),
    socket.AF_INET6: lambda _: ("::1", 0),
    socket.AF_UNIX: lambda folder: str(folder / "socket"),
}


@pytest.fixture(params=_FAMILIES, ids=lambda family: family.name)
def held(request, tmp_path) -> Iterator[HeldSocket]:
    """A socket of each family."""
    with HeldSocket(request.param, _FAMILIES[request.param](tmp_path)) as held:
        yield held


@pytest.fixture(params=[ServerProcess, SupervisedServer], ids=["alone", "supervised"])
def kind(request) -> type[ServerProcess]:
    """A server, and a supervisor with one."""
    return request.param


def talk(connected: socket.socket, name: str = "a") -> None:
    """Become a peer, send oneself a message, and leave."""
    with Peer.over(connected) as peer:
        assert peer.upgrade(f"/{name}")[0] == 101
        peer.send({"id": name, "n": 1})
        assert peer.receive() == {"id": name, "n": 1}
        peer.close()


def test_newcomers_wait_for_the_next_server(held, kind):
    """Who comes while none runs is served by the one that is started then."""
    with kind(listen=(held.description,), **handed_down(held)) as server:
        talk(held.connect())
        assert server.stop() == 0
        assert "Traceback" not in server.log
    with (
        closing(held.connect()) as waiting,
        kind(listen=(held.description,), **handed_down(held)),
    ):
        talk(waiting)
        talk(held.connect())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_supervised_server_that_ends_comes_back_on_it(held, how):
    """Its parent took the socket from systemd, and hands it down again."""
    with SupervisedServer(listen=(held.description,), **handed_down(held)) as server:
        talk(held.connect())
        before = server.hurt(how)
        assert server.child(restarts=1) != before
        talk(held.connect())


def test_the_mode_of_a_path_stays(tmp_path, kind):
    """Who may connect is for the one to say who made the socket."""
    path = tmp_path / "socket"
    with HeldSocket(socket.AF_UNIX, str(path)) as held:
        path.chmod(0o600)
        with kind(listen=(held.description,), **handed_down(held)):
            assert path.stat().st_mode & 0o777 == 0o600


def test_two_sockets_at_once(tmp_path, kind):
    """Each is found by its name, and one of them may be for the pages about the server."""
    with (
        HeldSocket(socket.AF_INET, ("127.0.0.1", 0), "pages") as pages,
        HeldSocket(socket.AF_UNIX, str(tmp_path / "socket"), "proxy") as proxy,
        HeldSocket(socket.AF_INET, ("127.0.0.1", 0), "direct") as direct,
        kind(
            f"--admin-listen={pages.description}",
            listen=(direct.description, proxy.description),
            **handed_down(pages, proxy, direct),
        ),
    ):
        talk(direct.connect())
        talk(proxy.connect())
        with urlopen(f"http://127.0.0.1:{pages.port}/readyz", timeout=_TIMEOUT_S) as answer:
            assert json.load(answer)["ready"]


def test_a_port_for_both_versions_of_ip(kind):
    """A client of IPv4 is near when it is of this machine, and counts by its own address."""
    with (
        HeldSocket(socket.AF_INET6, ("::", 0)) as held,
        kind("--max-connections-per-address=1", listen=(held.description,), **handed_down(held)),
    ):
        with urlopen(f"http://127.0.0.1:{held.port}/readyz", timeout=_TIMEOUT_S) as answer:
            assert json.load(answer)["ready"]
        with (
            Peer(held.port, "/one", address="127.0.0.2") as one,
            Peer(held.port, "/other", address="127.0.0.3") as other,
            Peer(held.port, address="127.0.0.3") as third,
        ):
            assert third.upgrade("/third")[0] == 429
            talk(socket.create_connection(("::1", held.port)), "six")
            for peer in (one, other):
                peer.close()


def test_the_queue_is_that_of_the_socket():
    """``--backlog`` is for sockets that the server opens itself."""
    with HeldSocket(socket.AF_INET, ("127.0.0.1", 0)) as held:
        before = held.backlog()
        with ServerProcess("--backlog=77", listen=(held.description,), **handed_down(held)):
            talk(held.connect())
            assert held.backlog() == before


@pytest.mark.parametrize("which", ["name=rtcsig", "index=0"])
def test_a_socket_that_nobody_handed_down(tmp_path: Path, which):
    """Ends the start with one line that names the setting."""
    listen = f"systemd:domain=INET6:{which}"
    ended = run_twistd("-n", "--pidfile=", "rtcsig", f"--listen={listen}", folder=tmp_path)
    assert ended.status == 1
    (line,) = ended.lines
    assert line.startswith(f"rtcsig: listen: '{listen}': ")
