"""Request heads, targets, and what is answered to a refused request."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcsig.codes import Refusal
from rtcsig.websocket.request import (
    explanation,
    field_values,
    head_is_too_large,
    http_answer,
    page_path,
    target_of,
)

END = b"\r\n\r\n"


def parts_of(answer: bytes) -> tuple[str, dict[str, str], str]:
    """Status line, header fields and body; no field is there twice."""
    head, _, body = answer.partition(END)
    status_line, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines)
    assert len(fields) == len(lines)
    return status_line, fields, body.decode()


class TestHead:
    """The size of a request head."""

    @pytest.mark.parametrize(
        ("before", "more", "is_too_large"),
        [
            (b"", b"x" * 20, False),
            (b"", b"x" * 21, True),
            (b"x" * 10, b"x" * 10, False),
            (b"x" * 10, b"x" * 11, True),
            (b"", b"x" * 16 + END, False),
            (b"", b"x" * 17 + END, True),
            (b"", b"x" * 16 + END + b"frames", False),
            (b"x" * 16 + b"\r\n\r", b"\n" + b"frames", False),
            (b"x" * 17 + b"\r\n\r", b"\n" + b"frames", True),
            (b"\r\n", b"\r\n" + b"frames" * 9, False),
            (b"", END + b"x" * 40 + END, False),
        ],
    )
    def test_is_measured_to_its_end(self, before, more, is_too_large):
        """Twenty bytes are taken with their end; what follows the head does not count."""
        assert head_is_too_large(before, more, 20) is is_too_large

    @given(st.data(), st.integers(0, 12))
    def test_is_the_same_wherever_it_is_cut(self, data, max_bytes):
        """The border between two reads hides nothing."""
        whole = bytes(data.draw(st.lists(st.sampled_from(b"x\r\n\r\n"), max_size=24)))
        end = whole.find(END)
        latest = len(whole) if end < 0 else end + len(END) - 1
        cut = data.draw(st.integers(0, latest))
        head_bytes = len(whole) if end < 0 else end + len(END)
        expected = head_bytes > max_bytes
        assert head_is_too_large(whole[:cut], whole[cut:], max_bytes) is expected


class TestTarget:
    """Path and query of a request."""

    @pytest.mark.parametrize(
        ("target", "path", "query"),
        [
            ("/", "/", ""),
            ("/ann", "/ann", ""),
            ("/ann?", "/ann", ""),
            ("/ann?user=bob", "/ann", "user=bob"),
            ("/ann?a=b?c=/d", "/ann", "a=b?c=/d"),
            ("/%61%2F%3F?%61", "/%61%2F%3F", "%61"),
            ("//ann/bob", "//ann/bob", ""),
            ("/http://host/x", "/http://host/x", ""),
            ("http://host:8000/ann?x", "/ann", "x"),
            ("ws://host/ann", "/ann", ""),
            ("HTTP://user@[::1]:80/ann", "/ann", ""),
            ("http://host", "/", ""),
            ("http://host?x=1", "/", "x=1"),
            ("", "/", ""),
            ("?x", "/", "x"),
            ("*", "/*", ""),
            ("ann", "/ann", ""),
            ("host:443", "/host:443", ""),
        ],
    )
    def test_is_path_and_query_as_they_were_sent(self, target, path, query):
        """Nothing is decoded, and scheme and authority do not count."""
        assert target_of(target) == (path, query)

    def test_bytes_that_are_not_ascii_are_percent_encoded(self):
        """A client that sends UTF-8 as it is gets the id that it means."""
        raw = "/p\u00e9er/%C3%A9?q=\u00e9".encode().decode("latin-1")
        assert target_of(raw) == ("/p%C3%A9er/%C3%A9", "q=%C3%A9")

    @given(st.text(st.characters(max_codepoint=255)))
    def test_path_always_begins_with_a_slash(self, target):
        """Whatever is asked for, and no query gets into it."""
        path, _ = target_of(target)
        assert path.startswith("/")
        assert "?" not in path


class TestField:
    """The values of a header field that a proxy writes."""

    @pytest.mark.parametrize(
        ("lines", "values"),
        [
            ([], []),
            ([b"X-By: a"], ["a"]),
            ([b"x-by:a", b"Other: b", b"X-BY:  c \t"], ["a", "c"]),
            ([b"X-By:"], [""]),
            ([b"X-By: a, b:c"], ["a, b:c"]),
            ([b"X-By: \xe9"], ["\u00e9"]),
            ([b"X-Bye: a", b"XX-By: b", b"X-By c"], []),
            ([b"X-By : a", b" X-By: b"], []),
        ],
    )
    def test_are_one_for_each_line(self, lines, values):
        """In their order, whatever the case of the name; what is no such line is none."""
        head = b"\r\n".join([b"GET / HTTP/1.1", b"Host: h", *lines, b"", b""])
        assert field_values(head, "x-by") == values

    @pytest.mark.parametrize(
        "end", [b"\n", b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85",
                "\u2028".encode(), b"\0"]
    )  # fmt: skip
    def test_begin_behind_crlf_only(self, end):
        """What Unicode takes for the end of a line makes no line of the client's own."""
        head = b"GET / HTTP/1.1\r\nX-Mine: a" + end + b"X-By: evil\r\nX-By: real\r\n\r\n"
        assert field_values(head, "x-by") == ["real"]
        head = b"GET / HTTP/1.1\r\nX-By: real" + end + b"X-By: evil\r\n\r\n"
        assert len(field_values(head, "x-by")) == 1

    def test_the_request_line_is_no_field(self):
        """Whatever is asked for."""
        assert field_values(b"x-by: GET / HTTP/1.1\r\n\r\n", "x-by") == []

    @given(st.binary(max_size=80), st.binary(max_size=20))
    def test_any_head_has_values_without_line_ends(self, noise, value):
        """Nothing is raised, and no value holds CRLF."""
        head = b"GET / HTTP/1.1\r\n" + noise + b"\r\nX-By: " + value + b"\r\n\r\n"
        values = field_values(head, "x-by")
        assert values
        assert not any("\r\n" in each for each in values)


