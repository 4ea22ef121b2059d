"""A server that cannot start says why in one line, and its exit status is 1."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.commands import run_rtcsig, run_twistd
from tests.support.server import wait_until

FOREGROUND = ("-n", "--pidfile=", "rtcsig", "--listen=tcp:0:interface=127.0.0.1")
WRONG_FLAGS = [
    (["--max-message-bytes=many"], "--max-message-bytes"),
    (["--open-timeout-s=-1"], "--open-timeout-s"),
    (["--ping-interval-s=nan"], "--ping-interval-s"),
    (["--compression=brotli"], "--compression"),
    (["--log-level=loud"], "--log-level"),
    (["--no-such-flag=1"], "--no-such-flag"),
    (["--mount=rtc"], "--mount"),
    (["--mount=/=smoke-signals"], "smoke-signals"),
    (["--mount=/=echo", "--mount=/=datachannel"], "mount"),
    (["--listen=tcp:no-port"], "tcp:no-port"),
    (["--listen=carrier-pigeon:1"], "carrier-pigeon:1"),
    (["--allow-origin=example.org"], "allow_origin"),
    (["--trusted-proxy=example.org"], "trusted_proxy"),
    (["--proxy-protocol=tcp:1"], "proxy_protocol"),
    (["--listen=haproxy:tcp:1"], "--proxy-protocol"),
    (["--config=no-such-file.toml"], "no-such-file.toml"),
    (["surplus"], "rtcsig"),
]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of the loopback that another socket listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(("flags", "named"), WRONG_FLAGS, ids=str)
def test_a_wrong_flag(flags, named, tmp_path):
    """A flag that is unknown, or whose value cannot be used, is named."""
    ended = run_twistd(*FOREGROUND, *flags, folder=tmp_path)
    assert ended.status == 1
    (line,) = ended.lines
    assert line.startswith("rtcsig: ")
    assert named in line


@pytest.mark.parametrize(
    ("name", "value"),
    [("RTCSIG_NO_SUCH_SETTING", "1"), ("RTCSIG_BACKLOG", "many"), ("RTCSIG_LISTEN", "'tcp:0")],
)
def test_a_wrong_variable(name, value, tmp_path):
    """A variable that is unknown, or whose value cannot be used, is named."""
    ended = run_twistd(*FOREGROUND, folder=tmp_path, **{name: value})
    assert ended.status == 1
    (line,) = ended.lines
    assert name in line


@pytest.mark.parametrize(
    ("text", "named"),
    [("no_such_setting = 1", "no_such_setting"), ("backlog = 0", "backlog"), ("backlog =", "toml")],
)
def test_a_wrong_file(text, named, tmp_path):
    """A key that is unknown, a value that cannot be used, and what is no TOML are named."""
    config = tmp_path / "settings.toml"
    config.write_text(text, encoding="utf-8")
    ended = run_twistd(*FOREGROUND, f"--config={config}", folder=tmp_path)
    assert ended.status == 1
    (line,) = ended.lines
    assert named in line
    assert str(config) in line


def test_rtcsig_serve_fails_like_twistd(tmp_path):
    """``rtcsig serve`` ends with the same line and status for a wrong flag."""
    ended = run_rtcsig("serve", "--backlog=many", folder=tmp_path)
    assert ended.status == 1
    (line,) = ended.lines
    assert "--backlog" in line


def test_a_taken_port(taken, tmp_path):
    """The endpoint and the reason stand in one line of the log."""
    endpoint = f"tcp:{taken}:interface=127.0.0.1"
    ended = run_twistd(*FOREGROUND, f"--listen={endpoint}", folder=tmp_path)
    assert ended.status == 1
    about = [line for line in ended.lines if f"cannot listen on {endpoint}" in line]
    assert len(about) == 1
    assert about[0].endswith(": Address already in use")
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_taken_port_under_rtcsig_serve(taken, tmp_path):
    """``rtcsig serve`` says the same, with the same status."""
    endpoint = f"tcp:{taken}:interface=127.0.0.1"
    ended = run_rtcsig("serve", f"--listen={endpoint}", folder=tmp_path)
    assert ended.status == 1
    assert sum(f"cannot listen on {endpoint}" in line for line in ended.lines) == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_folder_that_is_not_there(tmp_path):
    """A unix socket that cannot be made is named like a port."""
    path = tmp_path / "missing" / "socket"
    ended = run_twistd(*FOREGROUND, f"--listen=unix:{path}", folder=tmp_path)
    assert ended.status == 1
    assert sum(f"cannot listen on unix:{path}" in line for line in ended.lines) == 1
    assert "Traceback" not in ended.stdout + ended.stderr


def test_more_connections_than_descriptors(tmp_path):
    """A number of connections that the limit of descriptors cannot hold is refused at the start."""
    ended = run_twistd(*FOREGROUND, "--max-connections=1000000000", folder=tmp_path)
    assert ended.status == 1
    (line,) = [line for line in ended.lines if "max_connections" in line]
    assert "1000000000 connections need 1000000128: raise its limit" in line
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_daemon_with_a_taken_port(taken, tmp_path):
    """The reason is on the terminal, the status is not 0, and no process and no pid file stay."""
    endpoint = f"tcp:{taken}:interface=127.0.0.1"
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    ended = run_twistd(
        f"--pidfile={pid_file}", f"--logfile={log}", "rtcsig", f"--listen={endpoint}",
        folder=tmp_path,
    )  # fmt: skip
    assert ended.status != 0
    assert "Address already in use" in ended.stdout + ended.stderr
    assert endpoint in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Traceback" not in log.read_text(encoding="utf-8")
    # The daemon tidies up after it has told the process on the terminal.
    wait_until(lambda: not pid_file.exists(), what="the pid file is removed")


def test_a_daemon_with_a_wrong_flag(tmp_path):
    """A daemon checks its settings before it leaves the terminal."""
    ended = run_twistd("rtcsig", "--backlog=many", folder=tmp_path)
    assert ended.status == 1
    (line,) = ended.lines
    assert "--backlog" in line
    assert not list(tmp_path.iterdir())
