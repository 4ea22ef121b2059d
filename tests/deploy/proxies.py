"""nginx and HAProxy, run by the very files of deploy/.

Only what is the machine's is replaced in them: addresses, ports, paths, users. Each
replaced text must be in the file once, so that no change to it goes by unseen.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import signal
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType

from tests.interop.clients import Client
from tests.support.server import wait_until
from tests.support.tools import found

__all__ = ["DEPLOY", "HAProxy", "Nginx", "Proxy", "free_ports", "replaced", "server_flags"]

DEPLOY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2])) / "deploy"
_NOTHING: Mapping[str, str] = MappingProxyType({})
_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 65_536


def free_ports(count: int) -> list[int]:
    """Ports of the loopback, all different, on which nobody listens."""
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """The text with each replacement. Raises ``ValueError`` for what is not in it once."""
    for old, new in replacements.items():
        if (count := text.count(old)) != 1:
            raise ValueError(f"there are {count} {old!r} to be replaced")
        text = text.replace(old, new)
    return text


def server_flags(file: str, replacements: Mapping[str, str] = _NOTHING) -> list[str]:
    """The flags of ``rtcsig serve`` that the file says are needed."""
    text = (DEPLOY / file).read_text(encoding="utf-8")
    (flags,) = re.findall(r"^#     rtcsig serve((?:.*\\\n)*.*)$", text, re.MULTILINE)
    return shlex.split(replaced(flags.replace("\\\n#", " "), replacements))


class Proxy(Client):
    """A proxy in the foreground, on a free port of the loopback.

    Used as a context manager; leaving it ends the program with all that it has
    started, and its files are in ``folder``.
    """

    def __init__(
        self, file: str, folder: Path, replacements: Mapping[str, str], *command: str
    ) -> None:
        self.configuration = folder / file
        text = (DEPLOY / file).read_text(encoding="utf-8")
        self.configuration.write_text(replaced(text, replacements), encoding="utf-8")
        program, *arguments = command
        super().__init__([found(program) or program, *arguments], {}, folder / f"{program}.stderr")

    def __enter__(self) -> Proxy:
        super().__enter__()
        try:
            wait_until(self._works, what="the proxy works")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it end its own processes, and end what is left."""
        try:
            os.kill(self.process.pid, signal.SIGTERM)
            wait_until(self._has_ended, _TIMEOUT_S, "the proxy ends")
        finally:
            super().__exit__(kind, error, trace)

    def _has_ended(self) -> bool:
        """Whether it has; it is not reaped here: see ``Client.__exit__``."""
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, options) is not None

    def _works(self) -> bool:
        """Whether it takes clients; that it ended is a failure."""
        assert not self._has_ended(), str(self)
        return self._listens()

    def _listens(self) -> bool:
        raise NotImplementedError


class Nginx(Proxy):
    """nginx before a server on ``server_port``; ``more`` replaces more, before all else."""

    def __init__(self, folder: Path, server_port: int, more: Mapping[str, str] = _NOTHING) -> None:
        (self.port,) = free_ports(1)
        self._pid_file = folder / "nginx.pid"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        # Nobody but root may use the folders that Debian's nginx has for what does not fit.
        folders = "".join(f"{kind}_temp_path {folder / kind};" for kind in kinds)
        replacements = dict(more) | {
            "/run/nginx.pid": str(self._pid_file),
            "/var/log/nginx/error.log": str(folder / "error.log"),
            "http {": f"http {{ {folders}",
            " 127.0.0.1:8000;": f" 127.0.0.1:{server_port};",
            " listen 80;": f" listen 127.0.0.1:{self.port};",
            " listen [::]:80;": "",
        }
        path = folder / "nginx.conf"
        command = ("nginx", "-e", "stderr", "-g", "daemon off;", "-p", str(folder), "-c", str(path))
        super().__init__("nginx.conf", folder, replacements, *command)

    def _listens(self) -> bool:
        """Whether there is the file that nginx writes when its ports are open."""
        return self._pid_file.exists()


class HAProxy(Proxy):
    """HAProxy before a server on ``server_port`` that is asked on ``admin_port`` how it is.

    ``more`` replaces more, before all else.
    """

    def __init__(
        self,
        folder: Path,
        server_port: int,
        admin_port: int,
        more: Mapping[str, str] = _NOTHING,
    ) -> None:
        (self.port,) = free_ports(1)
        self._stats = folder / "stats"
        replacements = dict(more) | {
            "    user haproxy\n    group haproxy\n    chroot /var/lib/haproxy\n": "",
            # More than it may have of descriptors, and it does not start.
            " maxconn 25000": " maxconn 100",
            "/dev/log local0": "stderr format raw local0",
            "/run/haproxy/admin.sock": str(self._stats),
            " bind :::80 v4v6": f" bind 127.0.0.1:{self.port}",
            " 127.0.0.1:8000 ": f" 127.0.0.1:{server_port} ",
            " check port 8001 ": f" check port {admin_port} ",
        }
        command = ("haproxy", "-db", "-f", str(folder / "haproxy.cfg"))
        super().__init__("haproxy.cfg", folder, replacements, *command)

    def _listens(self) -> bool:
        return self._stats.is_socket() and bool(self.state())

    def state(self) -> dict[str, str]:
        """What it knows about the server, by the names of its statistics."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_TIMEOUT_S)
            asking.connect(str(self._stats))
            asking.sendall(b"show stat\n")
            answer = b""
            while more := asking.recv(_MAX_ANSWER_BYTES):
                answer += more
        lines = answer.decode().removeprefix("# ").strip().splitlines()
        (server,) = [
            row
            for row in csv.DictReader(lines)
            if (row["pxname"], row["svname"]) == ("rtcsig", "rtcsig")
        ]
        return server

    def wait_for_check(self, status: str, code: int) -> None:
        """Wait until the server is ``UP`` or ``DOWN`` because of this answer to a check."""
        wanted = (status, str(code))

        def is_so() -> bool:
            state = self.state()
            return (state["status"], state["check_code"]) == wanted

        wait_until(is_so, what=f"HAProxy takes the server for {status} by its {code}")
