"""What clients get that ask for it with ``?rtcsig=1``."""

from __future__ import annotations

import dataclasses
import json

import pytest

from rtcsig.codes import CloseCode, Refusal
from rtcsig.dialects import DIALECTS, InDoubt
from rtcsig.dialects.native import MAX_WATCHED_PEERS, NativeSession
from rtcsig.hub import SameId, State
from tests.support.hub import KEPT, Scene
from tests.support.links import RecordingLink

STREAM = {"stream": "s", "n": 17, "base": 15}


class ClosingLink(RecordingLink):
    """A link that tells its session of its end before ``close`` returns."""

    is_full = False

    def send(self, text):
        """Keep a text message, or end the connection for it."""
        if self.is_full:
            self.session.closed(lost=True)
            return False
        return super().send(text)

    def close(self, code, reason):
        super().close(code, reason)
        self.session.closed(lost=True)


class House(Scene):
    """A mount of the dialect, and links to it."""

    def connect(self, path, query="rtcsig=1"):
        """A connection that is open; its link."""
        link = ClosingLink(path, query)
        link.session = DIALECTS["datachannel"].session(self.namespace, link)
        link.session.opened()
        return link

    def native(self, path, query="rtcsig=1"):
        """The same, after its welcome, which is kept."""
        link = self.connect(path, query)
        link.welcome = json.loads(link.sent.pop(0))
        return link


@pytest.fixture
def house():
    """A mount."""
    return House()


@pytest.fixture
def ann(house):
    """A peer that asked for more."""
    return house.native("/ann")


def send(link, message):
    """Send a message as JSON."""
    link.session.received(json.dumps(message).encode())


def heard(link):
    """What came since the last call."""
    messages = link.messages
    link.sent.clear()
    return messages


class TestWelcome:
    """The first message."""

    def test_its_form(self, ann):
        """It is from the server itself, and has a token nobody can guess."""
        token = ann.welcome.pop("token")
        assert ann.welcome == {
            "id": "",
            "type": "welcome",
            "version": 1,
            "resumed": False,
            "resume_grace_s": 30,
        }
        assert len(token) == 43

    @pytest.mark.parametrize("query", ["", "rtcsig", "rtcsig=", "x=rtcsig=1", "token=a"])
    def test_who_does_not_ask_gets_none(self, house, query):
        """Old clients see nothing of all this."""
        link = house.connect("/ann", query)
        assert not isinstance(link.session, NativeSession)
        assert not link.sent

    def test_tokens_differ(self, house, ann):
        """Each peer has its own."""
        assert house.native("/bob").welcome["token"] != ann.welcome["token"]

    def test_a_token_that_is_shown_is_recognised(self, house, ann):
        """The peer has its id from the older connection, and keeps its token."""
        token = ann.welcome["token"]
        back = house.native("/ann", f"rtcsig=1&token={token}")
        assert (back.welcome["resumed"], back.welcome["token"]) == (True, token)
        assert ann.closes == [(CloseCode.REPLACED, "a newer connection has this id")]

    @pytest.mark.parametrize("token", ["x", "%C3%A9", ""])
    def test_one_that_is_not_known_is_exchanged(self, house, ann, token):
        """It may be of before a restart of the server."""
        ann.session.closed(lost=True)
        back = house.native("/ann", f"rtcsig=1&token={token}")
        assert not back.welcome["resumed"]
        assert back.welcome["token"] != token

    def test_it_comes_before_what_was_held(self, house, ann):
        """And that before all else."""
        bob = house.native("/bob")
        ann.session.closed(lost=True)
        send(bob, {"id": "ann", "type": "offer"})
        back = house.connect("/ann", f"rtcsig=1&token={ann.welcome['token']}")
        assert [message["type"] for message in heard(back)] == ["welcome", "offer"]


