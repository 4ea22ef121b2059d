"""The servers: how each is installed, run and spoken to."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.support.server import TWISTD
from tests.survival.speech import BY_ID, PEERJS, TOPICS, Speech

__all__ = ["FOLDER", "KINDS", "RTCSIG", "Kind"]

FOLDER = Path(__file__).parent / "peers"
_MODULES = FOLDER / "node_modules"
_RELAY = "a relay in the manner of"


@dataclass(frozen=True)
class Kind:
    """One server: ``command`` runs it on a port."""

    name: str
    speech: Speech
    how: str
    command: Callable[[int], tuple[str, ...]]
    version: Callable[[], str]
    missing: Callable[[], bool] = lambda: False
    environment: Callable[[int], dict[str, str]] = lambda _port: {}


def _npm(
    name: str,
    speech: Speech,
    how: str,
    *command: str,
    package: str = "",
    contains: Callable[[], str] = lambda: "",
) -> Kind:
    """A server in Node; its port is the last argument, or the variable PORT."""
    manifest = _MODULES / (package or name) / "package.json"

    def installed_version() -> str:
        found = json.loads(manifest.read_text(encoding="utf-8"))["version"]
        return f"{package or name} {found}{contains()}"

    return Kind(
        name,
        speech,
        how,
        command=lambda port: ("node", *command, str(port)),
        version=installed_version,
        missing=lambda: not manifest.exists(),
        environment=lambda port: {"PORT": str(port)},
    )


def _libdatachannel() -> str:
    """The version that is in the package; the package's own is another."""
    asks = "import n from 'node-datachannel'; console.log(n.getLibraryVersion())"
    asking = ("node", "--input-type=module", "--eval", asks)
    return f", libdatachannel {subprocess.check_output(asking, cwd=FOLDER, text=True).strip()}"


RTCSIG = Kind(
    "rtcsig",
    BY_ID,
    "`twistd -n rtcsig`, its defaults",
    command=lambda port: (
        sys.executable, "-c", TWISTD, "-n", "--pidfile=", "rtcsig",
        f"--listen=tcp:{port}:interface=127.0.0.1",
    ),
    version=lambda: (
        f"rtcsig {version('rtcsig')}, Twisted {version('twisted')}, "
        f"Autobahn {version('autobahn')}"
    ),
)  # fmt: skip

KINDS = (
    RTCSIG,
    _npm(
        "libdatachannel",
        BY_ID,
        f"{_RELAY} its example signalling servers, on its `WebSocketServer`",
        "node_datachannel_relay.mjs",
        package="node-datachannel",
        contains=_libdatachannel,
    ),
    _npm(
        "peerjs command",
        PEERJS,
        "`peerjs --port PORT`",
        "node_modules/peer/dist/bin/peerjs.js",
        "--port",
        package="peer",
    ),
    _npm(
        "PeerServer",
        PEERJS,
        "`PeerServer({port, path})` in a program, as in its README",
        "peer_embedded.mjs",
        package="peer",
    ),
    _npm(
        "y-webrtc", TOPICS, "`PORT=PORT node bin/server.js`", "node_modules/y-webrtc/bin/server.js"
    ),
    _npm("ws", BY_ID, f"{_RELAY} its README, JSON guarded", "ws_relay.mjs"),
    Kind(
        "websockets",
        BY_ID,
        f"{_RELAY} its documentation",
        command=lambda port: (sys.executable, "websockets_relay.py", str(port)),
        version=lambda: f"websockets {version('websockets')}",
        missing=lambda: importlib.util.find_spec("websockets") is None,
    ),
)
