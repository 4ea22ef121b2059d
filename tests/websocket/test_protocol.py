"""What one connection lets in, passes on, asks and sends; time by hand, bytes in memory."""

from __future__ import annotations

import zlib

import pytest

from rtcsig.codes import CloseCode
from tests.support.memory import MemoryPeer, SteadyClock, house_of, recording_dialect
from tests.support.peer import BINARY, CLOSE, PING, PONG, TEXT, frame, request

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


@pytest.fixture
def clock():
    """Time by hand."""
    return SteadyClock()


@pytest.fixture
def sessions():
    """The sessions that were made."""
    return []


@pytest.fixture
def house(clock, sessions):
    """A house with a dialect that records."""
    return house_of(clock, recording_dialect(sessions))


def refused(house, head):
    """The answer to a request head that is sent as it stands."""
    peer = MemoryPeer(house)
    peer.connect()
    peer.protocol.dataReceived(head)
    return peer.http_answer()


def deflated(payload):
    """A payload as permessage-deflate has it (RFC 7692, 7.2.1)."""
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


class TestRequest:
    """From accept to the open WebSocket."""

    def test_bytes_one_at_a_time(self, house, sessions):
        """A request head in pieces is one request head."""
        peer = MemoryPeer(house)
        peer.connect()
        for byte in request("/x"):
            peer.protocol.dataReceived(bytes([byte]))
        assert peer.http_answer()[0] == 101
        assert sessions[0].calls == ["made", "opened"]

    def test_frames_right_behind_the_request(self, house, sessions):
        """A client that does not wait for the answer is served as well."""
        peer = MemoryPeer(house)
        peer.connect()
        peer.protocol.dataReceived(request("/x") + frame(TEXT, b"early"))
        assert sessions[0].calls[-1] == ("received", b"early")

    def test_path_and_query_reach_the_session(self, house, sessions):
        """The link has the target as it was sent."""
        MemoryPeer(house, "/a%20b/c;d?q=1&r")
        link = sessions[0].link
        assert (link.path, link.query) == ("/a%20b/c;d", "q=1&r")
        assert link.address == "192.0.2.1:40000"

    @pytest.mark.parametrize(
        ("offered", "answer"),
        [("spoken, other", "spoken"), ("other, also-spoken", "also-spoken"), ("other", None)],
    )
    def test_the_subprotocol_is_one_that_both_speak(self, house, offered, answer):
        """One of those offered is answered, or none (RFC 6455, 4.2.2)."""
        peer = MemoryPeer(house)
        peer.connect()
        status, head, _ = peer.upgrade("/x", f"Sec-WebSocket-Protocol: {offered}")
        assert status == 101
        assert f"Sec-WebSocket-Protocol: {answer}" in head or (
            answer is None and "Sec-WebSocket-Protocol" not in head
        )

    def test_a_head_that_does_not_end_is_431(self, house):
        """Beyond 16 KiB the request is refused, our side is shut, the rest thrown away."""
        peer = MemoryPeer(house)
        peer.connect()
        for _ in range(100):
            peer.protocol.dataReceived(b"a" * 1000)
        assert peer.http_answer()[0] == 431
        assert peer.transport.ends == ["half"]
        assert len(peer.protocol.data) == 0
        assert house.ledger.refusals == {(431, "head-size"): 1}

    def test_the_largest_head_is_taken(self, clock, sessions):
        """A head of exactly the limit is no offence, one byte more is."""
        head = request("/x")
        house = house_of(clock, recording_dialect(sessions), max_request_head_bytes=1024)
        padding = b"X: " + b"a" * (1024 - len(head) - 5) + b"\r\n"
        exact = head[:-2] + padding + head[-2:]
        assert len(exact) == 1024
        assert refused(house, exact)[0] == 101
        assert refused(house, exact.replace(b"X: ", b"XX: "))[0] == 431

    def test_a_request_that_is_late_is_408(self, house, clock):
        """The deadline counts from accept, whatever trickles in."""
        peer = MemoryPeer(house)
        peer.connect()
        for _ in range(9):
            clock.advance(0.5)
            peer.protocol.dataReceived(b"G")
        assert peer.transport.ends == []
        clock.advance(0.5)
        assert peer.http_answer()[0] == 408
        assert peer.transport.ends == ["fin"]

    def test_a_refused_peer_that_stays_is_cut(self, house, clock):
        """After an HTTP error there is a hard end, too."""
        peer = MemoryPeer(house)
        peer.connect()
        peer.protocol.dataReceived(b"POST / HTTP/1.1\r\n\r\n")
        assert peer.transport.ends == ["half"]
        clock.advance(5)
        assert peer.transport.ends == ["half", "reset"]

    @pytest.mark.parametrize(
        ("head", "status"),
        [
            (b"POST /x HTTP/1.1\r\n\r\n", 405),
            (b"GET /x HTTP/1.0\r\n\r\n", 505),
            (b"nonsense\r\n\r\n", 400),
            (b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 426),
            (request("/x").replace(b"Version: 13", b"Version: 8"), 426),
            (request("/x").replace(b"Host: localhost\r\n", b""), 400),
            (request("/x", "Origin: evil"), 400),
        ],
    )
    def test_other_requests_are_refused(self, house, head, status, logged):
        """With a status, a sentence of ours, and nothing of the client's in it."""
        got, answer, body = refused(house, head)
        assert got == status
        assert "evil" not in answer + body
        assert "Connection: close" in answer
        assert f"Content-Length: {len(body)}" in answer
        assert logged.lines("request refused")[0]["fields"]["status"] == status

    def test_426_says_which_version(self, house):
        """Another WebSocket version gets ours (RFC 6455, 4.4)."""
        _, answer, _ = refused(house, request("/x").replace(b"Version: 13", b"Version: 8"))
        assert "Sec-WebSocket-Version: 13" in answer
        assert "Upgrade: websocket" in answer

    @pytest.mark.parametrize("compression", ["off", "deflate"])
    @pytest.mark.parametrize(
        "offer",
        [
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; unknown",
            "permessage-bzip2; x",
            "x-webkit-deflate-frame",
        ],
    )
    def test_an_extension_that_cannot_be_used_is_declined(self, clock, compression, offer):
        """The WebSocket opens without it (RFC 7692, 5.1)."""
        house = house_of(clock, recording_dialect([]), compression=compression)
        status, answer, _ = refused(house, request("/x", f"Sec-WebSocket-Extensions: {offer}"))
        assert status == 101
        assert "Extensions" not in answer

    def test_the_offer_that_can_be_used_is_taken(self, clock):
        """Of two, the second."""
        house = house_of(clock, recording_dialect([]), compression="deflate")
        offers = "permessage-deflate; server_max_window_bits=7, permessage-deflate"
        status, answer, _ = refused(house, request("/x", f"Sec-WebSocket-Extensions: {offers}"))
        assert status == 101
        assert "Sec-WebSocket-Extensions: permessage-deflate" in answer

    def test_origins_outside_the_allow_list_are_403(self, clock):
        """The list counts for those who name an origin."""
        house = house_of(clock, recording_dialect([]), allow_origin=("https://good.example",))
        statuses = [
            refused(house, request("/x", *lines))[0]
            for lines in ([], ["Origin: https://good.example"], ["Origin: https://evil.example"],
                          ["Origin: null"], ["Origin: https://good.example:444"])
        ]  # fmt: skip
        assert statuses == [101, 101, 403, 403, 403]

    def test_a_session_that_was_never_open_is_not_closed(self, house, sessions):
        """A peer that goes during the handshake had no session to end."""
        peer = MemoryPeer(house)
        peer.connect()
        peer.lost()
        assert sessions == []
        assert house.ledger.connections == 0


