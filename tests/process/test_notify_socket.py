"""What a service manager hears, from the start to the end: sd_notify(3)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.manager import Manager
from tests.support.peer import Peer
from tests.support.server import ServerProcess, wait_until
from tests.support.supervised import SupervisedServer

STANDS_STILL = Path(__file__).parent / "faults" / "stands_still.py"


@pytest.fixture
def config(tmp_path) -> Path:
    """A file with settings, none so far."""
    path = tmp_path / "rtcsig.toml"
    path.write_text("")
    return path


def test_the_whole_order(tmp_path, config):
    """Ready when it listens, signs of life, two reloads, the end: nothing before its time."""
    with (
        Manager(tmp_path, watchdog_s=0.5) as manager,
        ServerProcess(
            f"--config={config}", "--drain-s=3600", environment=manager.environment
        ) as server,
    ):
        ready = manager.next()
        assert ready["READY"] == "1"
        assert ready["STATUS"] == "ready; 0 open of 0 connections"
        with Peer(server.port, "/a"):
            assert manager.wait_for("WATCHDOG")["WATCHDOG"] == "1"
            before_usec = time.monotonic_ns() // 1000
            os.kill(server.pid, signal.SIGHUP)
            reloading = manager.wait_for("RELOADING")
            assert before_usec <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
            assert manager.next() == {"READY": "1", "STATUS": "settings are read anew"}
            config.write_text("gaga")
            os.kill(server.pid, signal.SIGHUP)
            manager.wait_for("RELOADING")
            outcome = manager.next()
            assert outcome["READY"] == "1"
            assert outcome["STATUS"].startswith("settings are not changed: config: ")
            os.kill(server.pid, signal.SIGTERM)
            stopping = manager.wait_for("STOPPING")
            assert int(stopping["EXTEND_TIMEOUT_USEC"]) == (3600 + 5 + 5) * 1_000_000
            assert stopping["STATUS"].startswith("takes nobody: draining; 1 open")
            # It is alive as long as it drains.
            assert manager.wait_for("WATCHDOG")["WATCHDOG"] == "1"
            os.kill(server.pid, signal.SIGTERM)
        server.process.wait(15)
        assert not [told for told in manager.rest() if "READY" in told]
    assert [name for told in manager.heard for name in told].count("STOPPING") == 1


def test_a_reactor_that_stands_still_gives_no_sign(tmp_path):
    """And goes on giving them when it turns again."""
    with (
        Manager(tmp_path, watchdog_s=0.5) as manager,
        ServerProcess(
            "--max-lag-s=0.5", patch=STANDS_STILL, environment=manager.environment
        ) as server,
    ):
        manager.wait_for("WATCHDOG")
        os.kill(server.pid, signal.SIGUSR2)
        wait_until(lambda: is_asleep(server.pid), what="it stands still")
        manager.rest()
        begin_s = time.monotonic()
        manager.wait_for("WATCHDOG")
        stood_still_s = time.monotonic() - begin_s
        # Not a bound for the server, but for the manager: nothing came in between.
        assert stood_still_s > 0.5
        server.wait_for("reactor lags")


def is_asleep(pid: int) -> bool:
    """Whether a process waits in a sleep, and not for events."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text(encoding="ascii")


def test_without_a_watchdog_only_the_state_is_told(tmp_path):
    """Nobody asked for signs of life."""
    with (
        Manager(tmp_path) as manager,
        ServerProcess(environment=manager.environment) as server,
    ):
        assert manager.next()["READY"] == "1"
        assert "WATCHDOG" not in manager.wait_for("STATUS")
        assert server.stop() == 0
        assert [told for told in manager.rest() if "STOPPING" in told]


def test_the_watchdog_of_another_process(tmp_path):
    """Is no business of ours (WATCHDOG_PID)."""
    with Manager(tmp_path, watchdog_s=0.2) as manager:
        environment = {**manager.environment, "WATCHDOG_PID": "1"}
        with ServerProcess(environment=environment):
            manager.next()
            assert "WATCHDOG" not in manager.next()


def test_a_manager_that_is_gone_or_does_not_read(tmp_path):
    """Holds nobody up: its socket is full, or is not there."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "nowhere"), "WATCHDOG_USEC": "100000"}
    with ServerProcess(environment=environment) as server, Peer(server.port, "/a") as peer:
        peer.send({"id": "a"})
        peer.receive()
        peer.close()
    with (
        Manager(tmp_path, watchdog_s=0.002) as manager,
        ServerProcess(environment=manager.environment) as server,
        Peer(server.port, "/a") as peer,
    ):
        for _ in range(1000):
            peer.send({"id": "a"})
            peer.receive()
        peer.close()


def test_a_supervisor_passes_on_what_its_server_tells(tmp_path):
    """To systemd the two are one: it is ready when the server serves, and again after a restart."""
    with (
        Manager(tmp_path, watchdog_s=0.5) as manager,
        SupervisedServer(environment=manager.environment) as server,
    ):
        assert manager.wait_for("READY")["STATUS"] == "ready; 0 open of 0 connections"
        manager.wait_for("WATCHDOG")
        server.hurt(signal.SIGKILL)
        while "SIGKILL" not in manager.wait_for("STATUS")["STATUS"]:
            pass
        manager.wait_for("READY")
        os.kill(server.pid, signal.SIGHUP)
        manager.wait_for("RELOADING")
        os.kill(server.pid, signal.SIGTERM)
        manager.wait_for("STOPPING")
