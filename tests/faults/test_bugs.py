"""A bug in a dialect costs the connection that met it."""

from __future__ import annotations

from pathlib import Path

from tests.faults.trial import Trial
from tests.support.peer import CLOSE, Peer

PATCH = Path(__file__).parents[1] / "process" / "faults" / "session_raises.py"
STEPS = ("made", "opened", "received", "closed")


def assert_closed(peer: Peer, code: int) -> None:
    """The server closes with this code; the close is answered."""
    received = peer.receive_frame()
    assert received.close_code == code
    assert b"secret" not in received.payload
    peer.send_frame(CLOSE, received.payload[:2])
    peer.wait_for_end()


def meet(run: Trial, step: str) -> None:
    """Meet the bug in this step of a session's life."""
    peer = run.connected()
    status, fields, body = peer.upgrade(f"/eve/bad-{step}")
    assert status == (500 if step == "made" else 101)
    assert "secret" not in f"{fields}{body}"
    if step == "opened":
        assert_closed(peer, 1011)
    elif step == "received":
        peer.send({"id": "eve", "type": "offer"})
        assert_closed(peer, 1011)
    elif step == "closed":
        peer.close()
    peer.socket.close()


def test_a_session_that_raises(trial):
    """500 or 1011 for the connection, and nothing of the exception's text in it."""
    how = "the session raises in the step that the path names"
    with trial("8", how, patch=[PATCH], shows_bugs=True) as run:
        with run.fault():
            for _ in run.repeat():
                for step in run.random.sample(STEPS, len(STEPS)):
                    meet(run, step)
        assert run.count("callback_failures") == run.repetitions * len(STEPS)
        assert run.count("refusals", status="500") == run.repetitions
        assert run.count("closes", code="1011") == 2 * run.repetitions
        run.seen = "500; 1011; 1011; an orderly close. Each counted, tracebacks at a bounded rate"