class TestMessages:
    """Frames in, frames out."""

    @pytest.mark.parametrize("compression", ["off", "deflate"])
    def test_text_and_binary_both_ways(self, clock, sessions, compression):
        """A message reaches the session with its kind, and an answer the peer."""
        house = house_of(clock, recording_dialect(sessions), compression=compression)
        peer = MemoryPeer(house, "/x", DEFLATE)
        peer.send(b"text")
        peer.send_frame(BINARY, b"\xff")
        peer.send_frame(TEXT, b"fragm", final=False)
        peer.send_frame(0, b"ented")
        assert sessions[0].calls[2:] == [
            ("received", b"text"),
            ("received_binary", b"\xff"),
            ("received", b"fragmented"),
        ]
        sessions[0].link.send(b"answer")
        sessions[0].link.send_binary(b"\xfe")
        assert [received.opcode for received in peer.frames()] == [TEXT, BINARY]

    def test_a_compressed_message(self, clock, sessions):
        """Is inflated when compression was agreed to."""
        house = house_of(clock, recording_dialect(sessions), compression="deflate")
        peer = MemoryPeer(house, "/x", DEFLATE)
        peer.send_frame(TEXT, deflated(b"a" * 5000), rsv=4)
        assert sessions[0].calls[-1] == ("received", b"a" * 5000)

    @pytest.mark.parametrize("size", [65_536, 65_537])
    def test_the_largest_message(self, house, sessions, size):
        """64 KiB are taken, one byte more ends the connection with 1009."""
        peer = MemoryPeer(house, "/x")
        peer.send(b"a" * size)
        assert peer.close_codes() == ([] if size == 65_536 else [1009])
        assert len(sessions[0].calls) == 3
        assert (sessions[0].calls[-1] == "closed") == (size > 65_536)

    def test_fragments_over_the_limit(self, house):
        """The sum of a message's frames counts."""
        peer = MemoryPeer(house, "/x")
        peer.send_frame(TEXT, b"a" * 40_000, final=False)
        peer.send_frame(0, b"a" * 40_000)
        assert peer.close_codes() == [1009]

    def test_empty_frames_are_not_kept(self, house, sessions):
        """They never count against a limit, so they must cost nothing."""
        peer = MemoryPeer(house, "/x")
        peer.send_frame(TEXT, b"a", final=False)
        for _ in range(100):
            peer.send_frame(0, b"", final=False)
        assert len(peer.protocol.message_data) == 1
        peer.send_frame(0, b"b")
        assert sessions[0].calls[-1] == ("received", b"ab")

    def test_a_bomb(self, clock):
        """The inflated size counts, and inflating stops at the limit."""
        house = house_of(clock, recording_dialect([]), compression="deflate")
        peer = MemoryPeer(house, "/x", DEFLATE)
        peer.send_frame(TEXT, deflated(b"a" * 10_000_000), rsv=4)
        assert peer.close_codes() == [1009]

    @pytest.mark.parametrize(
        ("data", "code"),
        [
            (frame(TEXT, b"\xff"), 1007),
            (frame(TEXT, b"x", masked=False), 1002),
            (frame(TEXT, b"x", rsv=4), 1002),
            (frame(3, b"x"), 1002),
            (frame(0, b"x"), 1002),
            (frame(PING, b"x" * 126), 1002),
            (frame(CLOSE, b"\x00\x01"), 1002),
        ],
    )
    def test_what_breaks_the_protocol_is_told_its_code(self, house, sessions, data, code, logged):
        """A close frame is sent, and the session ends with it."""
        peer = MemoryPeer(house, "/x")
        peer.protocol.dataReceived(data)
        assert peer.close_codes() == [code]
        assert sessions[0].calls[-1] == "closed"
        assert logged.lines("peer broke the protocol")[0]["fields"]["code"] == code

    def test_messages_while_closing_are_not_taken(self, house, sessions):
        """After our close frame the session hears nothing more, and is not asked to send."""
        peer = MemoryPeer(house, "/x")
        sessions[0].link.close(CloseCode.REPLACED, "newer")
        peer.send(b"late")
        sessions[0].link.send(b"late")
        assert peer.close_codes() == [4500]
        assert sessions[0].calls == ["made", "opened", "closed"]
        assert house.ledger.dropped_messages == {"not-open": 1}

    def test_a_session_that_closes_amid_frames(self, house, sessions):
        """Of three messages in one read, those behind the close are not taken."""
        peer = MemoryPeer(house, "/x")
        sessions[0].received = lambda text: sessions[0].link.close(CloseCode.NORMAL, "enough")
        peer.protocol.dataReceived(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(TEXT, b"3"))
        assert peer.close_codes() == [1000]


