"""The wheel, installed alone: what is in it, and that it serves."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

import rtcsig
from tests.support.peer import Peer
from tests.support.server import TWISTD, ServerProcess

_SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
_TIMEOUT_S = 60.0


def _printed(*command: str, folder: Path) -> str:
    """What a program of this environment prints, run where no source lies about."""
    return subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    ).stdout


def _script(name: str) -> str:
    return str(Path(sysconfig.get_path("scripts")) / name)


def test_the_wheel_is_what_is_tested(tmp_path: Path):
    """This process and its children import rtcsig from site-packages, where a wheel put it."""
    expected = _SITE_PACKAGES / "rtcsig" / "__init__.py"
    found = _printed(sys.executable, "-c", "import rtcsig; print(rtcsig.__file__)", folder=tmp_path)
    assert Path(rtcsig.__file__) == Path(found.strip()) == expected


def test_only_rtcsig_is_in_the_wheel():
    """The package and twistd's plugin, and not the tests or a twisted/__init__.py."""
    files = {Path(file) for file in distribution("rtcsig").files or ()}
    by_top = {file.parts[0] for file in files if ".dist-info" not in file.parts[0]}
    assert by_top <= {"rtcsig", "twisted", ".."}
    twisted = {file for file in files if file.parts[0] == "twisted" and file.suffix == ".py"}
    assert twisted == {Path("twisted", "plugins", "rtcsig_plugin.py")}
    assert Path("rtcsig", "py.typed") in files


def test_files_are_in_their_places():
    """The plugin lies among Twisted's plugins, and the mark of typing in the package."""
    assert (_SITE_PACKAGES / "twisted" / "plugins" / "rtcsig_plugin.py").is_file()
    assert (_SITE_PACKAGES / "rtcsig" / "py.typed").is_file()


def test_twistd_lists_it(tmp_path: Path):
    """``twistd --help`` has rtcsig among its commands."""
    lines = _printed(sys.executable, "-c", TWISTD, "--help", folder=tmp_path).splitlines()
    assert any(line.split()[:1] == ["rtcsig"] for line in lines)


def test_the_command_knows_its_version(tmp_path: Path):
    """``rtcsig --version`` prints the version of the distribution."""
    printed = _printed(_script("rtcsig"), "--version", folder=tmp_path)
    assert printed == f"rtcsig {distribution('rtcsig').version}\n"


def test_it_relays():
    """``twistd -n rtcsig`` passes a message from one peer to the other."""
    with ServerProcess() as server, Peer(server.port, "/a") as a, Peer(server.port, "/b") as b:
        a.send({"id": "b", "type": "offer", "description": "v=0"})
        assert b.receive() == {"id": "a", "type": "offer", "description": "v=0"}
        a.close()
        b.close()