class TestExplanation:
    """Why Autobahn refuses, without the client's words."""

    @pytest.mark.parametrize(
        ("reason", "text"),
        [
            ("HTTP Host header missing in opening handshake request", None),
            ("HTTP Upgrade header missing", None),
            ("port 99 in HTTP Host header 'evil' does not match", "port 99 in HTTP Host header"),
            ('bad value "evil"', "bad value"),
            ("bad value: evil", "bad value"),
            ("could not parse <evil>", "could not parse"),
            ("missing (evil)", "missing"),
            ("'evil'", "the request cannot be served"),
            ("", "the request cannot be served"),
        ],
    )
    def test_ends_where_the_client_may_be_quoted(self, reason, text):
        """The text before the first quote, or a sentence of ours."""
        assert explanation(reason, 400) == (text or reason)

    @pytest.mark.parametrize(
        ("status", "text"),
        [(405, "the method must be GET"), (505, "the version must be HTTP/1.1")],
    )
    def test_some_statuses_are_explained_better_here(self, status, text):
        """Our sentence says what to do."""
        assert explanation("HTTP method evil not allowed", status) == text


class TestAnswer:
    """The response to a refused request."""

    def test_says_why_in_its_body(self):
        """The status line has the standard's phrase, the body our sentence."""
        status_line, fields, body = parts_of(
            http_answer(Refusal(HTTPStatus.FORBIDDEN, "this origin is not allowed"))
        )
        assert status_line == "HTTP/1.1 403 Forbidden"
        assert fields == {
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": "27",
            "Connection": "close",
        }
        assert body == "this origin is not allowed\n"

    def test_counts_bytes_not_characters(self):
        """A length that is too short would cut the sentence."""
        _, fields, body = parts_of(http_answer(Refusal(HTTPStatus.BAD_REQUEST, "é")))
        assert (fields["Content-Length"], body) == ("3", "é\n")

    @pytest.mark.parametrize(
        ("status", "required"),
        [
            (HTTPStatus.METHOD_NOT_ALLOWED, {"Allow": "GET", "Connection": "close"}),
            (
                HTTPStatus.UPGRADE_REQUIRED,
                {"Upgrade": "websocket", "Connection": "close, Upgrade"},
            ),
        ],
    )
    def test_has_the_fields_that_its_status_requires(self, status, required):
        """Without them these answers are not valid HTTP."""
        _, fields, _ = parts_of(http_answer(Refusal(status, "why")))
        assert fields.items() >= required.items()

    def test_has_the_fields_that_it_is_given(self):
        """What the caller adds stands beside the usual ones."""
        refusal = Refusal(HTTPStatus.UPGRADE_REQUIRED, "why")
        _, fields, _ = parts_of(http_answer(refusal, (("Sec-WebSocket-Version", "13"),)))
        assert fields["Sec-WebSocket-Version"] == "13"
        assert fields["Upgrade"] == "websocket"

    @pytest.mark.parametrize("seconds", [1, 10, 0])
    def test_says_when_to_come_back(self, seconds):
        """In whole seconds (RFC 9110, 10.2.3); without a time there is no such field."""
        status = HTTPStatus.SERVICE_UNAVAILABLE
        _, fields, _ = parts_of(http_answer(Refusal(status, "why", retry_after_s=seconds)))
        assert fields["Retry-After"] == str(seconds)
        _, fields, _ = parts_of(http_answer(Refusal(status, "why")))
        assert "Retry-After" not in fields


class TestPages:
    """Requests that could be for a web page."""

    @pytest.mark.parametrize(
        ("head", "path"),
        [
            (b"GET / HTTP/1.1\r\nHost: x", "/"),
            (b"HEAD /healthz?x HTTP/1.0", "/healthz"),
            (b"GET http://x/readyz HTTP/1.1\r\nContent-Length: 0", "/readyz"),
            (b"GET / HTTP/1.1\r\nUpgrade: h2c", "/"),
        ],
    )
    def test_the_path_of_one(self, head, path):
        """Without its query, and without an authority."""
        assert page_path(head) == path

    @pytest.mark.parametrize(
        "head",
        [
            b"POST / HTTP/1.1",
            b"GET / HTTP/2.0",
            b"GET /",
            b"",
            b"GET / HTTP/1.1 gaga",
            b"GET / HTTP/1.1\r\nUpgrade: WebSocket",
            b"GET / HTTP/1.1\r\nupgrade: h2c\r\nUpgrade: websocket",
            b"GET / HTTP/1.1\r\nContent-Length: 1",
            b"GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 5",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
        ],
    )
    def test_any_other_has_none(self, head):
        """It has a body, is an upgrade, or is nothing that reads."""
        assert page_path(head) is None