class TestEnd:
    """The closing handshake and what happens without it."""

    @pytest.mark.parametrize("code", list(CloseCode))
    def test_every_code_of_ours_is_sent(self, house, sessions, code):
        """Autobahn's ``sendClose`` would raise for most of them."""
        peer = MemoryPeer(house, "/x")
        sessions[0].link.close(code, "why")
        (close,) = peer.frames()
        assert (close.close_code, close.payload[2:]) == (code, b"why")
        assert house.ledger.closes == {code: 1}

    def test_an_answered_close_ends_with_fin(self, house, sessions, clock):
        """A reset could take the close frame from the peer."""
        peer = MemoryPeer(house, "/x")
        sessions[0].link.close(CloseCode.NORMAL, "")
        peer.send_frame(CLOSE, b"\x03\xe8")
        assert peer.transport.ends == ["fin"]
        peer.lost()
        assert not clock.getDelayedCalls()

    def test_a_close_that_is_not_answered_is_cut(self, house, sessions, clock):
        """After ``close_timeout_s`` the transport is aborted."""
        peer = MemoryPeer(house, "/x")
        sessions[0].link.close(CloseCode.NORMAL, "")
        clock.advance(4.9)
        assert peer.transport.ends == []
        clock.advance(0.1)
        assert peer.transport.ends == ["reset"]
        assert house.ledger.timeouts == {"close": 1}

    def test_a_peer_that_closes_and_does_not_read_is_cut(self, house, clock):
        """The transport waits for its buffer; the hard end does not."""
        peer = MemoryPeer(house, "/x")
        peer.send_frame(CLOSE, b"\x03\xe8")
        assert peer.close_codes() == [1000]
        clock.advance(5)
        assert peer.transport.ends == ["fin", "reset"]

    @pytest.mark.parametrize(
        ("code", "is_lost"),
        [(1000, False), (1001, False), (4000, True), (4499, True), (4500, False)],
    )
    def test_a_good_bye(self, house, sessions, code, is_lost):
        """The peer has left, unless its code says that it comes back."""
        peer = MemoryPeer(house, "/x")
        sessions[0].closed = lambda *, lost: sessions[0].calls.append(lost)
        peer.send_frame(CLOSE, code.to_bytes(2, "big"))
        assert sessions[0].calls[-1] is is_lost

    @pytest.mark.parametrize("how", ["close frame", "loss", "our close"])
    def test_a_session_that_talks_while_it_ends(self, house, sessions, clock, how):
        """What ``closed`` sends or closes comes too late: nothing follows the close frame."""
        peer = MemoryPeer(house, "/x")
        link = sessions[0].link

        def closed(*, lost):
            sessions[0].calls.append(("closed", lost))
            link.send(b"late")
            link.close(CloseCode.NORMAL, "late")

        sessions[0].closed = closed
        if how == "close frame":
            peer.send_frame(CLOSE, b"\x03\xe8")
        elif how == "our close":
            link.close(CloseCode.NORMAL, "")
        peer.lost()
        opcodes = [received.opcode for received in peer.frames()]
        assert opcodes == ([] if how == "loss" else [CLOSE])
        assert sessions[0].calls == ["made", "opened", ("closed", how != "close frame")]
        assert not clock.getDelayedCalls()

    def test_a_peer_that_shuts_its_side_is_let_go(self, house, sessions, clock):
        """Without a close frame: what was written goes out, then the connection ends."""
        peer = MemoryPeer(house, "/x")
        peer.protocol.readConnectionLost()
        peer.protocol.writeConnectionLost()
        assert sessions[0].calls[-1] == "closed"
        assert peer.transport.ends == ["fin"]
        clock.advance(5)
        assert peer.transport.ends == ["fin", "reset"]

    def test_leave_closes_open_connections_and_refuses_others(self, house):
        """What a stopping server does with each connection."""
        half_open, opened = MemoryPeer(house), MemoryPeer(house, "/x")
        half_open.connect()
        house.close_all(CloseCode.GOING_AWAY, "the server stops")
        assert half_open.http_answer()[0] == 503
        assert opened.close_codes() == [1001]


