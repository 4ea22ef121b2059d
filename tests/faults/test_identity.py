"""Who says that it is somebody else: origins, forwarding headers, PROXY headers."""

from __future__ import annotations

from collections import Counter

from tests.faults.trial import Trial
from tests.support.peer import Peer, request

PAGE = "https://example.org"
OTHERS = (
    "https://evil.example", "http://example.org", f"{PAGE}:444", "https://example.org.evil.example",
    "https://sub.example.org", "null", "file://", "https://example.com",
)  # fmt: skip
OWN = (PAGE, f"{PAGE}:443", "HTTPS://EXAMPLE.ORG")
PROXY = "127.0.0.9"
LIAR = "127.0.0.2"
ROOM = 30


def is_refused(peer: Peer, *lines: str) -> int:
    """The status of the answer; the peer is gone after it."""
    status, _, _ = peer.upgrade("/page", *lines)
    peer.socket.close()
    return status


def test_other_origins(trial):
    """403 for every origin but the allowed one, and for none where one is asked for."""
    flags = (f"--allow-origin={PAGE}", "--absent-origin=refuse")
    how = f"{len(OTHERS)} other origins, none, {len(OWN)} spellings of the allowed one"
    with trial("21", how, *flags, headers=[f"Origin: {PAGE}"]) as run:
        with run.fault():
            for _ in run.repeat():
                for origin in run.random.sample(OTHERS, len(OTHERS)):
                    status = is_refused(run.connected(), f"Origin: {origin}")
                    assert status in {400, 403} if origin == "file://" else status == 403
                assert is_refused(run.connected()) == 403
                assert is_refused(run.connected(), f"Origin: {run.random.choice(OWN)}") == 101
        run.seen = "403 for all but the allowed one"


def statuses(run: Trial, address: str, lines: list[str]) -> Counter[int]:
    """The answers to peers from one address that stay, each with one header line."""
    peers = [run.connected(address=address) for _ in lines]
    for number, (peer, line) in enumerate(zip(peers, lines, strict=True)):
        peer.socket.sendall(request(f"/{address}-{number}", line))
    counted = Counter(peer.http_answer()[0] for peer in peers)
    for peer in peers:
        peer.socket.close()
    run.settle()
    return counted


def invented(run: Trial) -> str:
    """An address that nobody has."""
    return f"198.51.100.{run.random.randrange(1, 255)}"


def test_an_invented_address(trial):
    """The limits hold for the address that connects, unless it is a trusted proxy."""
    flags = (f"--trusted-proxy={PROXY}/32", f"--max-connections-per-address={ROOM}")
    how = "with each request another one; from a trusted proxy, the client's"
    with trial("22.1", how, *flags) as run:
        with run.fault():
            for _ in run.repeat():
                surplus = run.random.randrange(1, 10)
                lies = [f"X-Forwarded-For: {invented(run)}" for _ in range(ROOM + surplus)]
                assert statuses(run, LIAR, lies) == {101: ROOM, 429: surplus}
                # A proxy adds the address that it sees behind what the client says.
                seen = [
                    f"X-Forwarded-For: {invented(run)}, 203.0.113.7" for _ in range(ROOM + surplus)
                ]
                assert statuses(run, PROXY, seen) == {101: ROOM, 429: surplus}
                many = [f"X-Forwarded-For: 203.0.113.{n}" for n in range(ROOM + surplus)]
                assert statuses(run, PROXY, many) == {101: ROOM + surplus}
        run.seen = (
            f"429 beyond {ROOM} of one address, whatever it says; many clients of a proxy served"
        )


V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def proxy_header(run: Trial) -> bytes:
    """A header of either version, for a client with an invented address."""
    host = invented(run)
    if run.random.random() < 0.5:
        return f"PROXY TCP4 {host} 192.0.2.1 40000 80\r\n".encode()
    octets = bytes(map(int, host.split(".")))
    return V2 + b"\x21\x11\x00\x0c" + octets + bytes([192, 0, 2, 1, 0x9C, 0x40, 0, 80])


def answer_to(peer: Peer, data: bytes) -> int:
    """The status of the answer to these bytes; the peer is gone after it."""
    peer.socket.sendall(data)
    status, _, _ = peer.http_answer()
    peer.socket.close()
    return status


def test_a_proxy_header(trial):
    """403 for who is no proxy, 400 for what is no header, and the client's address for the rest."""
    plain, proxied = "tcp:0:interface=127.0.0.1", "tcp:00:interface=127.0.0.1"
    flags = (f"--trusted-proxy={PROXY}/32", f"--proxy-protocol={proxied}")
    with trial("22.2", "both versions, random bytes", *flags, listen=[plain, proxied]) as run:
        port = run.server.ports[1]
        with run.fault():
            for _ in run.repeat():
                said = proxy_header(run) + request("/client")
                assert answer_to(run.connected(address=LIAR, port=port), said) == 403
                noise = b"\x16" + run.random.randbytes(run.random.randrange(1, 300))
                assert answer_to(run.connected(address=PROXY, port=port), noise) == 400
                assert answer_to(run.connected(address=PROXY, port=port), said) == 101
        assert run.count("refusals", status="403") == run.repetitions
        run.seen = "403; 400; from the trusted proxy served"
