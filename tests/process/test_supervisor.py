"""A supervised server comes back, whatever ends it or makes it hang, and nobody is refused."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.peer import CLOSE, Peer
from tests.support.server import status_of, wait_until
from tests.support.supervised import SupervisedServer


def is_there(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for its parent to hear of it."""
    try:
        return status_of(pid, "State") not in {"Z", "X"}
    except FileNotFoundError:
        return False


def meet(server: SupervisedServer) -> None:
    """Two peers find each other."""
    with Peer(server.port, "/one") as one, Peer(server.port, "/other") as other:
        one.send({"id": "other", "n": 1})
        assert other.receive() == {"id": "one", "n": 1}


@pytest.mark.parametrize(
    ("how", "flags", "lines"),
    [
        (signal.SIGKILL, (), ["server ended: signal SIGKILL"]),
        (signal.SIGSTOP, ("--watchdog-s=1",), ["server hangs, and is killed", "SIGKILL"]),
        (
            signal.SIGUSR2,
            ("--watchdog-s=1",),
            ["server hangs, and is killed", "sitecustomize.py", "signal SIGABRT"],
        ),
        (signal.SIGTERM, (), ["server ended: status 0"]),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_server_that_ends_or_hangs_comes_back(how, flags, lines):
    """Who comes meanwhile waits and is served; the log says what happened, and where it hung."""
    with SupervisedServer(*flags) as server:
        before = server.hurt(how)
        if how is signal.SIGTERM:
            # Until it is gone it refuses newcomers, as one does that is told to end.
            wait_until(lambda: not is_there(before), what="the former server is gone")
        meet(server)
        assert server.child(restarts=1) != before
        wait_until(lambda: not is_there(before), what="the former server is gone")
        for line in lines:
            server.wait_for(line)
        assert "restarts=1" in server.log


def test_pauses_grow():
    """A server that dies and dies is not started in a storm; it still is started."""
    with SupervisedServer("--max-restart-pause-s=1") as server:
        for restarts in range(5):
            server.hurt(signal.SIGKILL, restarts)
        server.child(restarts=5)
        assert server.pauses_s() == [0, 0.25, 0.5, 1, 1]
        meet(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_the_supervisor_ends_with_its_server(number):
    """The peers are told as without one, the status is 0, and nothing is left."""
    with SupervisedServer() as server:
        child = server.child()
        with Peer(server.port, "/a") as peer:
            os.kill(server.pid, number)
            told = peer.receive_frame()
            assert told.close_code == (1001 if number is signal.SIGINT else 1012)
            peer.send_frame(CLOSE, told.payload)
        assert server.process.wait(15) == 0
        assert not is_there(child)
        assert "server ended: status 0" in server.log
        assert "Traceback" not in server.log


def test_a_second_signal_is_passed_on():
    """A drain of an hour ends at once."""
    with SupervisedServer("--drain-s=3600") as server:
        child = server.child()
        with Peer(server.port, "/a") as peer:
            os.kill(server.pid, signal.SIGTERM)
            server.wait_for("sends 1 peers away")
            os.kill(server.pid, signal.SIGTERM)
            assert peer.receive_frame().close_code == 1012
        assert server.process.wait(15) == 0
        assert not is_there(child)


def test_a_server_that_hangs_while_it_ends():
    """Is killed, and its supervisor ends."""
    with SupervisedServer("--watchdog-s=1", "--drain-s=3600") as server:
        child = server.child()
        with Peer(server.port, "/a"):
            os.kill(server.pid, signal.SIGTERM)
            server.wait_for("sends 1 peers away")
            os.kill(child, signal.SIGSTOP)
            assert server.process.wait(15) == 0
        assert not is_there(child)


def test_a_supervisor_that_is_gone():
    """Its server does not keep the port from the next one: it ends."""
    with SupervisedServer(status=-signal.SIGKILL) as server:
        child = server.child()
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not is_there(child), what="the server notices")


def test_a_first_server_that_does_not_start(tmp_path):
    """Is no reason to try again: the status is that of the server, and the reason in the log."""
    hook = tmp_path / "sitecustomize.py"
    hook.write_text("import os\nif '_RTCSIG_SUPERVISED' in os.environ:\n    os._exit(7)\n")
    with SupervisedServer(environment={"PYTHONPATH": str(tmp_path)}, status=7) as server:
        server.process.wait(15)
        assert "server did not start: status 7" in server.log


def test_the_path_of_a_unix_socket_stays(tmp_path):
    """It is the supervisor's: a server that ends leaves it alone, the supervisor takes it away."""
    path = tmp_path / "socket"
    with SupervisedServer(listen=(f"unix:{path}",)) as server:
        server.hurt(signal.SIGTERM)
        server.child(restarts=1)
        assert path.exists()
        assert server.stop() == 0
        assert not path.exists()
        assert "Traceback" not in server.log


def test_listeners_that_were_changed_since(tmp_path):
    """Wait for a restart of the supervisor: a server that comes back has the sockets there are."""
    config = tmp_path / "rtcsig.toml"
    path = tmp_path / "socket"
    config.write_text(f'admin_listen = "unix:{path}"\n')
    with SupervisedServer(f"--config={config}") as server:
        config.write_text('admin_listen = "tcp:0:interface=127.0.0.1"\nmount = "/=echo"\n')
        # While the first one starts: it is told when it serves.
        server.read_anew("these wait for a restart: admin_listen")
        server.hurt(signal.SIGKILL)
        server.child(restarts=1)
        with Peer(server.port, "/a") as peer:
            peer.send(b"echo")
            assert peer.receive_raw() == b"echo"
            peer.close()


def test_settings_that_are_broken_since(tmp_path):
    """Do not keep a server from coming back: it takes those of its supervisor, and says so."""
    config = tmp_path / "rtcsig.toml"
    config.write_text('mount = "/=echo"\n')
    with SupervisedServer(f"--config={config}") as server:
        child = server.child()
        config.write_text("gaga")
        os.kill(child, signal.SIGKILL)
        server.child(restarts=1)
        server.wait_for("goes by the settings that its supervisor was started with: config: ")
        with Peer(server.port, "/a") as peer:
            peer.send(b"echo")
            assert peer.receive_raw() == b"echo"
            peer.close()


def test_settings_are_read_anew_by_the_server(tmp_path):
    """SIGHUP is passed on; the server is the same."""
    config = tmp_path / "rtcsig.toml"
    config.write_text('mount = "/=echo"\n')
    with SupervisedServer(f"--config={config}") as server:
        child = server.child()
        config.write_text('mount = "/=datachannel"\n')
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for("settings are read anew")
        meet(server)
        assert server.children() == [child]