class TestNumbers:
    """What becomes of a numbered message."""

    def test_one_that_arrives_at_a_peer_that_tells_itself(self, house, ann):
        """Is passed on as it is, and nothing is said of it."""
        bob = house.native("/bob")
        send(ann, {"id": "bob", "type": "offer", "rtcsig": STREAM})
        assert heard(bob) == [{"id": "ann", "type": "offer", "rtcsig": STREAM}]
        assert heard(ann) == []

    def test_one_that_is_handed_to_a_peer_that_does_not(self, house, ann):
        """Is acknowledged on its behalf."""
        old = house.connect("/old", "")
        send(ann, {"id": "old", "type": "offer", "rtcsig": STREAM})
        assert heard(old) == [{"id": "ann", "type": "offer", "rtcsig": STREAM}]
        assert heard(ann) == [{"id": "old", "type": "ack", "rtcsig": {"stream": "s", "ack": 17}}]

    def test_one_that_is_held_and_then_handed_over(self, house, ann):
        """Is acknowledged on behalf then, not when it was held."""
        send(ann, {"id": "old", "type": "offer", "rtcsig": STREAM})
        assert heard(ann) == []
        house.connect("/old", "")
        assert heard(ann) == [{"id": "old", "type": "ack", "rtcsig": {"stream": "s", "ack": 17}}]

    def test_one_that_is_held_for_a_peer_that_tells_itself(self, house, ann):
        """Is not acknowledged on its behalf: it may be lost on its way."""
        send(ann, {"id": "bob", "type": "offer", "rtcsig": STREAM})
        bob = house.native("/bob")
        assert heard(bob) == [{"id": "ann", "type": "offer", "rtcsig": STREAM}]
        assert heard(ann) == []

    def test_one_without_a_number(self, house, ann):
        """Has no acknowledgement."""
        house.connect("/old", "")
        send(ann, {"id": "old", "type": "offer"})
        assert heard(ann) == []

    def test_one_that_nobody_took(self, house, ann):
        """The error has the number; without one it is as it always was."""
        send(ann, {"id": "bob", "type": "offer", "rtcsig": STREAM})
        send(ann, {"id": "bob", "type": "offer"})
        house.clock.advance(5)
        numbered, plain = heard(ann)
        assert numbered.pop("rtcsig") == {"stream": "s", "n": 17}
        assert numbered == plain
        assert plain["code"] == "peer-not-found"

    def test_an_acknowledgement_is_not_held(self, house, ann):
        """It is out of date when its peer is back, and nobody is told."""
        send(ann, {"id": "bob", "type": "ack", "rtcsig": {"stream": "s", "ack": 3}})
        assert house.hub.keeping.bytes == 0
        house.clock.advance(60)
        assert heard(ann) == []

    @pytest.mark.parametrize(
        "number",
        [
            1,
            "s",
            [],
            {},
            {"stream": 1, "n": 1},
            {"stream": "s", "n": "1"},
            {"stream": "s" * 65, "n": 1},
        ],
    )
    def test_what_is_no_number(self, house, ann, number):
        """Is passed on, and never told of."""
        house.connect("/old", "")
        send(ann, {"id": "old", "rtcsig": number})
        assert heard(ann) == []

    def test_a_message_that_only_some_parsers_take(self, house, ann):
        """Is passed on as it is, and its number counts."""
        text = b'{"id":"bob","x":1e999,"y":"\\ud83d","rtcsig":{"stream":"s","n":1}}'
        ann.session.received(text)
        bob = house.connect("/bob", "")
        assert bob.sent == [text.replace(b"bob", b"ann")]
        (ack,) = heard(ann)
        assert ack["rtcsig"] == {"stream": "s", "ack": 1}

    @pytest.mark.parametrize(
        "number",
        [
            b'{"stream":"\\ud83d","n":1}',
            b'{"stream":"s","n":1000000000000000000}',
            b'{"stream":"s","n":1e999}',
            b"1e999",
        ],
    )
    def test_a_number_that_only_some_parsers_take(self, house, ann, number):
        """Is none."""
        house.connect("/old", "")
        ann.session.received(b'{"id":"old","x":1e999,"rtcsig":%b}' % number)
        assert heard(ann) == []

    def test_a_request_that_only_some_parsers_take(self, ann):
        """Is none, either."""
        ann.session.received(b'{"id":"","type":"watch","peers":["\\ud83d"]}')
        assert [message["code"] for message in heard(ann)] == ["bad-request"]

    def test_what_is_no_message(self, ann):
        """Is answered as it always was."""
        ann.session.received(b"{")
        assert [message["code"] for message in heard(ann)] == ["malformed-json"]

    def test_the_end_of_the_server(self, house, ann):
        """Is told of apart, so that a client can send again to the next one."""
        house.hub.end()
        send(ann, {"id": "bob", "rtcsig": STREAM})
        assert [message["code"] for message in heard(ann)] == ["stopping"]


class TestOldPeers:
    """Peers that have not asked, where they meet this."""

    def test_they_hear_of_errors_only(self, house, ann):
        """Not of what was delivered."""
        old = house.connect("/old", "")
        send(old, {"id": "bob"})
        send(old, {"id": "nobody"})
        house.connect("/bob", "")
        house.clock.advance(5)
        (error,) = heard(old)
        assert list(error) == ["id", "type", "code", "message"]
        assert (error["id"], error["code"]) == ("nobody", "peer-not-found")

    @pytest.mark.parametrize("peer_id", ["", "x" * 129, "a\n"])
    def test_what_no_peer_can_be_called_is_not_waited_for(self, house, peer_id):
        """The sender is told at once."""
        old = house.connect("/old", "")
        send(old, {"id": peer_id})
        assert [message["code"] for message in heard(old)] == ["peer-not-found"]

    def test_they_are_told_nothing_of_presence(self, house):
        """Whoever calls."""
        old = house.connect("/old", "")
        old.session.presence("bob", State.HERE)
        assert heard(old) == []


