"""The demo's files, for everybody, on the port of the WebSockets."""

from __future__ import annotations

import re

import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock

from rtcsig.server import SignallingService
from rtcsig.settings import Settings
from rtcsig.web.demo import DEMO_POLICY, demo_pages
from rtcsig.web.site import PageSite
from tests.support.memory import MemoryPeer, house_of

_ADMIN = {"/", "/healthz", "/readyz", "/metrics"}
_DEMO = {"/demo", "/demo/", "/demo/demo.css", "/demo/demo.js", "/demo/rtcsig.js"}


def ask(target):
    """The answer to a request for it."""
    clock = Clock()
    house = house_of(clock)
    house.site = PageSite(demo_pages(), clock)
    peer = MemoryPeer(house)
    peer.connect()
    peer.protocol.dataReceived(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    answer = peer.http_answer()
    peer.lost()
    return answer


@pytest.mark.parametrize(
    ("path", "kind", "what"),
    [
        ("/demo/", "text/html", "<!doctype html>"),
        ("/demo/demo.css", "text/css", "body"),
        ("/demo/demo.js", "text/javascript", "rtcsig.js"),
        ("/demo/rtcsig.js", "text/javascript", "export class SignallingClient"),
    ],
)
def test_a_file(path, kind, what):
    """With its type, and a policy that lets nothing else run."""
    status, head, body = ask(path)
    assert status == 200
    assert f"Content-Type: {kind}; charset=utf-8" in head
    assert f"Content-Security-Policy: {DEMO_POLICY.decode()}" in head
    assert what in body


@pytest.mark.parametrize("query", ["", "?me=alice&meet=bob"])
def test_without_its_slash(query):
    """Goes where the names of the files are right, with what was asked for."""
    status, head, _ = ask(f"/demo{query}")
    assert status == 301
    assert f"Location: /demo/{query}\r\n" in f"{head}\r\n"


def test_the_page_needs_nothing_else():
    """All that it names is among the files, and nothing stands in it that the policy forbids."""
    text = ask("/demo/")[2]
    named = re.findall(r'(?:src|href)="(?!data:|#)(.*?)"', text)
    assert {f"/demo/{name}" for name in named} <= _DEMO
    assert not re.search(r"<style|style=|\son\w+=|<script(?! type=\"module\" src)", text)


@pytest.mark.parametrize(
    ("settings", "paths"),
    [
        ({}, _ADMIN),
        ({"demo": True}, _ADMIN | _DEMO),
        ({"demo": True, "admin_listen": ("tcp:0",)}, _DEMO),
    ],
)
def test_where_it_is(settings, paths):
    """Off unless it is asked for, and with the peers, wherever the other pages are."""
    service = SignallingService(Settings(**settings), reactor)
    assert service.house.site.paths == paths


def test_pages_of_their_own_ports_leave_none_behind():
    """The demo is not among them."""
    service = SignallingService(Settings(admin_listen=("tcp:0",)), reactor)
    assert service.house.site is None
