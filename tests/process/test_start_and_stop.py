"""``twistd -n rtcsig`` starts, serves on every listener and mount, and ends clean."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from rtcsig.settings import declared
from tests.support.commands import run_rtcsig, run_twistd
from tests.support.peer import CLOSE, Peer, request
from tests.support.server import ServerProcess, wait_until

LOOPBACK = "tcp:0:interface=127.0.0.1"
# What the signal makes of the peers: a drain says that the server comes back.
CODES = {signal.SIGTERM: 1012, signal.SIGUSR1: 1012, signal.SIGINT: 1001}


def reaches(sender: Peer, receiver_id: str, receiver: Peer) -> bool:
    """Whether a message gets from one peer to the other."""
    sender.send({"id": receiver_id, "type": "offer"})
    return receiver.receive()["type"] == "offer"


def test_listens_where_the_log_says(connect):
    """A client of the address in the log is served."""
    with ServerProcess() as server:
        assert f"rtcsig listens on {LOOPBACK}: 127.0.0.1:{server.port}\n" in server.log
        ann, bob = connect(server, "/ann"), connect(server, "/bob")
        assert reaches(ann, "bob", bob)
        ann.close()
        bob.close()


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_signal_ends_it_clean(number, code, connect):
    """Open clients are told so, half-open ones get 503, and the status is 0."""
    with ServerProcess() as server:
        base = server.descriptors()
        clients = [connect(server, f"/peer-{n}") for n in range(3)]
        half_open = connect(server)
        half_open.socket.sendall(request("/late")[:-2])
        silent = connect(server)
        wait_until(lambda: server.descriptors() == base + 5, what="all are accepted")
        os.kill(server.pid, number)
        for client in clients:
            received = client.receive_frame()
            assert received.close_code == code
            client.send_frame(CLOSE, received.payload)
            assert client.wait_for_end() == "eof"
        for client in (half_open, silent):
            assert client.http_answer()[0] == 503
            client.socket.close()
        assert server.stop() == 0
        assert "rtcsig stopped: every connection has ended" in server.log
        assert "Traceback" not in server.log


@pytest.mark.parametrize(("number", "code"), CODES.items())
def test_a_client_that_never_answers_the_close(number, code, connect):
    """It is cut when the closing deadline is over, and holds nobody up for longer."""
    with ServerProcess("--close-timeout-s=0.3") as server:
        client = connect(server, "/deaf")
        os.kill(server.pid, number)
        assert client.receive_frame().close_code == code
        assert client.wait_for_end() == "reset"
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_a_client_that_is_waited_for(connect):
    """The process does not end while a client still has time to answer the close."""
    with ServerProcess("--close-timeout-s=3600") as server:
        client = connect(server, "/slow")
        os.kill(server.pid, signal.SIGTERM)
        received = client.receive_frame()
        assert server.process.poll() is None
        client.send_frame(CLOSE, received.payload)
        assert client.wait_for_end() == "eof"
        assert server.stop() == 0


@pytest.mark.parametrize("second", CODES)
def test_a_second_signal_changes_nothing(second, connect):
    """Another signal while the server stops is no error, and the end stays clean."""
    with ServerProcess("--close-timeout-s=3600") as server:
        client = connect(server, "/slow")
        os.kill(server.pid, signal.SIGTERM)
        received = client.receive_frame()
        os.kill(server.pid, second)
        client.send_frame(CLOSE, received.payload)
        assert client.wait_for_end() == "eof"
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_new_clients_while_it_stops(connect):
    """A server that waits for the last client's close takes no new ones."""
    with ServerProcess("--close-timeout-s=3600") as server:
        client = connect(server, "/slow")
        os.kill(server.pid, signal.SIGTERM)
        received = client.receive_frame()
        wait_until(lambda: f"(TCP Port {server.port} Closed)" in server.log, what="the port closes")
        with pytest.raises(ConnectionRefusedError):
            Peer(server.port)
        client.send_frame(CLOSE, received.payload)


def test_several_listeners_and_mounts(connect):
    """Every listener serves every mount, and peers of different mounts never meet."""
    mounts = ("--mount=/a=datachannel", "--mount=/b=datachannel", "--mount=/echo=echo")
    with ServerProcess(*mounts, listen=(LOOPBACK, LOOPBACK)) as server:
        first, second = server.ports
        with (
            Peer(first, "/a/ann") as ann,
            Peer(second, "/a/bob") as bob,
            Peer(first, "/b/bob") as other_bob,
            Peer(second, "/echo") as echo,
        ):
            assert reaches(ann, "bob", bob)
            other_bob.send({"id": "ann", "type": "offer"})
            assert other_bob.receive()["code"] == "peer-not-found"
            echo.send(b"what comes back")
            assert echo.receive_raw() == b"what comes back"
            assert reaches(bob, "ann", ann)


def test_a_unix_socket(tmp_path):
    """A client of a unix socket is served, and the socket is removed at the end."""
    path = tmp_path / "socket"
    with ServerProcess(listen=(f"unix:{path}",)) as server, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        peer = Peer.over(sock)
        assert peer.upgrade("/ann")[0] == 101
        assert reaches(peer, "ann", peer)
        peer.close()
        assert server.stop() == 0
        assert "Traceback" not in server.log
    assert not path.exists()


def test_a_json_log(connect):
    """With --log-format json each line is one object with the same four members first."""
    with ServerProcess("--log-format=json") as server:
        refused = connect(server)
        assert refused.upgrade("/")[0] == 400
        refused.socket.close()
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log.splitlines()]
    assert {tuple(line)[:4] for line in lines} == {("time", "level", "namespace", "message")}
    refusal = next(line for line in lines if line["message"] == "request refused")
    assert (refusal["level"], refusal["namespace"], refusal["status"]) == ("info", "rtcsig", 400)


def test_a_log_level(tmp_path):
    """With --log-level error a server that has nothing to complain of writes nothing."""
    path = tmp_path / "socket"

    sock = socket.socket(socket.AF_UNIX)

    class Quiet(ServerProcess):
        def _listening_ports(self):
            return sock.connect_ex(str(path)) == 0

    with sock, Quiet("--log-level=error", listen=(f"unix:{path}",)) as server:
        peer = Peer.over(sock)
        assert peer.upgrade("/")[0] == 400
        sock.close()
        assert server.stop() == 0
        assert server.log == ""


@pytest.mark.parametrize("program", ["rtcsig", "twistd"])
def test_help_lists_every_setting(program, tmp_path):
    """The help names each flag with its default."""
    if program == "rtcsig":
        ended = run_rtcsig("serve", "--help", folder=tmp_path)
    else:
        ended = run_twistd("rtcsig", "--help", folder=tmp_path)
    assert ended.status == 0
    text = " ".join(ended.stdout.split())
    assert len(declared()) > 10
    for setting in declared():
        assert f"--{setting.flag}{'' if setting.is_switch else '='}" in text
        assert setting.help in text
    assert "[default: tcp:8000:interface=127.0.0.1]" in text
    assert "--config=" in text
