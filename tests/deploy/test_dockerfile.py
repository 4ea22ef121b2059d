"""The Dockerfile: what it copies is there, and what the container runs works on this machine."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from rtcsig.settings import ENVIRONMENT_PREFIX, declared
from tests.deploy.dockerfile import Dockerfile, is_sent
from tests.support.peer import Peer
from tests.support.server import ServerProcess, clean_environment

_REPOSITORY = Path(os.environ.get("RTC_REPOSITORY", Path(__file__).parents[2]))
_DOCKERFILE = Dockerfile(_REPOSITORY / "deploy" / "Dockerfile")
_PORT = "8000"
_TIMEOUT_S = 60.0
_COPIED = [
    path
    for each in _DOCKERFILE.all
    if each.name == "COPY" and "from" not in each.flags
    for path in each.paths[:-1]
]


def _script(name: str) -> str:
    """A program as the image's PATH finds it: in the environment where rtcsig is installed."""
    return str(Path(sysconfig.get_path("scripts"), name))


# -- how it is made ---------------------------------------------------------------------


@pytest.mark.parametrize("path", _COPIED)
def test_what_is_copied_is_there(path):
    """In the repository, and not kept from Docker."""
    assert (_REPOSITORY / path).exists()
    ignore = (_REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert is_sent(path, [line for line in ignore if line and not line.startswith("#")])


def test_nothing_else_is_sent_to_docker():
    """A secret that lies beside the sources stays there."""
    ignore = (_REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == set(_COPIED)
    assert not is_sent("secret.pem", ignore)


def test_all_that_the_wheel_is_made_of_is_copied():
    """The files that pyproject.toml names, and itself; and what a link of theirs points to."""
    needed = {"pyproject.toml", "README.md", "LICENSE", "rtcsig", "twisted_plugins"}
    needed |= {
        str(path.resolve().relative_to(_REPOSITORY.resolve()))
        for path in (_REPOSITORY / "rtcsig").rglob("*")
        if path.is_symlink()
    }
    assert set(_COPIED) == needed


def test_the_image_is_that_of_a_small_python():
    """Both stages are the same, so that the environment works where it is copied to."""
    images = {each.text.split()[0] for each in _DOCKERFILE.all if each.name == "FROM"}
    assert images == {"python:3.12-slim"}


def test_it_does_not_run_as_root():
    """By a number, which an orchestrator can check without looking into the image."""
    user, _, group = _DOCKERFILE.only("USER").text.partition(":")
    assert int(user) >= 1000
    assert int(group) >= 1000


def test_every_variable_is_a_setting():
    """One that is none would end the start."""
    names = {ENVIRONMENT_PREFIX + setting.name.upper() for setting in declared()}
    assert set(_DOCKERFILE.variables()) - {"PATH"} <= names


def test_the_port_is_the_one_that_is_exposed():
    """And the one that the health check asks."""
    assert _DOCKERFILE.only("EXPOSE").text == _PORT
    assert _DOCKERFILE.variables()["RTCSIG_LISTEN"] == f"tcp:{_PORT}"
    assert f":{_PORT}/" in _DOCKERFILE.only("HEALTHCHECK").command[-1]


# -- what it runs --------------------------------------------------------------------------


def _container(*flags: str) -> ServerProcess:
    """What the container runs, on a free port, with flags in the place of CMD if there are any."""
    variables = _DOCKERFILE.variables()
    server = ServerProcess(
        environment={
            "RTCSIG_LISTEN": variables["RTCSIG_LISTEN"].replace(_PORT, "0"),
        }
    )
    entry, cmd = _DOCKERFILE.only("ENTRYPOINT").command, _DOCKERFILE.only("CMD").command
    server.command = [_script(entry[0]), *entry[1:], *(flags or cmd)]
    return server


def test_the_container_serves_and_ends():
    """On all addresses; the signal that Docker sends ends it with status 0."""
    assert _DOCKERFILE.only("STOPSIGNAL").text == "SIGTERM"
    with _container() as server:
        assert f"rtcsig listens on tcp:0: 0.0.0.0:{server.port}\n" in server.log
        with Peer(server.port, "/a") as peer:
            peer.send({"id": "a", "n": 1})
            assert peer.receive() == {"id": "a", "n": 1}
            peer.close()
        assert server.stop() == 0


def test_flags_behind_the_name_of_the_image():
    """Are the server's, and leave the rest as it was."""
    with _container("--log-format", "json") as server:
        assert '"message":"rtcsig listens on tcp:0: 0.0.0.0:' in server.log


def test_the_health_check_knows_a_server_that_is_ready_from_none():
    """Docker takes any status but 0 for unhealthy."""
    with _container() as server:
        healthy = _health(server.port)
        assert healthy.returncode == 0, healthy.stdout + healthy.stderr
        port = server.port
    assert _health(port).returncode != 0


def _health(port: int) -> subprocess.CompletedProcess[str]:
    """The health check, as it stands there, of a server at this port."""
    program, *arguments = _DOCKERFILE.only("HEALTHCHECK").command
    return subprocess.run(
        [_script(program), *(each.replace(_PORT, str(port)) for each in arguments)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
