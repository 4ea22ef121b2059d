"""Five hundred pairs talk on while their server is killed and drained under them."""

from __future__ import annotations

import os
import signal

import pytest_twisted
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.operations.pairs import Pairs, curve
from tests.support.supervised import SupervisedServer

PAIRS = 500
# Killed five times, drained twice.
ENDS = [*[signal.SIGKILL] * 5, *[signal.SIGUSR1] * 2]
FLAGS = (
    "--drain-s=3",
    "--max-restart-pause-s=1",
    # They all come from one address.
    "--max-connections-per-address=0",
    "--max-half-open-per-address=0",
)


@pytest_twisted.ensureDeferred
async def test_every_number_arrives_once_and_in_order_or_is_told(
    record_property, capsys, artefacts
):
    """Over all ends of the server; and all clients are back after each."""
    server = SupervisedServer(*FLAGS, patient=True)
    await deferToThread(server.__enter__)
    report = []
    pairs = Pairs(reactor, server.url, PAIRS)
    try:
        await pairs.start()
        for restarts, how in enumerate(ENDS):
            child = await deferToThread(server.child, restarts)
            pairs.begin()
            os.kill(child, how)
            await deferToThread(server.child, restarts + 1)
            await pairs.until(lambda: len(pairs.arrivals_s) >= 2 * PAIRS and pairs.all_open())
            report.append(
                f"{how.name}: the last of {2 * PAIRS} back after {max(pairs.arrivals_s):.2f} s\n"
                f"{curve(pairs.arrivals_s, 0.1 if how is signal.SIGKILL else 0.5)}"
            )
        await pairs.settle()
    finally:
        await pairs.stop()
        await deferToThread(server.__exit__, None, None, None)
    faults = {pair.sender.peer_id: pair.faults() for pair in pairs.pairs if pair.faults()}
    report.append(pairs.numbers())
    (artefacts / "coming_back.txt").write_text("\n\n".join(report) + "\n", encoding="utf-8")
    record_property("numbers", pairs.numbers())
    with capsys.disabled():
        print("\n" + "\n".join(report))
    assert not faults, faults
