"""The command line of ``twistd rtcsig``, and the service that it makes."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.application.service import Application, IService
from twisted.internet import reactor
from twisted.logger import ILogObserver

from rtcsig.listening import CannotStart
from rtcsig.server import SignallingService
from rtcsig.settings import Settings, declared
from rtcsig.tap import Options, makeService


def parsed(*arguments):
    """Options made from arguments."""
    options = Options()
    options.parseOptions(arguments)
    return options


def test_every_setting_has_a_flag_and_its_help():
    """With the default in it."""
    usage = str(Options())
    for setting in declared():
        assert f"--{setting.flag}{'' if setting.is_switch else '='}" in usage
    assert "tcp:8000:interface=127.0.0.1" in " ".join(usage.split())


def test_flags_become_settings():
    """A repeatable one takes all values, another the last."""
    settings = parsed(
        "--listen", "tcp:1", "--listen", "tcp:2", "--backlog", "5", "--backlog", "6"
    ).settings
    assert settings.listen == ("tcp:1", "tcp:2")
    assert settings.backlog == 6


def test_a_switch_takes_no_value():
    """To be given is to be on."""
    assert parsed("--supervise", "--backlog", "5").settings.supervise
    assert not parsed("--backlog", "5").settings.supervise


def test_a_file_is_read(tmp_path):
    """``--config`` names it."""
    path = tmp_path / "rtcsig.toml"
    path.write_text("backlog = 7\n")
    assert parsed("--config", str(path)).settings.backlog == 7


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--gaga"], "--gaga"),
        (["--backlog", "x"], "--backlog: must be a whole number"),
        (["--backlog"], "--backlog"),
        (["--config", "nowhere"], "config: nowhere: No such file"),
        (["too", "many"], "Wrong number of arguments|Unexpected|arguments"),
    ],
)
def test_what_is_wrong_ends_the_program_with_one_line(arguments, line):
    """That names it."""
    with pytest.raises(SystemExit, match=line) as end:
        parsed(*arguments)
    assert "\n" not in str(end.value)


def service_of(*arguments):
    """The service for arguments."""
    return makeService(parsed(*arguments))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--mount", "/=gaga"], "mount: there is no dialect 'gaga'"),
        (["--listen", "gaga"], "listen: 'gaga': Unknown endpoint type"),
        (["--allow-origin", "gaga"], "allow_origin: "),
    ],
)
def test_what_only_the_server_knows_is_one_line_too(arguments, line):
    """Dialects, endpoints and origins are checked before anything starts."""
    with pytest.raises(SystemExit, match=line):
        service_of(*arguments)


def test_the_service_brings_its_log():
    """``twistd`` asks the application for an observer."""
    application = Application("rtcsig")
    service = service_of()
    service.setServiceParent(application)
    assert application.getComponent(ILogObserver) is not None
    assert list(IService(application)) == [service]


@pytest_twisted.ensureDeferred
async def test_a_taken_port_ends_the_program(logged):
    """With status 1; the reason is one line in the log."""
    first = SignallingService(Settings(listen=("tcp:0:interface=127.0.0.1",)), reactor)
    first.privilegedStartService()
    port = first.ports[0].getHost().port
    with pytest.raises(SystemExit) as end:
        service_of("--listen", f"tcp:{port}:interface=127.0.0.1").privilegedStartService()
    assert end.value.code == 1
    (error,) = logged.errors()
    assert "Address already in use" in str(error["error"])
    assert isinstance(error["error"], CannotStart)
    await first.stopService()