class TestPresence:
    """Who of these ids is here."""

    def test_now_and_later(self, house, ann):
        """One message for each, then one for each change."""
        house.native("/bob")
        send(ann, {"id": "", "type": "watch", "peers": ["bob", "cid"]})
        cid = house.native("/cid")
        cid.session.closed(lost=True)
        states = [(message["peer"], message["state"]) for message in heard(ann)]
        assert states == [("bob", "here"), ("cid", "absent"), ("cid", "here"), ("cid", "away")]

    def test_no_more(self, house, ann):
        """Of those that are unwatched; those that never were watched do not matter."""
        send(ann, {"id": "", "type": "watch", "peers": ["bob", "cid"]})
        heard(ann)
        send(ann, {"id": "", "type": "unwatch", "peers": ["bob", "dan"]})
        house.native("/bob")
        house.native("/cid")
        assert [message["peer"] for message in heard(ann)] == ["cid"]

    def test_it_ends_with_the_connection(self, house, ann):
        """Nothing of it is kept."""
        send(ann, {"id": "", "type": "watch", "peers": ["bob"]})
        heard(ann)
        ann.session.closed(lost=True)
        house.native("/bob")
        assert heard(ann) == []
        assert not house.namespace._watchers.of

    def test_one_that_ends_by_what_it_is_told(self, house, ann):
        """Leaves no subscription behind: it does not read, and asks for a thousand."""
        ann.is_full = True
        send(ann, {"id": "", "type": "watch", "peers": ["bob", "cid", "dan"]})
        assert not house.namespace._watchers.of

    def test_too_many(self, house, ann):
        """All or none of a request; those that are watched already count once."""
        many = [str(number) for number in range(MAX_WATCHED_PEERS)]
        send(ann, {"id": "", "type": "watch", "peers": many})
        assert len(heard(ann)) == MAX_WATCHED_PEERS
        send(ann, {"id": "", "type": "watch", "peers": ["0", "more"]})
        assert [message["code"] for message in heard(ann)] == ["bad-request"]
        send(ann, {"id": "", "type": "watch", "peers": ["0"]})
        assert [message["type"] for message in heard(ann)] == ["presence"]

    @pytest.mark.parametrize(
        "text", [b'"\\ud800"', b'"\\u0000"', b'""', b"1", b'"%s"' % (b"x" * 129)]
    )
    def test_what_no_peer_can_be_called(self, ann, text):
        """Is nothing to watch."""
        ann.session.received(b'{"id":"","type":"watch","peers":[%b]}' % text)
        assert [message["code"] for message in heard(ann)] == ["bad-request"]


def test_a_message_that_is_sent_once_more_has_one_outcome(house, ann):
    """Its number says that it is the same, also where it was held as the first of a window."""
    for base in (15, 16):
        send(ann, {"id": "bob", "text": "1", "rtcsig": {**STREAM, "base": base}})
    house.clock.advance(10)
    assert [message["code"] for message in heard(ann)] == ["peer-not-found"]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"type": "offer"},
        {"type": "watch"},
        {"type": "watch", "peers": "ab"},
        {"type": "unwatch", "peers": [1]},
        {"type": ["watch"]},
    ],
)
def test_what_the_server_does_not_understand(ann, request_):
    """Is told so."""
    send(ann, {"id": "", **request_})
    assert [message["code"] for message in heard(ann)] == ["bad-request"]


def test_a_sign_of_life(ann):
    """For browsers, which cannot see a ping."""
    send(ann, {"id": "", "type": "ping"})
    assert heard(ann) == [{"id": "", "type": "pong"}]


class TestTaken:
    """An id that another has."""

    def test_it_is_refused(self):
        """With 409, old clients and new ones."""
        house = House(dataclasses.replace(KEPT, same_id=SameId.REJECT))
        house.native("/ann")
        for query in ("", "rtcsig=1", "rtcsig=1&refuse=gaga", "refuse=close"):
            with pytest.raises(Refusal) as refused:
                house.connect("/ann", query)
            assert (refused.value.status, refused.value.label) == (409, "id-taken")

    def test_a_page_is_told_by_a_close_code(self):
        """It could not see the status."""
        house = House(dataclasses.replace(KEPT, same_id=SameId.REJECT))
        ann = house.native("/ann")
        page = house.connect("/ann", "rtcsig=1&refuse=close")
        assert page.closes == [(CloseCode.ID_TAKEN, "a peer with this id is connected")]
        assert page.session.peer_id == "ann"
        page.session.received(b"{}")
        page.session.received_binary(b"{}")
        assert not page.sent
        assert "ann" in house.namespace
        assert not ann.closes

    def test_other_refusals_stay(self, house):
        """They are faults of the client."""
        with pytest.raises(Refusal) as refused:
            house.connect("/", "rtcsig=1&refuse=close")
        assert refused.value.status == 400

    def test_the_holder_is_asked_over_its_connection(self):
        """And keeps its id if it answers."""
        house = House(dataclasses.replace(KEPT, same_id=SameId.PROBE))
        ann = house.native("/ann")
        with pytest.raises(InDoubt):
            house.connect("/ann", "")
        (answered,) = ann.probes
        answered()
        with pytest.raises(Refusal):
            house.connect("/ann", "")
