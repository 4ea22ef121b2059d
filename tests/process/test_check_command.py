"""``rtcsig check`` passes a message through a server, or says why that is impossible."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

import rtcsig
from tests.support.certificates import make_certificate
from tests.support.commands import Ended, run_rtcsig
from tests.support.server import ServerProcess, clean_environment

READY = b'{"ready": true, "reasons": []}'
DRAINING = b'{"ready": false, "reasons": ["draining"]}'
# Shorter than any round trip, and longer than any that ends.
NEVER_MS, ALWAYS_MS = "0.000001", "3600000"


@contextmanager
def web_server(status: bytes, body: bytes = b"") -> Iterator[tuple[int, list[bytes]]]:
    """A web server that answers one request like this, as its port and what it was asked."""
    answer = b"HTTP/1.1 %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    asked: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionResetError):
            connection.settimeout(20)
            asked.append(connection.recv(65_536))
            connection.sendall(answer % (status, len(body), body))
            while connection.recv(65_536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1], asked
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
    with web_server(b"404 Not Found") as (port, _):
        ended = run_rtcsig("check", f"ws://127.0.0.1:{port}/", folder=tmp_path)
    assert is_not_well(ended, "404")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "127.0.0.1:8000", "ws://", "ws://h:port/"])
def test_a_bad_url(url, tmp_path):
    """A URL that cannot be used is one line and status 2."""
    ended = run_rtcsig("check", url, folder=tmp_path)
    assert ended.status == 2
    assert len(ended.lines) == 1
    assert "Traceback" not in ended.stdout + ended.stderr


@pytest.mark.parametrize("scheme", ["http", "ws"])
def test_a_server_that_is_ready(scheme, tmp_path):
    """``--ready`` passes no message: it asks, shows the token of the file, and tells the time."""
    (tmp_path / "token").write_text("s3cret\n")
    with web_server(b"200 OK", READY) as (port, asked):
        url = f"{scheme}://127.0.0.1:{port}/"
        ended = run_rtcsig("check", "--ready", url, "--token-file=token", folder=tmp_path)
    assert ended.status == 0
    (line,) = ended.lines
    assert re.fullmatch(rf"well: {url} is ready, and said so in [\d.]+ ms", line)
    (request,) = asked
    assert request.startswith(b"GET /readyz HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer s3cret\r\n" in request


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (b"503 Service Unavailable", DRAINING, "is not ready: draining"),
        (b"403 Forbidden", b"", "--admin-allow does not have this address"),
        (b"404 Not Found", b"", "has no /readyz (404)"),
        (b"200 OK", b"<html>", "not with the JSON of /readyz"),
    ],
)
def test_a_server_that_is_not_ready(status, body, why, tmp_path):
    """Any other answer is one line that says why, and not 0: unhealthy to Docker."""
    with web_server(status, body) as (port, _):
        url = f"http://127.0.0.1:{port}"
        assert is_not_well(run_rtcsig("check", "--ready", url, folder=tmp_path), why)


def test_nobody_is_ready(tmp_path):
    """A refused connection and a port that says nothing are said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = ("check", "--ready", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        ended = run_rtcsig(*command, "--timeout=1", folder=tmp_path)
        assert is_not_well(ended, "no answer in time from http://127.0.0.1:")
    assert is_not_well(run_rtcsig(*command, folder=tmp_path), "cannot connect to 127.0.0.1:")


def test_json(tmp_path):
    """``--json`` prints one object on stdout, whatever the verdict."""
    with ServerProcess() as server:
        well = run_rtcsig("check", server.url, "--json", folder=tmp_path)
        not_well = run_rtcsig("check", f"{server.url}/a b", "--json", folder=tmp_path)
    with web_server(b"503 Service Unavailable", DRAINING) as (port, _):
        url = f"http://127.0.0.1:{port}"
        not_ready = run_rtcsig("check", url, "--ready", "--json", folder=tmp_path)
    said = [json.loads(ended.stdout) for ended in (well, not_well, not_ready)]
    assert [each["status"] for each in said] == ["ok", "critical", "critical"]
    assert [each["url"] for each in said] == [server.url, f"{server.url}/a b", url]
    assert [each["ready"] for each in said] == [None, None, False]
    assert [each["reasons"] for each in said] == [[], [], ["draining"]]
    assert said[0]["round_trip_s"] > 0
    assert said[1]["round_trip_s"] is None
    assert [ended.status for ended in (well, not_well, not_ready)] == [0, 2, 2]


def test_limits_of_the_round_trip(tmp_path):
    """A longer one has the status of the limit; the line has the data that monitors draw."""
    with ServerProcess() as server:

        def ended(*flags: str) -> tuple[int, str]:
            ran = run_rtcsig("check", server.url, *flags, folder=tmp_path)
            (line,) = ran.lines
            return ran.status, line

        well = ended(f"--warning-ms={ALWAYS_MS}")
        slow = ended(f"--warning-ms={NEVER_MS}", f"--critical-ms={ALWAYS_MS}")
        not_well = ended(f"--critical-ms={NEVER_MS}", "--nagios")
        plain = ended("--nagios")
    message = rf"a message went through {server.url} and back in [\d.]+ ms"
    data = r" \| round_trip=\d+\.\d{4}s"
    for (status, line), expected, pattern in (
        (well, 0, rf"well: {message}{data};3600\.000;;0"),
        (slow, 1, rf"slow: {message}, more than 1e-06 ms{data};0\.000;3600\.000;0"),
        (not_well, 2, rf"RTCSIG CRITICAL: {message}, more than 1e-06 ms{data};;0\.000;0"),
        (plain, 0, rf"RTCSIG OK: {message}{data};;;0"),
    ):
        assert status == expected
        assert re.fullmatch(pattern, line), line


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "arguments are required"),
        (("ws://h/", "--gaga"), "unrecognized arguments: --gaga"),
        (("ws://h/", "--timeout=0"), "--timeout: must be a number above 0"),
        (("ws://h/", "--warning-ms=soon"), "--warning-ms: must be a number above 0"),
        (("ws://h/", "--critical-ms=inf"), "--critical-ms: must be a number above 0"),
        (("ws://h/", "--warning-ms=2", "--critical-ms=1"), "must not be above --critical-ms"),
        (("ws://h/", "--token-file=token"), "--token-file: only --ready"),
        (("ws://h/", "--ready", "--token-file=empty"), "empty must have one line of ASCII"),
        (("ws://h/", "--ready", "--token-file=binary"), "binary must have one line of ASCII"),
        (("ws://h/", "--ready", "--token-file=lines"), "lines must have one line of ASCII"),
        (("wss://h/", "--ca-file=none"), "--ca-file: none: No such file or directory"),
        (("wss://h/", "--ca-file=token"), "--ca-file: token: has no certificate in PEM"),
        (("ws://h/", "--json", "--nagios"), "not allowed with argument --json"),
    ],
)
def test_a_mistake_in_the_arguments(arguments, why, tmp_path):
    """It is unknown how the server is, 3: argparse's 2 would raise an alarm about the server."""
    files = {"empty": b"\n", "token": b"s3cret", "binary": b"\xff", "lines": b"one\ntwo"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    ended = run_rtcsig("check", *arguments, folder=tmp_path)
    assert ended.status == 3
    (line,) = ended.stdout.splitlines()
    assert why in line
    assert ended.stderr.startswith("usage: rtcsig check ")


def test_a_mistake_is_told_as_asked(tmp_path):
    """A monitor can read it."""
    nagios = run_rtcsig("check", "--nagios", folder=tmp_path)
    assert nagios.stdout.startswith("RTCSIG UNKNOWN: ")
    said = json.loads(run_rtcsig("check", "--json", "--gaga", "ws://h/", folder=tmp_path).stdout)
    assert (said["status"], said["url"]) == ("unknown", None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_check_that_is_stopped(number, tmp_path):
    """It has found nothing out, so it does not say that all is well."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        command = [sys.executable, "-m", "rtcsig", "check", url]
        with (
            subprocess.Popen(
                command, cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, text=True
            ) as checking,
            listener.accept()[0] as connection,
        ):
            connection.settimeout(20)
            assert connection.recv(1)
            checking.send_signal(number)
            line, _ = checking.communicate(timeout=20)
    assert (checking.returncode, line) == (3, "unknown: stopped before there was an answer\n")


def test_over_tls(tmp_path):
    """The certificate must be of an authority that is trusted, and for this host."""
    key, certificate = make_certificate(tmp_path)
    listen = [
        f"ssl:0:interface={host}:privateKey={key}:certKey={certificate}"
        for host in ("127.0.0.1", "127.0.0.2")
    ]
    trusting = f"--ca-file={certificate}"
    with ServerProcess(listen=listen) as server:
        url, other = (f"wss://127.0.0.{n}:{port}/" for n, port in enumerate(server.ports, 1))
        ended = run_rtcsig("check", url, trusting, folder=tmp_path)
        assert (ended.status, ended.stderr) == (0, "")
        ended = run_rtcsig("check", url, folder=tmp_path)
        assert is_not_well(ended, "TLS: certificate verify failed")
        ended = run_rtcsig("check", other, trusting, folder=tmp_path)
        assert is_not_well(ended, "TLS: the certificate is for another host")


def test_help(tmp_path):
    """``rtcsig check --help`` has the exit statuses."""
    ended = run_rtcsig("check", "--help", folder=tmp_path)
    assert ended.status == 0
    assert "exit status: 0 well, 1 slower" in ended.stdout


def test_version(tmp_path):
    """``rtcsig --version`` prints the version."""
    ended = run_rtcsig("--version", folder=tmp_path)
    assert (ended.status, ended.lines) == (0, [f"rtcsig {rtcsig.__version__}"])


def test_no_command(tmp_path):
    """Without a command the usage is printed, and the status is 2."""
    ended = run_rtcsig(folder=tmp_path)
    assert ended.status == 2
    assert "serve or check" in ended.stderr
