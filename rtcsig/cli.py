"""The ``rtcsig`` command."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from rtcsig import __version__
from rtcsig.client.probe import ProbeFailed, probe

__all__ = ["main"]

_PROBE_TIMEOUT_S = 10.0
_EXIT_NOT_WELL = 2


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command with ``arguments``, or those of the process; ends the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["serve"]:
        _serve(arguments[1:])
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.command is None:
        parser.error("a command is needed: serve or check")
    _check(parsed.url, parsed.timeout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rtcsig", description="A WebRTC signalling server.")
    parser.add_argument("--version", action="version", version=f"rtcsig {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser(
        "serve",
        help="run the server in the foreground; takes the options of `twistd rtcsig`",
        add_help=False,
    )
    check = commands.add_parser(
        "check", help="pass a message through a running server; exit status 2 if that fails"
    )
    check.add_argument(
        "url", metavar="ws://HOST:PORT/", help="where a datachannel dialect is mounted"
    )
    check.add_argument(
        "--timeout",
        type=_positive_seconds,
        default=_PROBE_TIMEOUT_S,
        metavar="SECONDS",
        help="default: %(default)g",
    )
    return parser


def _positive_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return seconds


def _serve(arguments: list[str]) -> NoReturn:
    """The very thing that ``twistd -n rtcsig`` does, without its pid file."""
    from twisted.scripts.twistd import run  # noqa: PLC0415 it chooses the reactor

    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "rtcsig", *arguments]
    run()
    raise SystemExit(0)


def _check(url: str, timeout_s: float) -> NoReturn:
    from twisted.internet import task  # noqa: PLC0415 it chooses the reactor

    status = 0

    async def run(reactor: Any) -> None:
        nonlocal status
        try:
            round_trip_s = await probe(reactor, url, timeout_s)
        except ProbeFailed as failure:
            print(f"not well: {failure}")
            status = _EXIT_NOT_WELL
        else:
            print(f"well: a message went through {url} and back in {round_trip_s * 1000:.1f} ms")

    try:
        task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    except SystemExit as end:
        raise SystemExit(end.code or status) from None
    raise AssertionError("task.react ends the process")
