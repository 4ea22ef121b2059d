"""``rtcsig check`` passes a message through a server, or says why that is impossible."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import rtcsig
from tests.support.commands import Ended, run_rtcsig
from tests.support.server import ServerProcess


@contextmanager
def http_404() -> Iterator[int]:
    """A web server, on a port, that has nothing under any path."""
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionResetError):
            connection.recv(65_536)
            connection.sendall(answer)
            while connection.recv(65_536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        server.join()


def is_not_well(ended: Ended, why: str) -> bool:
    """Whether the check failed with one line that says why."""
    (line,) = ended.lines
    return ended.status == 2 and line.startswith("not well: ") and why in line


def test_a_server_that_is_well(tmp_path):
    """The round-trip time is printed and the exit status is 0."""
    with ServerProcess() as server:
        ended = run_rtcsig("check", f"{server.url}/", folder=tmp_path)
        assert ended.status == 0
        (line,) = ended.lines
        assert re.fullmatch(
            rf"well: a message went through {server.url}/ and back in [\d.]+ ms", line
        )


def test_a_mount_below_the_root(tmp_path):
    """The URL may name a mount with a path."""
    with ServerProcess("--mount=/rtc/a=datachannel") as server:
        ended = run_rtcsig("check", f"{server.url}/rtc/a", folder=tmp_path)
        assert ended.status == 0
        assert is_not_well(run_rtcsig("check", server.url, folder=tmp_path), "404")


def test_nothing_listens(tmp_path):
    """A refused connection is said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = run_rtcsig("check", f"ws://127.0.0.1:{port}/", folder=tmp_path)
    assert is_not_well(ended, f"cannot connect to 127.0.0.1:{port}: ")
    assert "refused" in ended.stdout


def test_an_echo(tmp_path):
    """A server that sends messages back to their sender passes none on."""
    with ServerProcess("--mount=/=echo") as server:
        ended = run_rtcsig("check", f"{server.url}/", "--timeout=1", folder=tmp_path)
        assert is_not_well(ended, "passing a message")


def test_a_server_that_says_nothing(tmp_path):
    """A port that accepts and is silent fails the check when its time is over."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        ended = run_rtcsig("check", url, "--timeout=1", folder=tmp_path)
    assert is_not_well(ended, "no answer in time while connecting")


def test_a_server_that_hangs(tmp_path):
    """A stopped process, whose port the kernel still serves, fails the check."""
    with ServerProcess() as server:
        with server.frozen():
            ended = run_rtcsig("check", f"{server.url}/", "--timeout=1", folder=tmp_path)
        assert is_not_well(ended, "no answer in time while connecting")


def test_a_web_server(tmp_path):
    """What answers the upgrade with 404 is no signalling server."""
    with http_404() as port:
        ended = run_rtcsig("check", f"ws://127.0.0.1:{port}/", folder=tmp_path)
    assert is_not_well(ended, "404")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "127.0.0.1:8000", "ws://", "ws://h:port/"])
def test_a_bad_url(url, tmp_path):
    """A URL that cannot be used is one line and status 2."""
    ended = run_rtcsig("check", url, folder=tmp_path)
    assert ended.status == 2
    assert len(ended.lines) == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_version(tmp_path):
    """``rtcsig --version`` prints the version."""
    ended = run_rtcsig("--version", folder=tmp_path)
    assert (ended.status, ended.lines) == (0, [f"rtcsig {rtcsig.__version__}"])


def test_no_command(tmp_path):
    """Without a command the usage is printed, and the status is 2."""
    ended = run_rtcsig(folder=tmp_path)
    assert ended.status == 2
    assert "serve or check" in ended.stderr
