"""``rtcsig check``: one question to a running server, one line of answer."""

from __future__ import annotations

import argparse
import math
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from twisted.internet.defer import Deferred

from rtcsig.client.probe import probe
from rtcsig.client.reach import ProbeFailed, trust_in
from rtcsig.client.readiness import ask_readiness
from rtcsig.client.verdict import (
    Limits,
    Verdict,
    as_json,
    as_line,
    failed,
    of_answer,
    of_message,
    unknown,
)

__all__ = ["check"]

_TIMEOUT_S = 10.0
_DESCRIPTION = "Pass a message between two peers through a running server, or ask if it is ready."
_STATUSES = (
    "exit status: 0 well, 1 slower than --warning-ms, 2 not well or slower than --critical-ms, "
    "3 unknown (also for a mistake in the arguments)"
)


class _UsageError(Exception):
    """The arguments cannot be used; the text says which."""


class _Parser(argparse.ArgumentParser):
    """Leaves it to others how a mistake ends the process: argparse's 2 would mean critical."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        raise _UsageError(message)


def check(arguments: list[str]) -> tuple[str, int]:
    """Check a server as the arguments say; returns the line to print and the exit status."""
    try:
        asked = _parsed(arguments)
    except _UsageError as error:
        # They could not be parsed, so these are looked for by hand: who reads must understand.
        json, nagios = "--json" in arguments, "--nagios" in arguments
        asked = argparse.Namespace(json=json, nagios=nagios, limits=Limits())
        verdict = unknown(None, str(error))
    else:
        verdict = _verdict(asked)
    if asked.json:
        return as_json(verdict), verdict.status
    return as_line(verdict, asked.limits, nagios=asked.nagios), verdict.status


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.token is not None and not asked.ready:
        parser.error("argument --token-file: only --ready has a use for it")
    try:
        asked.limits = Limits(asked.warning_ms, asked.critical_ms)
    except ValueError as error:
        parser.error(str(error))
    return asked


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="rtcsig check", description=_DESCRIPTION, epilog=_STATUSES)
    add = parser.add_argument
    add(
        "url",
        metavar="ws://HOST:PORT/",
        help="where a datachannel dialect is mounted; with --ready, the server, also as http://",
    )
    add(
        "--timeout",
        type=_positive,
        default=_TIMEOUT_S,
        metavar="SECONDS",
        help="for everything together; default: %(default)g",
    )
    add("--ready", action="store_true", help="ask GET /readyz, and pass no message")
    add(
        "--token-file",
        dest="token",
        type=_token,
        metavar="FILE",
        help="has the token to show with --ready",
    )
    add(
        "--ca-file",
        dest="trust",
        type=_trust,
        metavar="FILE",
        help="certificates (PEM) to trust for wss:// and https://, in place of the platform's",
    )
    add("--warning-ms", type=_positive, metavar="N", help="a longer round trip is a warning")
    add("--critical-ms", type=_positive, metavar="N", help="a longer round trip is critical")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--json", action="store_true", help="print one JSON object")
    style.add_argument(
        "--nagios", action="store_true", help="print what monitors expect of a plugin"
    )
    return parser


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return number


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{path}: {why}") from None


def _token(path: str) -> str:
    try:
        token = _content(path).decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable():
        raise argparse.ArgumentTypeError(f"{path} must have one line of ASCII, the token")
    return token


def _trust(path: str) -> Any:
    try:
        return trust_in(_content(path))
    except (ValueError, ProbeFailed) as error:
        raise argparse.ArgumentTypeError(f"{path}: {error}") from None


def _verdict(asked: argparse.Namespace) -> Verdict:
    from twisted.internet import task  # noqa: PLC0415 it chooses the reactor

    verdict = unknown(asked.url, "stopped before there was an answer")
    is_stopping = False

    def stopping() -> None:
        nonlocal is_stopping
        is_stopping = True

    async def run(reactor: Any) -> None:
        nonlocal verdict
        reactor.addSystemEventTrigger("before", "shutdown", stopping)
        found = await _ask(reactor, asked)
        # A signal ends all connections first, which is not the server's doing.
        if not is_stopping:
            verdict = found

    # Its statuses would say well after a signal, and warning after a mistake in here.
    with suppress(SystemExit):
        task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))
    return verdict


async def _ask(reactor: Any, asked: argparse.Namespace) -> Verdict:
    try:
        if not asked.ready:
            round_trip_s = await probe(reactor, asked.url, asked.timeout, trust=asked.trust)
            return of_message(asked.url, round_trip_s, asked.limits)
        answer = await ask_readiness(
            reactor, asked.url, asked.timeout, token=asked.token, trust=asked.trust
        )
    except ProbeFailed as failure:
        return failed(asked.url, str(failure))
    return of_answer(asked.url, answer.http_status, answer.body, answer.round_trip_s, asked.limits)