class TestSignsOfLife:
    """Pings, and those who do not answer."""

    def test_pings_come_within_the_interval_at_different_times(self, house, clock):
        """Peers that connected together are not asked together."""
        peers = [MemoryPeer(house, "/x") for _ in range(100)]
        first = [None] * len(peers)
        for step in range(1, 251):
            clock.advance(0.1)
            for index, peer in enumerate(peers):
                if first[index] is None and any(f.opcode == PING for f in peer.frames()):
                    first[index] = step
        assert all(200 <= step <= 250 for step in first)
        assert len(set(first)) > 20

    def test_a_peer_that_answers_stays(self, house, clock):
        """For hours, and is asked again and again."""
        peer = MemoryPeer(house, "/x")
        pings = 0
        for _ in range(3600):
            clock.advance(1)
            for received in peer.frames():
                pings += 1
                peer.send_frame(PONG, received.payload)
        assert 3600 / 26 < pings < 3600 / 19
        assert peer.transport.ends == []

    @pytest.mark.parametrize("sends", ["nothing", "messages", "pongs nobody asked for"])
    def test_a_peer_that_does_not_answer_is_cut(self, house, clock, sends, sessions, logged):
        """Only the right pong proves that the peer reads what we send."""
        peer = MemoryPeer(house, "/x")
        for _ in range(34):
            clock.advance(1)
            if sends == "messages":
                peer.send(b"alive")
            elif sends != "nothing":
                peer.send_frame(PONG, b"00000000")
        clock.advance(1)
        assert peer.transport.ends == ["reset"]
        assert sessions[0].calls[-1] == "closed"
        assert house.ledger.timeouts == {"pong": 1}
        assert len(logged.lines("peer is gone: no pong in time")) == 1

    def test_a_ping_of_the_peer_is_answered(self, house):
        """With its payload (RFC 6455, 5.5.3)."""
        peer = MemoryPeer(house, "/x")
        peer.send_frame(PING, b"are you there")
        assert peer.frames() == [(PONG, b"are you there")]


