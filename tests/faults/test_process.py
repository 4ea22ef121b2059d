"""What befalls the process as a whole: it stands still, its clock is set, its log is stuck."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.trial import PATCHES, Trial
from tests.support.commands import Ended, run_twistd
from tests.support.peer import PING, PONG, TEXT, Peer, frame, request
from tests.support.server import wait_until

STANDS_STILL = "stands still"
SOME = 20  # messages of the control clients


def stand_still(run: Trial, staller: Peer, stall_s: float) -> None:
    """Let the reactor stand still; those who come meanwhile get 503, later they are served."""
    before = run.server.log.count(STANDS_STILL)
    lagged = run.count("refusals", reason="lagging")
    staller.send({"id": "staller", "stall_s": stall_s})
    wait_until(lambda: run.server.log.count(STANDS_STILL) > before, what=STANDS_STILL)
    newcomers = [run.connected() for _ in range(run.random.randrange(1, 5))]
    for newcomer in newcomers:
        status, fields, _ = newcomer.http_answer()
        assert status == 503
        assert 1 <= int(fields["retry-after"]) <= 10
        newcomer.socket.close()
    assert run.count("refusals", reason="lagging") >= lagged + len(newcomers)
    assert staller.receive()["id"] == "staller"
    wait_until(lambda: is_served(run), what="a newcomer is served again")


def is_served(run: Trial) -> bool:
    """Whether a newcomer gets its WebSocket."""
    with run.connected() as newcomer:
        status, _, _ = newcomer.upgrade("/newcomer")
        if status == 101:
            newcomer.close()
    return status == 101


def test_the_reactor_stands_still(trial):
    """Nobody who is there is lost; newcomers get 503 until it goes on."""
    # Who may read the pages is let ask first.
    nobody = "--admin-allow=192.0.2.0/24"
    flags = ("--max-lag-s=0.5", "--ping-interval-s=1", "--pong-timeout-s=5", nobody)
    how = "`time.sleep` for 1 to 1.5 s while a message is handled, `--max-lag-s=0.5`"
    with trial("23", how, *flags, patch=[PATCHES / "stands_still.py"]) as run:
        with run.fault():
            for _ in run.repeat():
                staller = run.connected("/staller")
                stand_still(run, staller, run.random.uniform(1.0, 1.5))
                staller.close()
        refused = run.count("refusals", reason="lagging")
        run.server.wait_for("reactor lags")
        run.seen = f"503 for {refused} newcomers, served again after it; nobody lost"


def test_the_clock_is_set(trial):
    """Timers run by a clock that nobody sets: pings go on, and nobody is dropped for it."""
    flags = ("--ping-interval-s=0.5", "--pong-timeout-s=10")
    how = "`time.time` patched: +1 h, -1 h, right, and so on"
    with trial("26", how, *flags, patch=[PATCHES / "clock_is_set.py"]) as run:
        with run.fault(), run.connected("/witness") as witness:
            for _ in run.repeat():
                run.provoke(signal.SIGRTMIN, "the clock is set")
                run.control.wait_for(run.random.randrange(1, SOME))
                received = witness.receive_frame()
                assert received.opcode == PING
                witness.send_frame(PONG, received.payload)
            witness.close()
        assert not run.count("timeouts")
        run.seen = "a ping after each change, no timeout"


GET = request("/peer")
REFUSED = {
    400: request("/"),
    405: GET.replace(b"GET", b"POST"),
    426: b"GET /nobody HTTP/1.1\r\nHost: localhost\r\n\r\n",
    431: GET[:-4] + b"a" * 20_000,
    505: GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
}
BROKEN = {
    1002: frame(3),
    1007: frame(TEXT, b"\xff"),
    1009: frame(TEXT, b"a" * 65_537),
}


def make_lines(run: Trial) -> None:
    """Let the server have something to say, of varied kinds: each is bounded in lines."""
    for status in run.random.sample(list(REFUSED), 2):
        peer = run.connected()
        peer.socket.sendall(REFUSED[status])
        assert peer.http_answer()[0] == status
        peer.socket.close()
    code = run.random.choice(list(BROKEN))
    peer = run.connected("/faulty")
    peer.socket.sendall(BROKEN[code])
    assert peer.receive_frame().close_code == code
    peer.reset()


def test_the_log_is_stuck(trial):
    """Everybody is served; lines that cannot be written are dropped and counted."""
    how = "standard output made a full pipe, then `/dev/full`, then what it was"
    with trial("34", how, patch=[PATCHES / "log_is_blocked.py"]) as run:
        with run.fault():
            for _ in run.repeat():
                for stage in ("a full pipe", "/dev/full", "itself"):
                    run.provoke(signal.SIGRTMIN, f"standard output is {stage}")
                    make_lines(run)
                    run.control.wait_for(SOME)
        dropped = run.count("dropped_log_lines")
        assert dropped
        written = len(run.server.log)
        wait_until(lambda: "request refused" in run.server.log[written:], what="the log goes on")
        run.seen = f"all served, {dropped} lines dropped and counted; the log went on afterwards"


def fail_to_start(reason: str, port: int, folder: Path) -> Ended:
    """Start a server that cannot listen."""
    address = "192.0.2.1" if reason == "not there" else "127.0.0.1"
    listen = f"--listen=tcp:{port if reason == 'taken' else 0}:interface={address}"
    refuses = ("--output=/dev/null", "--trace=bind", "--inject=bind:error=EACCES")
    before = ("strace", *refuses) if reason == "not allowed" else ()
    return run_twistd("-n", "--pidfile=", "rtcsig", listen, folder=folder, before=before)


@pytest.mark.needs("strace")
def test_a_start_that_cannot_listen(trial, tmp_path):
    """Status 1, and one line that says where and why; who has the address notices nothing."""
    how = "the port of a running server; an address of nobody; strace: bind fails with EACCES"
    with trial("36", how) as run:
        reasons = set()
        with run.fault():
            for repetition in run.repeat():
                reason = ("taken", "not there", "not allowed")[repetition % 3]
                ended = fail_to_start(reason, run.server.port, tmp_path)
                (line,) = (line for line in ended.lines if "cannot listen on" in line)
                assert ended.status == 1
                assert "Traceback" not in ended.stdout + ended.stderr
                reasons.add(line.rpartition(": ")[2])
        assert len(reasons) == 3
        run.seen = f"status 1 and one line each: {', '.join(sorted(reasons))}"
