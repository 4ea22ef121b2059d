"""A message changes in its ``id`` only, to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtcsig.dialects import addressed
from rtcsig.dialects.addressed import (
    MessageError,
    json_string,
    read_addressed,
)

SENDER = b'"sender"'
SPELLINGS_OF_ID = ['"id"', '"\\u0069d"', '"i\\u0064"', '"\\u0069\\u0064"']
OTHER_NAMES = ['""', '"ID"', '"id "', '"i"', '"\\\\id"', '"\\"id\\":"', '"{id"', '"\\ud800"']

encodable = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**64, max_value=2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | encodable
    | st.sampled_from(['"id":', '{"id":"x"}', "}", "]", "\\", '\\"', "\u2028", "/", "\x7f"])
)
names = st.sampled_from(["id", "type", "ID", '"id":', "__proto__"]) | encodable
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3)
        | inner.map(lambda value: {"id": value})
    ),
    max_leaves=8,
)
styles = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 2, "\t"]),
        "separators": st.sampled_from([None, (",", ":"), (" , ", " : "), ("\r\n,", "\t:\n")]),
    }
)
white_space = st.text(" \t\r\n", max_size=3)
destinations = encodable | st.integers()


@st.composite
def messages_in_pieces(draw):
    """A message as pieces: ``(text, whether it is the value of a top-level id)``."""
    pieces = []
    members = draw(st.integers(1, 4))
    place_of_id = draw(st.integers(0, members - 1))
    for number in range(members):
        is_id = number == place_of_id
        name = draw(st.sampled_from(SPELLINGS_OF_ID if is_id else OTHER_NAMES))
        value = json.dumps(draw(destinations if is_id else values), **draw(styles))
        space = [draw(white_space) for _ in range(4)]
        comma = "," if number else ""
        pieces.append((f"{comma}{space[0]}{name}{space[1]}:{space[2]}", False))
        pieces.append((value, is_id))
        pieces.append((space[3], False))
    pieces = [(draw(white_space) + "{", False), *pieces, ("}" + draw(white_space), False)]
    return [(text.encode(), is_id) for text, is_id in pieces]


def readdressed(text: bytes) -> tuple[str, bytes]:
    """Where a message goes, and what arrives there."""
    destination, before, after = read_addressed(text)
    return destination, before + SENDER + after


def outcome(text: bytes) -> tuple[str, bytes] | str:
    """Where a message goes and what arrives there, or the code with which it is refused."""
    try:
        return readdressed(text)
    except MessageError as error:
        return error.code


def assert_read_or_refused(text: bytes) -> None:
    """What is read can be re-addressed and is JSON; all else is a ``MessageError``."""
    message = outcome(text)
    if isinstance(message, str):
        assert message in {"malformed-json", "not-an-object", "no-destination"}
    else:
        members = json.loads(message[1], object_pairs_hook=list)
        assert [value for name, value in members if name == "id"] == ["sender"]


@given(st.dictionaries(names, values, max_size=5), destinations, styles)
def test_the_same_object_arrives_with_another_id(others, destination, style):
    """However it is written, only the top-level id is exchanged."""
    text = json.dumps({**others, "id": destination}, **style).encode()
    to, message = readdressed(text)
    assert to == str(destination)
    arrived = json.loads(message)
    assert arrived == {**json.loads(text), "id": "sender"}
    assert list(arrived) == list(json.loads(text))


@given(messages_in_pieces())
def test_every_other_byte_stays(pieces):
    """The bytes outside the value of the top-level id are those that were sent."""
    destination, message = readdressed(b"".join(text for text, _ in pieces))
    expected = b"".join(SENDER if is_id else text for text, is_id in pieces)
    assert message == expected
    (sent_id,) = [text for text, is_id in pieces if is_id]
    assert destination == str(json.loads(sent_id))


@given(st.binary(max_size=60) | st.text('{}[]":,id\\u0069 1eE+-.N\ud800', max_size=30))
@example(b"")
@example(b"\xef\xbb\xbf{}")
@example(b"{\x00}\x00")
@example(b'{"id":"a"}\xff')
@example(b'{"id"')
def test_any_bytes_are_read_or_refused(noise):
    """Nothing but a ``MessageError`` is ever raised."""
    text = noise if isinstance(noise, bytes) else noise.encode("utf-8", "surrogatepass")
    assert_read_or_refused(text)


@given(st.data(), messages_in_pieces())
def test_damaged_messages_are_read_or_refused(data, pieces):
    """The same holds for messages that are nearly right."""
    text = b"".join(text for text, _ in pieces)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 4)))
    assert_read_or_refused(text[:start] + data.draw(st.binary(max_size=3)) + text[end:])


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ('{"id":"a"}', "a"),
        ('{"id":""}', ""),
        ('{"id":42}', "42"),
        ('{"id":-7}', "-7"),
        ('{"id":-0}', "-0"),
        ('{"id":123456789012345678901234567890}', "123456789012345678901234567890"),
        ('{"id":"\\u00e9\\/\\n"}', "é/\n"),
        ('{"id":"\\ud83d\\ude00"}', "\U0001f600"),
        ('{"id":"\\ud800"}', "\ud800"),
        ('{"x":{"id":"x"},"id":"a","y":[{"id":"y"}]}', "a"),
        ('{"x":"id","id":"a","y":"id"}', "a"),
    ],
)
def test_the_destination_is_the_top_level_id(text, destination):
    """A string, or the digits of an integer."""
    assert readdressed(text.encode())[0] == destination


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "malformed-json"),
        ("{", "malformed-json"),
        ("hello", "malformed-json"),
        ("{'id':'a'}", "malformed-json"),
        ('{"id":"a",}', "malformed-json"),
        ('{"id":"a"}{', "malformed-json"),
        ('{"id":"a\n"}', "malformed-json"),
        ('{"id":01}', "malformed-json"),
        ('{"id":"a","x":NaN}', "malformed-json"),
        ('{"id":"a","x":[Infinity]}', "malformed-json"),
        ('{"id":"a","x":-Infinity}', "malformed-json"),
        ('\ufeff{"id":"a"}', "malformed-json"),
        ("null", "not-an-object"),
        ("42", "not-an-object"),
        ("1e999", "not-an-object"),
        ('"id"', "not-an-object"),
        ('[{"id":"a"}]', "not-an-object"),
        ("{}", "no-destination"),
        ('{"ID":"a"}', "no-destination"),
        ('{"x":"id"}', "no-destination"),
        ('{"x":{"id":"a"}}', "no-destination"),
        ('{"x":[{"id":"a"}]}', "no-destination"),
        ('{"id":null}', "no-destination"),
        ('{"id":true}', "no-destination"),
        ('{"id":1.5}', "no-destination"),
        ('{"id":1E5}', "no-destination"),
        ('{"id":{"id":"a"}}', "no-destination"),
        ('{"id":["a"]}', "no-destination"),
        ('{"id":[]}', "no-destination"),
        ('{"id":"a","id":null}', "no-destination"),
        ('{"id":"a","id":"a"}', "no-destination"),
        ('{"id":"a","\\u0069d":"b"}', "no-destination"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_code(text, code):
    """The code says whether it is no JSON, no object, or has no destination."""
    assert outcome(text.encode()) == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "the message is not valid JSON"),
        (b"[]", "the message is not a JSON object"),
        (b"{}", 'the object has no member "id"'),
        (b'{"id":"a","id":"b"}', 'the object has more than one member "id"'),
        (b'{"id":null}', 'the member "id" is no string and no integer'),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_sentence(text, said):
    """The sentence is for the sender, and has none of its own words."""
    with pytest.raises(MessageError) as caught:
        read_addressed(text)
    assert str(caught.value) == said


@given(st.text('id\\u0469"x', max_size=14))
@example("\\u0069\\u0064")
@example("i\\u0064")
@example("\\u0069d")
@example("\\\\u0069d")
def test_a_name_is_id_as_a_parser_reads_it(written):
    """In each spelling that JSON has for it, and in no other."""
    try:
        name = json.loads(f'"{written}"')
    except ValueError:
        return
    assert addressed._is_id(f'"{written}"'.encode()) is (name == "id")


def test_escaped_names_are_not_parsed_one_by_one(monkeypatch):
    """A message can have ten thousand of them."""
    parsed = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda text, **o: parsed.append(text) or loads(text, **o))
    assert outcome(b'{"id":"a"' + rb',"\n":1' * 1000 + b"}")[0] == "a"
    assert outcome(b'{"\\u0069d":"a"' + rb',"\n":1' * 1000 + b"}")[0] == "a"
    assert len(parsed) <= 2


@pytest.mark.parametrize("text", [b'{"id":"\xff"}', b'{"id":"a","x":"\xed\xa0\x80"}'])
def test_what_is_not_utf8_is_not_json(text):
    """Broken UTF-8 is refused like broken JSON."""
    assert outcome(text) == "malformed-json"


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"id":', b"}")])
@pytest.mark.parametrize("number", [b"1", b"1e999"])
@pytest.mark.parametrize("depth", [100, 990, 1022, 1023, 1024, 1025, 3000, 100_000])
def test_any_depth_is_read_or_refused(depth, number, brackets):
    """Nesting that no parser goes into is malformed, whichever parser looks first."""
    opening, closing = brackets
    nested = opening * depth + number + closing * depth
    message = outcome(b'{"x":' + nested + b',"id":"a"}')
    if isinstance(message, str):
        assert (message, depth > 900) == ("malformed-json", True)
    else:
        assert message[1] == b'{"x":' + nested + b',"id":"sender"}'
        assert depth < 100_000


@given(encodable)
def test_a_json_string_is_its_text(text):
    """What we write ourselves parses to what was meant, in UTF-8."""
    assert json.loads(json_string(text)) == text