class TestSlowReader:
    """A peer that does not read."""

    @pytest.fixture
    def peer(self, house):
        """A peer that has stopped reading."""
        peer = MemoryPeer(house, "/x")
        peer.transport.stalled = True
        return peer

    def test_its_queue_is_bounded_in_bytes(self, house, peer, sessions, logged):
        """Beyond the bound nothing is queued; the connection ends with 1013."""
        for _ in range(20):
            sessions[0].link.send(b"a" * 65_536)
        assert peer.transport.value().count(b"a") <= (1 << 20) + 2 * 65_536
        assert peer.frames()[-1].close_code == 1013
        assert sessions[0].calls[-1] == "closed"
        assert house.ledger.dropped_messages["slow-reader"] == 1
        assert len(logged.lines("peer is too slow")) == 1

    def test_its_pings_are_not_answered_without_end(self, peer):
        """Pongs are queued like anything else."""
        peer.transport.dataBuffer = b"a" * (1 << 20)
        peer.send_frame(PING, b"a" * 125)
        peer.send_frame(PING, b"a" * 125)
        assert [received.opcode for received in peer.frames()] == [PONG, CLOSE]

    def test_its_queue_is_bounded_in_time(self, clock, peer, sessions):
        """A queue that stays full for five seconds ends the connection."""
        sessions[0].link.send(b"a" * 100_000)
        clock.advance(4.9)
        assert peer.close_codes() == []
        clock.advance(0.1)
        assert peer.close_codes() == [1013]

    def test_one_that_reads_slowly_stays(self, clock, peer, sessions):
        """A queue that is never quite empty is not a full one."""
        for _ in range(5):
            sessions[0].link.send(b"a" * 100_000)
            assert sessions[0].link.backlog > 100_000
            clock.advance(4)
            peer.transport.dataBuffer = b"a" * 1000
            clock.advance(1)
            for received in peer.frames():
                if received.opcode == PING:
                    peer.send_frame(PONG, received.payload)
                assert received.opcode != CLOSE

    def test_one_that_reads_again_stays(self, clock, peer, sessions):
        """An empty queue counts from the beginning, in bytes and in time."""
        for _ in range(5):
            sessions[0].link.send(b"a" * 600_000)
            assert sessions[0].link.backlog > 600_000
            clock.advance(3)
            peer.transport.drain()
        assert sessions[0].link.backlog == 0
        assert peer.close_codes() == []

    def test_a_queue_that_is_not_long_starts_no_clock(self, peer):
        """Twisted takes a transport for full at the size of one read, which is less."""
        peer.transport.dataBuffer = b"a" * 65_536
        before = len(list(peer.house.deadlines))
        peer.protocol.pauseProducing()
        assert len(list(peer.house.deadlines)) == before
        peer.transport.dataBuffer += b"a"
        peer.protocol.pauseProducing()
        assert len(list(peer.house.deadlines)) == before + 1
