"""The servers: those of ``tests/survival``, and some that are only of interest for their speed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.build import ARTEFACTS, ROOT
from tests.support.server import TWISTD
from tests.survival.kinds import KINDS, RTCSIG, Kind
from tests.survival.speech import BY_ID, PEERJS, TOPICS

__all__ = ["SPEECHES", "Measured", "floors", "of_revision", "servers", "watched"]

SPEECHES = {id(BY_ID): "id", id(PEERJS): "peerjs", id(TOPICS): "topics"}
# One address makes all connections here, and every client says what it can.
_LIFTED = (
    "--max-connections-per-address=0",
    "--max-half-open-per-address=0",
    "--max-connection-rate-per-address=0",
    "--max-message-rate=0",
    "--max-byte-rate=0",
)
_NAMES = {"peerjs command": "peer"}
_NO_TLS = {"y-webrtc": "its server has none"}


@dataclass(frozen=True)
class Measured:
    """One server of the benchmark: how it runs, in clear and over TLS."""

    kind: Kind
    no_tls: str = ""
    tls_command: Callable[[int, dict[str, str]], tuple[str, ...]] | None = None
    missing: str = ""
    is_watched: bool = False

    @property
    def name(self) -> str:
        """Its name in the report."""
        return self.kind.name

    def over_tls(self, files: dict[str, str]) -> Kind:
        """The same server with a key and a certificate."""
        plain = self.kind
        command = plain.command
        if self.tls_command is not None:
            with_tls = self.tls_command

            def command(port: int) -> tuple[str, ...]:
                return with_tls(port, files)

        return replace(
            plain, command=command, environment=lambda port: plain.environment(port) | files
        )


def _twistd(python: str, endpoint: str) -> tuple[str, ...]:
    listen = f"--listen={endpoint}"
    return (python, "-c", TWISTD, "-n", "--pidfile=", "rtcsig", listen, *_LIFTED)


def _rtcsig(name: str, python: str, kind: Kind) -> Measured:
    def plain(port: int) -> tuple[str, ...]:
        return _twistd(python, f"tcp:{port}:interface=127.0.0.1")

    def tls(port: int, files: dict[str, str]) -> tuple[str, ...]:
        keys = f"privateKey={files['TLS_KEY']}:certKey={files['TLS_CERTIFICATE']}"
        return _twistd(python, f"ssl:{port}:interface=127.0.0.1:{keys}")

    how = "`twistd -n rtcsig`, its limits for one address and for rates lifted"
    return Measured(replace(kind, name=name, how=how, command=plain), tls_command=tls)


def _python(name: str, script: str, package: str, how: str) -> Measured:
    try:
        found = version(package)
    except PackageNotFoundError:
        found = ""
    kind = Kind(
        name,
        BY_ID,
        how,
        command=lambda port: (sys.executable, script, str(port)),
        version=lambda: f"{package} {found}",
    )
    return Measured(kind, missing="" if found else f"{package} could not be installed")


def _peer_over_tls(port: int, files: dict[str, str]) -> tuple[str, ...]:
    keys = ("--sslkey", files["TLS_KEY"], "--sslcert", files["TLS_CERTIFICATE"])
    return ("node", "node_modules/peer/dist/bin/peerjs.js", *keys, "--port", str(port))


def servers(npm_trouble: str) -> list[Measured]:
    """All of them; ``npm_trouble`` says why npm's packages are not there, if they are not."""
    measured = [_rtcsig("rtcsig", sys.executable, RTCSIG)]
    measured.append(
        _python(
            "autobahn",
            "autobahn_relay.py",
            "autobahn",
            "Twisted and Autobahn as shipped, with the same routing",
        )
    )
    for kind in KINDS:
        name = _NAMES.get(kind.name, kind.name)
        if name in {"rtcsig", "PeerServer"}:
            continue
        missing = f"not installed: {npm_trouble or 'pip'}" if kind.missing() else ""
        measured.append(
            Measured(
                replace(kind, name=name),
                no_tls=_NO_TLS.get(name, ""),
                tls_command=_peer_over_tls if name == "peer" else None,
                missing=missing,
            )
        )
    measured.append(_python("picows", "picows_relay.py", "picows", "Cython, on uvloop"))
    return measured


def watched() -> list[Measured]:
    """This server as it is run for years: scraped, and with a line for each connection besides."""
    plain = _rtcsig("rtcsig scraped", sys.executable, RTCSIG).kind
    scraped = replace(plain, how="the same, scraped once a second")
    logged = replace(
        plain,
        name="rtcsig logged",
        how="the same, scraped once a second, with `--log-connections`",
        command=lambda port: (*plain.command(port), "--log-connections"),
    )
    return [
        Measured(kind, no_tls="it is measured in clear", is_watched=True)
        for kind in (scraped, logged)
    ]


def floors(program: Path) -> list[Measured]:
    """Relays that check nothing: what the machine can do, and what Python can do."""
    in_c = Kind(
        "floor",
        BY_ID,
        "C, epoll, no checks: the ceiling, not a server",
        command=lambda port: (str(program), str(port)),
        version=lambda: "bench/floor.c",
    )
    in_python = replace(
        in_c,
        name="python floor",
        how="Python, epoll, orjson, no limits: the ceiling of Python, not a server",
        command=lambda port: (sys.executable, str(Path(__file__).with_name("floor.py")), str(port)),
        version=lambda: "bench/floor.py",
    )
    return [Measured(kind, no_tls="it has none") for kind in (in_c, in_python)]


def of_revision(revision: str) -> Measured:
    """This server as it was at a git revision, in an environment of its own."""
    folder = ARTEFACTS / "against"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = folder / "source.tar"
    git = ["git", "-C", str(ROOT), "archive", "--output", str(archive), revision]
    subprocess.run(git, check=True)
    shutil.unpack_archive(archive, folder / "source")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = str(folder / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", f"{folder / 'source'}[tls]"]
    subprocess.run(pip, check=True)
    kind = replace(RTCSIG, version=lambda: f"rtcsig at {revision}")
    return _rtcsig(f"rtcsig@{revision}", python, kind)
