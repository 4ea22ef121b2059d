"""The units of systemd: what they say is so, and the server lives with what they forbid."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from rtcsig.settings import CONFIG_FLAG, Settings, declared
from tests.deploy.units import Unit, exposure, permitted_calls, systemd_analyze, systemd_version
from tests.support.certificates import make_certificate
from tests.support.commands import run_twistd
from tests.support.peer import Peer
from tests.support.server import ServerProcess
from tests.support.supervised import SupervisedServer

_DEPLOY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2])) / "deploy"
_SERVICE = Unit(_DEPLOY / "rtcsig.service")
_SOCKET = Unit(_DEPLOY / "rtcsig.socket")
_SETTINGS = {setting.flag for setting in declared()} | {CONFIG_FLAG}
_CONFINED = Path(__file__).parent / "confined.py"
_TIMEOUT_S = 30.0
# What systemds before this version say about the service; it goes on without.
_SINCE = {
    "Failed to parse service type, ignoring: notify-reload": 253,
    "Unknown key 'RestartSteps' in section [Service], ignoring.": 254,
    "Unknown key 'RestartMaxDelaySec' in section [Service], ignoring.": 254,
}
_needs_systemd = pytest.mark.needs("systemd-analyze")


# -- what they say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Type", "notify-reload"),
        ("Restart", "always"),
        ("KillMode", "mixed"),
        ("DynamicUser", "yes"),
        ("UMask", "0077"),
        ("LimitNOFILE", "65536"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallErrorNumber", "EPERM"),
    ],
)
def test_what_the_service_promises(name, value):
    """Restarts, a drain that the server alone leads, and no right that it does not need."""
    assert _SERVICE.value("Service", name) == value


def test_a_server_that_fails_and_fails_is_tried_again():
    """The limit of starts that systemd has does not end that; the pauses grow instead."""
    assert _SERVICE.value("Unit", "StartLimitIntervalSec") == "0"
    assert _SOCKET.value("Socket", "TriggerLimitIntervalSec") == "0"
    assert int(_SERVICE.value("Service", "RestartSteps")) > 0


def test_the_command_is_one_of_twistd():
    """Its own flags first, then the server's, all of which are settings."""
    program, *arguments = shlex.split(_SERVICE.value("Service", "ExecStart"))
    assert program == "/opt/rtcsig/bin/twistd"
    assert arguments[:3] == ["--nodaemon", "--pidfile=", "rtcsig"]
    assert arguments[3:] == ["--config", "/etc/rtcsig.toml"]


@pytest.mark.parametrize("unit", [_SERVICE, _SOCKET], ids=["service", "socket"])
def test_every_flag_that_is_named_is_a_setting(unit):
    """In comments as well."""
    assert unit.flags() <= _SETTINGS | {"nodaemon", "pidfile"}


def test_there_is_time_for_the_drain():
    """Even for a systemd that takes no notice of what the server tells it."""
    settings = Settings()
    longest_s = settings.drain_s + settings.close_timeout_s + 5
    assert float(_SERVICE.value("Service", "TimeoutStopSec")) > longest_s


def test_the_socket_is_what_the_server_is_told_to_take():
    """The file of settings that the comment shows asks for the socket by its name."""
    name = _SOCKET.value("Socket", "FileDescriptorName")
    assert f'listen = "systemd:domain=INET6:name={name}"' in _SOCKET.text
    assert _SOCKET.value("Socket", "ListenStream") == "8000"
    assert _SOCKET.value("Socket", "BindIPv6Only") == "both"
    assert int(_SOCKET.value("Socket", "Backlog")) == Settings().backlog


# -- what systemd says of them -----------------------------------------------------------


@pytest.fixture
def installed(tmp_path) -> list[Path]:
    """Both units, with a program that is on this machine in the place of the server's."""
    units = []
    for name in ("rtcsig.service", "rtcsig.socket"):
        text = (_DEPLOY / name).read_text(encoding="utf-8")
        units.append(tmp_path / name)
        units[-1].write_text(text.replace("/opt/rtcsig/bin/twistd", shutil.which("true")))
    return units


