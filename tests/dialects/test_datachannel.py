"""What the example clients of libdatachannel are promised."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.codes import CloseCode, Refusal
from rtcsig.dialects.datachannel import DatachannelSession, peer_id_of_path
from rtcsig.hub import Namespace
from rtcsig.websocket.request import target_of
from tests.support.links import RecordingLink


class ClosingLink(RecordingLink):
    """A link that tells its session of its end before ``close`` returns."""

    session: DatachannelSession

    def close(self, code: CloseCode, reason: str) -> None:
        """Keep the close and end the session."""
        super().close(code, reason)
        self.session.closed()


@pytest.fixture
def namespace():
    """An empty namespace."""
    return Namespace("/")


def join(namespace, path, link_type=RecordingLink):
    """Connect under a path; the session and its link."""
    link = link_type(path)
    session = link.session = DatachannelSession(namespace, link)
    session.opened()
    return session, link


@pytest.fixture
def ann(namespace):
    """A peer."""
    return join(namespace, "/ann")


@pytest.fixture
def bob(namespace):
    """Another peer."""
    return join(namespace, "/bob")


def error_of(link) -> tuple[str, str]:
    """Destination and code of the one error message that a peer got, checked for its form."""
    (message,) = link.messages
    assert list(message) == ["id", "type", "code", "message"]
    assert message["type"] == "error"
    assert message["message"]
    return message["id"], message["code"]


class TestPassingOn:
    """What arrives."""

    @pytest.mark.parametrize(
        "members",
        [
            '"type":"offer","sdp":"v=0\\r\\n"',
            '"n":18446744073709551617,"m":-99999999999999999999',
            '"n":1E5,"m":1e+5,"o":1.50,"p":1e999,"q":-1e999',
            '"n":-0,"m":-0.0,"o":0.1000000000000000055511151231257827',
            '"s":"\\u00e9 é \\/ / \\u002F \\u0000 \\ud83d\\ude00"',
            '"s":"\\ud800","\\udfff":"\\udc00\\ud800"',
            ' "z" : 1 ,\t"a"\r\n: [ ] ',
            '"z":1,"a":2,"m":3,"a":4',
            '"x":{"id":"x","y":[{"id":"y"}]},"z":["id",{"id":{"id":1}}]',
            '"s":"\\"id\\":\\"x\\"","t":"}","u":"{","v":"],[","w":"\\\\"',
            '"id ":"x","ID":"x","\\\\id":"x","i":"d"',
            '"__proto__":{"id":"x"},"constructor":null',
        ],
    )
    def test_all_else_arrives_as_it_was_sent(self, members, ann, bob):
        """Before the id, behind it and on both sides, no byte is touched."""
        for form in ('{"id":"%s",|}', '{|,"id":"%s"}', '\n{|,"id" : "%s" ,|} '):
            text = form.replace("|", members)
            ann[0].received((text % "bob").encode())
            assert bob[1].sent.pop() == (text % "ann").encode()
        assert ann[1].sent == []

    @pytest.mark.parametrize(
        "text",
        [
            '{"id":"mallory","id":"bob"}',
            '{"\\u0069d":"mallory","id":"bob"}',
            '{"id":"mallory","\\u0069\\u0064":"bob"}',
            '{"id":{"id":"mallory"},"id":"bob"}',
            '{"id":["mallory"],"x":[],"id":"bob"}',
        ],
    )
    def test_no_sender_id_can_be_smuggled_in(self, text, ann, bob):
        """Parsers differ in which of several ids they take: such a message is refused."""
        ann[0].received(text.encode())
        assert bob[1].sent == []
        (answer,) = ann[1].messages
        assert (answer["code"], answer["id"]) == ("no-destination", "")

    def test_an_escaped_name_is_an_id_too(self, ann, bob):
        """The member is found however it is spelled, and keeps its spelling."""
        ann[0].received(b'{"\\u0069d":"b\\u006fb"}')
        assert bob[1].sent == [b'{"\\u0069d":"ann"}']

    def test_a_number_is_a_name_too(self, ann, namespace):
        """Clients that write their number without quotes find each other."""
        _, link = join(namespace, "/42")
        ann[0].received(b'{"id": 42}')
        assert link.sent == [b'{"id": "ann"}']

    def test_the_answer_to_a_number_finds_its_way(self, bob, namespace):
        """What a numeric peer sends has its name as a string."""
        session, _ = join(namespace, "/42")
        session.received(b'{"id":"bob"}')
        assert bob[1].sent == [b'{"id":"42"}']

    @pytest.mark.parametrize(
        "name", ["__proto__", "toString", "null", "constructor", "true", "hasOwnProperty", "id"]
    )
    def test_no_name_is_special(self, name, ann, namespace):
        """Words of JavaScript and JSON are names like any other, there or not."""
        ann[0].received(json.dumps({"id": name}).encode())
        assert error_of(ann[1]) == (name, "peer-not-found")
        _, link = join(namespace, f"/{name}")
        ann[0].received(json.dumps({"id": name}).encode())
        assert link.messages == [{"id": "ann"}]

    @pytest.mark.parametrize("peer_id", ['say "hi"', "back\\slash", "é\U0001f600", "a b", "}{"])
    def test_a_sender_id_is_quoted(self, peer_id, bob, namespace):
        """An id with quotes or braces cannot break the message."""
        session, _ = join(namespace, f"/{peer_id.replace('%', '%25')}")
        session.received(b'{"id":"bob","x":1}')
        assert bob[1].messages == [{"id": peer_id, "x": 1}]

    def test_binary_json_is_taken_and_goes_out_as_text(self, ann, bob):
        """Some clients send their text in binary frames."""
        ann[0].received_binary('{"id":"bob","s":"é"}'.encode())
        assert bob[1].sent == ['{"id":"ann","s":"é"}'.encode()]
        assert bob[1].sent_binary == []

    def test_a_peer_may_send_to_itself(self, ann):
        """It is a destination like any other."""
        ann[0].received(b'{"id":"ann","x":1}')
        assert ann[1].sent == [b'{"id":"ann","x":1}']

    def test_other_mounts_are_other_worlds(self, ann):
        """The same id in another namespace is not reached."""
        _, link = join(Namespace("/other"), "/bob")
        ann[0].received(b'{"id":"bob"}')
        assert error_of(ann[1]) == ("bob", "peer-not-found")
        assert link.sent == []

    @given(st.lists(st.sampled_from([("ann", "bob"), ("bob", "ann"), ("cid", "bob")])))
    def test_the_order_is_kept(self, ways):
        """What one peer sends to another arrives in that order, whoever sends in between."""
        namespace = Namespace("/")
        peers = {name: join(namespace, f"/{name}") for name in ("ann", "bob", "cid")}
        for number, (source, target) in enumerate(ways):
            peers[source][0].received(json.dumps({"id": target, "n": number}).encode())
        for name, (_, link) in peers.items():
            sent = [(source, n) for n, (source, target) in enumerate(ways) if target == name]
            assert [(message["id"], message["n"]) for message in link.messages] == sent


class TestErrors:
    """What is answered, to the sender only."""

    @pytest.mark.parametrize(
        ("destination", "shown"),
        [
            ('"nobody"', "nobody"),
            ('""', ""),
            ("42", "42"),
            ('"say \\"hi\\"\\n"', 'say "hi"\n'),
            ('"\\ud800"', "?"),
            ('"ANN"', "ANN"),
        ],
    )
    def test_an_unknown_destination_is_reported_with_its_name(self, destination, shown, ann, bob):
        """The sender hears which peer is not there; the connection stays."""
        ann[0].received(b'{"id":%b,"x":1}' % destination.encode())
        assert error_of(ann[1]) == (shown, "peer-not-found")
        assert ann[1].closes == []
        assert bob[1].sent == []

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            (b"", "malformed-json"),
            (b"hello", "malformed-json"),
            (b'{"id":"bob"', "malformed-json"),
            (b'{"id":"bob","x":NaN}', "malformed-json"),
            (b'{"id":"bob","x":-Infinity}', "malformed-json"),
            (b'{"id":"bob","x":' + b"[" * 100_000, "malformed-json"),
            (b'{"id":"bob","x":' + b"[" * 60_000 + b"]" * 60_000 + b"}", "malformed-json"),
            (b"null", "not-an-object"),
            (b"42", "not-an-object"),
            (b'[{"id":"bob"}]', "not-an-object"),
            (b'"bob"', "not-an-object"),
            (b"{}", "no-destination"),
            (b'{"x":{"id":"bob"}}', "no-destination"),
            (b'{"id":null}', "no-destination"),
            (b'{"id":true}', "no-destination"),
            (b'{"id":1.5}', "no-destination"),
            (b'{"id":{"id":"bob"}}', "no-destination"),
            (b'{"id":["bob"]}', "no-destination"),
        ],
    )
    def test_what_cannot_be_passed_on_is_reported_without_a_name(self, text, code, ann, bob):
        """Text or binary, the sender hears why; the connection stays and works."""
        for receive in (ann[0].received, ann[0].received_binary):
            receive(text)
            assert error_of(ann[1]) == ("", code)
            ann[1].sent.clear()
        assert ann[1].closes == []
        assert bob[1].sent == []
        ann[0].received(b'{"id":"bob"}')
        assert bob[1].sent == [b'{"id":"ann"}']

    def test_binary_that_is_not_utf8_is_malformed(self, ann):
        """Noise is answered like any text that is no JSON."""
        ann[0].received_binary(b'{"id":"\xff"}')
        assert error_of(ann[1]) == ("", "malformed-json")

    @given(st.binary(max_size=40))
    def test_any_message_gets_one_answer_when_nobody_else_is_there(self, noise):
        """Nothing that is received is raised, and nothing is lost in silence."""
        session, link = join(Namespace("/"), "/ann")
        session.received_binary(noise)
        error_of(link)


class TestTheSameIdAgain:
    """An id belongs to its newest connection."""

    @pytest.mark.parametrize("link_type", [RecordingLink, ClosingLink])
    def test_the_newer_has_the_id(self, link_type, bob, namespace):
        """The older is closed and told that it was replaced, however fast it ends."""
        older, older_link = join(namespace, "/ann", link_type)
        _, newer_link = join(namespace, "/ann", link_type)
        assert older_link.closes == [(CloseCode.REPLACED, "a newer connection has this id")]
        older.closed()
        bob[0].received(b'{"id":"ann"}')
        assert (older_link.sent, newer_link.sent) == ([], [b'{"id":"bob"}'])
        assert newer_link.closes == []

    def test_an_older_that_has_ended_is_not_closed(self, ann, bob, namespace):
        """Who left before the newer came hears nothing of it."""
        ann[0].closed()
        _, newer_link = join(namespace, "/ann")
        bob[0].received(b'{"id":"ann"}')
        assert ann[1].closes == []
        assert newer_link.sent == [b'{"id":"bob"}']

    def test_a_connection_that_is_not_open_yet_takes_nothing(self, ann, bob, namespace):
        """A handshake that fails costs the holder of its id nothing."""
        late = DatachannelSession(namespace, RecordingLink("/ann"))
        late.closed()
        bob[0].received(b'{"id":"ann"}')
        assert ann[1].closes == []
        assert ann[1].sent == [b'{"id":"bob"}']

    def test_the_end_of_the_newest_frees_the_id(self, bob, namespace):
        """An id that was replaced does not fall back to the older connection."""
        older, older_link = join(namespace, "/ann")
        newer, _ = join(namespace, "/ann")
        newer.closed()
        older.closed()
        bob[0].received(b'{"id":"ann"}')
        assert error_of(bob[1]) == ("ann", "peer-not-found")
        assert older_link.sent == []
        assert len(namespace) == 1

    def test_a_peer_that_left_is_not_found(self, ann, bob):
        """Its end is known to the next message already."""
        ann[0].closed()
        bob[0].received(b'{"id":"ann"}')
        assert error_of(bob[1]) == ("ann", "peer-not-found")


class TestPeerId:
    """The id from the path."""

    @pytest.mark.parametrize(
        ("target", "peer_id"),
        [
            ("/ann", "ann"),
            ("/ann/", "ann"),
            ("/ann/bob", "ann"),
            ("/ann?user=bob", "ann"),
            ("/ann?user=/bob", "ann"),
            ("/%61nn", "ann"),
            ("/a%2Fb", "a/b"),
            ("/a%3Fb", "a?b"),
            ("/%c3%A9", "é"),
            ("/a+b", "a+b"),
            ("/100%", "100%"),
            ("/%zz", "%zz"),
            ("/%2541", "%41"),
            ("/" + "x" * 128, "x" * 128),
            ("/" + "%F0%9F%98%80" * 128, "\U0001f600" * 128),
            ("/__proto__", "__proto__"),
        ],
    )
    def test_is_the_first_segment_decoded(self, target, peer_id):
        """Without the query, and decoded once."""
        path, _ = target_of(target)
        assert peer_id_of_path(path) == peer_id
        assert DatachannelSession(Namespace("/"), RecordingLink(path)).peer_id == peer_id

    @pytest.mark.parametrize(
        ("path", "fault"),
        [
            ("", "is empty"),
            ("/", "is empty"),
            ("//ann", "is empty"),
            ("/" + "x" * 129, "has more than 128 characters"),
            ("/" + "%C3%A9" * 129, "has more than 128 characters"),
            ("/%00", "has a control character"),
            ("/a%0Ab", "has a control character"),
            ("/%7F", "has a control character"),
            ("/%C2%85", "has a control character"),
            ("/%FF", "is not UTF-8"),
            ("/%C3", "is not UTF-8"),
            ("/%ED%A0%80", "is not UTF-8"),
        ],
    )
    def test_a_bad_id_is_refused_with_the_reason(self, path, fault, namespace):
        """Status 400, what is wrong with the id, and what to do; nothing is claimed."""
        with pytest.raises(Refusal) as caught:
            join(namespace, path)
        assert caught.value.status == 400
        assert fault in caught.value.reason
        assert "connect to ws://HOST:PORT/<peer id>" in caught.value.reason
        assert len(namespace) == 0

    @given(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), max_size=140))
    def test_any_path_gives_an_id_or_a_refusal(self, path):
        """Nothing but a ``Refusal`` is raised, and every id keeps to the rules."""
        with contextlib.suppress(Refusal):
            peer_id = peer_id_of_path(f"/{path}")
            assert 0 < len(peer_id) <= 128
            assert not set(peer_id) & {chr(code) for code in (*range(32), *range(127, 160))}
