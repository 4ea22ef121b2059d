"""The ``rtcsig`` command."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from rtcsig import __version__

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command with ``arguments``, or those of the process; ends the process."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command, rest = arguments[:1], arguments[1:]
    if command == ["serve"]:
        _serve(rest)
    if command == ["check"]:
        _check(rest)
    parser = _parser()
    parser.parse_args(arguments)
    parser.error("a command is needed, before all else: serve or check")


def _parser() -> argparse.ArgumentParser:
    """For what comes before a command; each command parses what comes behind it."""
    parser = argparse.ArgumentParser(prog="rtcsig", description="A WebRTC signalling server.")
    parser.add_argument("--version", action="version", version=f"rtcsig {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND")
    commands.add_parser(
        "serve",
        help="run the server in the foreground; takes the options of `twistd rtcsig`",
        add_help=False,
    )
    commands.add_parser(
        "check",
        help="pass a message through a running server, or ask if it is ready; see check --help",
        add_help=False,
    )
    return parser


def _serve(arguments: list[str]) -> NoReturn:
    """The very thing that ``twistd -n rtcsig`` does, without its pid file."""
    from twisted.scripts.twistd import run  # noqa: PLC0415 it chooses the reactor

    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "rtcsig", *arguments]
    run()
    raise SystemExit(0)


def _check(arguments: list[str]) -> NoReturn:
    from rtcsig.check import check  # noqa: PLC0415 the server needs no client

    line, status = check(arguments)
    print(line)
    raise SystemExit(status)