@_needs_systemd
def test_systemd_takes_them(installed):
    """Without a complaint, apart from what this machine's systemd is too old for."""
    printed = systemd_analyze("verify", "--man=no", *map(str, installed))
    complaints = re.findall(r"rtcsig\.\w+:\d+: (.+)", printed)
    assert len(complaints) == len(printed.splitlines()), printed
    version = systemd_version()
    assert set(complaints) == {text for text, since in _SINCE.items() if version < since}


@_needs_systemd
def test_little_is_exposed(installed, record_property):
    """To those who take the server over."""
    found = exposure(installed[0])
    record_property("exposure", found)
    assert found < 2.0


# -- and the server under it ---------------------------------------------------------------


@pytest.fixture(scope="module")
def confinement() -> list[str]:
    """The command that runs another one under what the service forbids."""
    rules = {
        "calls": sorted(permitted_calls(_SERVICE)),
        "families": _SERVICE.value("Service", "RestrictAddressFamilies").split(),
        "write_execute": _SERVICE.value("Service", "MemoryDenyWriteExecute") == "no",
    }
    return [sys.executable, str(_CONFINED), json.dumps(rules)]


def _meet(server: ServerProcess) -> None:
    """Two peers find each other, the metrics are there, and settings are read anew."""
    with Peer(server.port, "/one") as one, Peer(server.port, "/other") as other:
        one.send({"id": "other", "n": 1})
        assert other.receive() == {"id": "one", "n": 1}
        one.close()
        other.close()
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=_TIMEOUT_S) as answer:
        assert b"\nprocess_open_fds " in answer.read()


@_needs_systemd
@pytest.mark.parametrize(
    "attempt",
    [
        "import os; os.chroot('/')",
        "import os; os.nice(1)",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)",
    ],
)
def test_what_is_forbidden_fails(confinement, attempt):
    """So the tests below run under what they say."""
    ended = subprocess.run(
        [*confinement, sys.executable, "-c", attempt],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 1
    assert re.search(r"^(PermissionError|OSError: \[Errno 97\])", ended.stderr, re.MULTILINE)


@_needs_systemd
def test_a_server_lives_with_what_is_forbidden(tmp_path, confinement):
    """From the start to the end, with a reload between, and a limit of descriptors to raise."""
    config = tmp_path / "rtcsig.toml"
    config.write_text("")
    limited = ["prlimit", "--nofile=512:1024", *confinement]
    with ServerProcess(f"--config={config}", before=limited) as server:
        _meet(server)
        server.read_anew("settings are read anew")
        with urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=_TIMEOUT_S) as answer:
            assert json.load(answer)["descriptor_limit"] == 1024


@_needs_systemd
def test_a_supervised_server_lives_with_it(confinement):
    """Its parent may start another one, and end it."""
    with SupervisedServer(before=confinement) as server:
        _meet(server)
        server.hurt(signal.SIGKILL)
        server.child(restarts=1)
        _meet(server)


@_needs_systemd
def test_tls_lives_with_all_but_one(tmp_path, confinement):
    """As the comment in the service says: it wants memory that is written and executed."""
    key, certificate = make_certificate(tmp_path)
    listen = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = False
    tls.load_verify_locations(certificate)
    rules = {**json.loads(confinement[-1]), "write_execute": True}
    before = [*confinement[:-1], json.dumps(rules)]
    with (
        ServerProcess(listen=(listen,), before=before) as server,
        Peer(server.port, "/a", tls=tls) as peer,
    ):
        peer.send({"id": "a", "n": 1})
        assert peer.receive() == {"id": "a", "n": 1}
        peer.close()
    ended = run_twistd(
        "-n", "--pidfile=", "rtcsig", f"--listen={listen}", folder=tmp_path, before=confinement
    )
    assert ended.status == 1
    assert "TLS does not go with MemoryDenyWriteExecute=yes" in ended.stderr
