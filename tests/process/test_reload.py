"""SIGHUP: settings and certificates are read anew, and nobody who is there notices."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate
from tests.support.control import Control
from tests.support.peer import Peer
from tests.support.server import ServerProcess, wait_until

ANEW = "settings are read anew"
QUICK = "--close-timeout-s=0.3"  # with peers that do not answer the close
NOT_CHANGED = "settings are not changed: "


@pytest.fixture
def config(tmp_path) -> Path:
    """A file with settings, none so far."""
    path = tmp_path / "rtcsig.toml"
    path.write_text("")
    return path


def trusting(certificate: Path) -> ssl.SSLContext:
    """A client that trusts this certificate only."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)
    return client


def test_a_new_certificate_under_load(tmp_path):
    """The next client gets it; those who are there go on, with and without TLS."""
    key, certificate = make_certificate(tmp_path)
    tls = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    before = trusting(certificate)
    with ServerProcess(listen=("tcp:0:interface=127.0.0.1", tls)) as server:
        secure = server.ports[1]
        with (
            Control(server.port) as control,
            Peer(secure, "/a", tls=before) as a,
            Peer(secure, "/b", tls=before) as b,
        ):
            begin_s = time.monotonic()
            make_certificate(tmp_path, "another")
            server.read_anew(ANEW)
            with Peer(secure, "/c", tls=trusting(certificate)) as c:
                c.send({"id": "a", "n": 1})
                assert a.receive() == {"id": "c", "n": 1}
            with (
                socket.create_connection(("127.0.0.1", secure)) as raw,
                pytest.raises(ssl.SSLCertVerificationError),
            ):
                before.wrap_socket(raw)
            a.send({"id": "b", "n": 2})
            assert b.receive() == {"id": "a", "n": 2}
            control.wait_for(20)
            control.window(begin_s).assert_unharmed()


@pytest.mark.parametrize("spoilt", ["key.pem", "certificate.pem"])
def test_a_certificate_that_cannot_be_read(tmp_path, spoilt):
    """Is refused with its line; the one of before is served on."""
    key, certificate = make_certificate(tmp_path)
    tls = f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"
    client = trusting(certificate)
    with ServerProcess(listen=(tls,)) as server:
        (tmp_path / spoilt).write_text("gaga")
        server.read_anew(f"{NOT_CHANGED}listen: ")
        assert "has no key or no certificate in PEM" in server.log
        with Peer(server.port, "/a", tls=client) as peer:
            peer.send({"id": "a", "n": 1})
            assert peer.receive() == {"id": "a", "n": 1}


def test_other_settings(config, connect):
    """Newcomers live by them; who is there keeps what was agreed."""
    with ServerProcess(QUICK, f"--config={config}") as server:
        old = connect(server, "/old")
        config.write_text('max_message_bytes = 200\nmount = ["/new=datachannel", "/echo=echo"]\n')
        server.read_anew(ANEW)
        assert connect(server).upgrade("/young")[0] == 404
        echo = connect(server, "/echo")
        echo.send(b"x" * 201)
        assert echo.receive_frame().close_code == 1009
        old.send({"id": "old", "text": "x" * 201})
        assert old.receive()["id"] == "old"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("gaga", "config: "),
        ("gaga = 1", "gaga in "),
        ("max_message_bytes = 1", "max_message_bytes in "),
        ('mount = "/=gaga"', "mount: there is no dialect 'gaga'"),
        ('allow_origin = "gaga"', "allow_origin: "),
        ('admin_token_file = "gaga"', "admin_token_file: gaga: No such file"),
        ("max_connections = 1000000000", "max_connections: the process may have"),
    ],
)
def test_a_broken_file_changes_nothing(config, text, line, connect):
    """Not even what stands beside the mistake; the line says what it is."""
    with ServerProcess(QUICK, f"--config={config}") as server:
        config.write_text(f"max_request_head_bytes = 1024\n{text}\n")
        server.read_anew(f"{NOT_CHANGED}{line}")
        long = f"X-Long: {'x' * 1100}"
        assert connect(server).upgrade("/a", long)[0] == 101


def test_what_waits_for_a_restart_is_named(config, connect):
    """The rest of the file is followed."""
    with ServerProcess(QUICK, f"--config={config}") as server:
        config.write_text("backlog = 5\nmax_request_head_bytes = 1024\n")
        server.read_anew(f"{ANEW}; these wait for a restart: backlog")
        assert connect(server).upgrade("/a", f"X-Long: {'x' * 1100}")[0] == 431


def test_a_flag_is_nearer_than_the_file(config, connect):
    """After a reload as well."""
    with ServerProcess(QUICK, f"--config={config}", "--max-request-head-bytes=1024") as server:
        config.write_text("max_request_head_bytes = 16384\n")
        server.read_anew(ANEW)
        assert connect(server).upgrade("/a", f"X-Long: {'x' * 1100}")[0] == 431


def test_the_log_gets_quieter(config):
    """Its level can be changed while there is something to be seen, or too much of it."""
    with ServerProcess(QUICK, f"--config={config}") as server:
        config.write_text('log_level = "error"\nmax_request_head_bytes = 1024\n')
        os.kill(server.pid, signal.SIGHUP)
        wait_until(lambda: refuses_long_heads(server), what="the settings are read anew")
        for line in (ANEW, "request refused"):
            assert line not in server.log


def refuses_long_heads(server: ServerProcess) -> bool:
    """Whether a request head of more than a kilobyte is too large."""
    with Peer(server.port) as peer:
        return peer.upgrade("/a", f"X-Long: {'x' * 1100}")[0] == 431
