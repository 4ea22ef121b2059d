"""More connections than there is room for: in all, and from one address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.faults.trial import Trial
from tests.support.peer import Peer, request

ROOM = 40
MAX_BEYOND = 64  # those who are being told that the server is full
GREEDY = "127.0.0.2"
MODEST = "127.0.0.3"


def answers(peers: Iterable[Peer]) -> Counter[int]:
    """What each is answered; those who are refused are told when to come back, and go."""
    statuses: Counter[int] = Counter()
    for peer in peers:
        status, fields, _ = peer.http_answer()
        statuses[status] += 1
        if status != 101:
            assert 1 <= int(fields["retry-after"]) <= 10
            peer.socket.close()
    return statuses


def crowd(run: Trial, count: int, address: str) -> list[Peer]:
    """So many connect from one address and ask, before the first one has its answer."""
    peers = [run.connected(address=address) for _ in range(count)]
    for number, peer in enumerate(peers):
        peer.socket.sendall(request(f"/{address}-{number}"))
    return peers


def leave(run: Trial, peers: Iterable[Peer]) -> None:
    """All close, and the server has noticed."""
    for peer in peers:
        peer.socket.close()
    run.settle()


def test_a_full_server(trial):
    """Up to the bound all are served; the others get 503, or wait to get it."""
    flags = (f"--max-connections={ROOM + 20}", "--close-timeout-s=2")
    with trial("9", f"three times the {ROOM} connections that there is room for", *flags) as run:
        refused = 0
        with run.fault():
            for _ in run.repeat():
                peers = crowd(run, 3 * ROOM + run.random.randrange(ROOM), "127.0.0.1")
                assert run.server.books(objects=False).connections <= ROOM + 20 + MAX_BEYOND
                statuses = answers(peers)
                assert statuses[101] == ROOM
                assert statuses[503] == len(peers) - ROOM
                refused += statuses[503]
                leave(run, peers)
        assert run.count("refusals", reason="full") == refused
        run.seen = f"each time {ROOM} served, all others 503 with Retry-After: {refused}"


def test_one_address_wants_all(trial):
    """Beyond --max-connections-per-address it gets 429, and another address gets in."""
    with trial("10.1", "connections held", f"--max-connections-per-address={ROOM}") as run:
        refused = 0
        with run.fault():
            for _ in run.repeat():
                greedy = crowd(run, ROOM + run.random.randrange(1, ROOM), GREEDY)
                statuses = answers(greedy)
                modest = crowd(run, 5, MODEST)
                assert answers(modest) == {101: 5}
                assert statuses == {101: ROOM, 429: len(greedy) - ROOM}
                refused += statuses[429]
                leave(run, (*greedy, *modest))
        run.seen = f"429 with Retry-After for {refused}; another address served each time"


def test_one_address_asks_for_nothing(trial):
    """Beyond --max-half-open-per-address it gets 429 before it has asked."""
    flags = (f"--max-half-open-per-address={ROOM}", "--open-timeout-s=3600")
    with trial("10.2", "connections held without a request", *flags) as run:
        refused = 0
        with run.fault():
            for _ in run.repeat():
                silent = [run.connected(address=GREEDY) for _ in range(ROOM)]
                surplus = [
                    run.connected(address=GREEDY) for _ in range(run.random.randrange(1, ROOM))
                ]
                assert answers(surplus) == {429: len(surplus)}
                modest = crowd(run, 5, MODEST)
                assert answers(modest) == {101: 5}
                refused += len(surplus)
                leave(run, (*silent, *modest))
        run.seen = f"429 with Retry-After for {refused}; another address served each time"


def test_one_address_again_and_again(trial):
    """Beyond --max-connection-rate-per-address it gets 429, and another address gets in."""
    how = "connects in a row, each time from another address"
    with trial("10.3", how, "--max-connection-rate-per-address=10") as run:
        statuses: Counter[int] = Counter()
        with run.fault():
            for repetition in run.repeat():
                address = f"127.0.3.{repetition}"
                of_this = answers(crowd(run, 100 + run.random.randrange(50), address))
                assert of_this[101] >= 50
                assert of_this[429]
                assert answers(crowd(run, 1, f"127.0.4.{repetition}")) == {101: 1}
                statuses += of_this
        for peer in run.peers:
            peer.socket.close()
        run.seen = f"{statuses[101]} served, 429 with Retry-After for {statuses[429]}"
