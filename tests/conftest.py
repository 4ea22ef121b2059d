"""What every test has: a log that must stay clean, and a word about missing tools."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from twisted.logger import LogEvent, LogLevel, eventAsText, globalLogPublisher

from tests.support.tools import found

# A deadline is a timed assert, and machines are noisy.
settings.register_profile("rtcsig", deadline=None)
settings.load_profile("rtcsig")

_CI = bool(os.environ.get("CI"))
_INSTALL = {
    "chromium": "apt-get install chromium",
    "curl": "apt-get install curl",
    "haproxy": "apt-get install haproxy",
    "nginx": "apt-get install nginx-light",
    "node": "apt-get install nodejs npm",
    "npm": "apt-get install npm",
    "prometheus": "apt-get install prometheus",
    "promtool": "apt-get install prometheus",
    "strace": "apt-get install strace",
    "systemd-analyze": "apt-get install systemd",
}
_missing: dict[str, int] = {}


class LogWatch:
    """The events that a test put into the log.

    A test that expects errors takes them with ``errors``; what is left at the
    end fails it.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self._unexpected: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        """Observe."""
        self.events.append(event)
        if event["log_level"] >= LogLevel.error:
            self._unexpected.append(event)

    def errors(self) -> list[LogEvent]:
        """The errors so far, which are expected by asking for them."""
        taken, self._unexpected = self._unexpected, []
        return taken

    def lines(self, what: str) -> list[LogEvent]:
        """The events of rtcsig's reporter with this text."""
        return [event for event in self.events if event.get("what") == what]

    def unexpected(self) -> str:
        """The errors that nobody asked for, as text."""
        return "\n".join(eventAsText(event) for event in self._unexpected)


@pytest.fixture(autouse=True)
def logged() -> Iterator[LogWatch]:
    """Watch the log; errors that the test did not expect fail it."""
    watch = LogWatch()
    globalLogPublisher.addObserver(watch)
    yield watch
    globalLogPublisher.removeObserver(watch)
    assert not watch.unexpected(), watch.unexpected()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for tests that need a program of the machine; let SIGINT through."""
    config.addinivalue_line("markers", "needs(*tools): programs that the machine must have")
    # A shell that runs the tests in the background ignores it, as would all that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Under CI a missing tool is a failure; elsewhere it is named in the summary."""
    for marker in item.iter_markers("needs"):
        for tool in marker.args:
            if found(tool) is None:
                _missing[tool] = _missing.get(tool, 0) + 1
                message = f"{tool} is missing: {_INSTALL[tool]}"
                if _CI:
                    pytest.fail(message)
                pytest.skip(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what could not be tested, and the command that changes it."""
    for tool, count in sorted(_missing.items()):
        terminalreporter.write_line(
            f"NOT TESTED: {count} tests need {tool}; install it: {_INSTALL[tool]}", yellow=True
        )
