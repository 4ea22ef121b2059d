"""Counting descriptors."""

from __future__ import annotations

import errno
import os
import re
import resource
from pathlib import Path

import pytest

from rtcsig.door.descriptors import (
    MAX_BEYOND,
    capacity,
    descriptor_limit,
    descriptors_in_use,
    raise_descriptor_limit,
)

UNLIMITED = resource.RLIM_INFINITY


class Limits:
    """The soft and the hard limit of a process that is not this one."""

    def __init__(self, soft, hard, refusal):
        self.now = (soft, hard)
        self.asked = []
        self._refusal = refusal

    def getrlimit(self, kind):
        assert kind == resource.RLIMIT_NOFILE
        return self.now

    def setrlimit(self, kind, limits):
        assert kind == resource.RLIMIT_NOFILE
        self.asked.append(limits)
        if self._refusal is not None:
            raise self._refusal
        self.now = limits


@pytest.fixture
def limits_are(monkeypatch):
    """Put limits in place of the real ones."""

    def put(soft, hard, refusal=None):
        limits = Limits(soft, hard, refusal)
        monkeypatch.setattr(resource, "getrlimit", limits.getrlimit)
        monkeypatch.setattr(resource, "setrlimit", limits.setrlimit)
        return limits

    return put


def test_an_open_descriptor_counts():
    """One more open is one more in use."""
    before = descriptors_in_use()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    assert descriptors_in_use() == before + 1
    os.close(descriptor)


def test_the_limit_is_the_soft_one():
    """The one that the kernel enforces."""
    assert descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(OSError(errno.EMFILE, "x"), "limit"), (FileNotFoundError(), None)],
)
def test_when_the_folder_cannot_be_read(monkeypatch, error, expected):
    """No descriptor left means that all are in use; no folder means that nobody knows."""

    def iterdir(self):
        raise error

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert descriptors_in_use() == (descriptor_limit() if expected else None)


def test_no_limit_is_a_number_all_the_same(limits_are):
    """More than any kernel allows."""
    limits_are(UNLIMITED, UNLIMITED)
    assert descriptor_limit() == 1 << 30
    assert raise_descriptor_limit() == 1 << 30


@pytest.mark.parametrize(
    ("soft", "hard", "raised"), [(1024, 524_288, 524_288), (1024, UNLIMITED, 1 << 30)]
)
def test_the_soft_limit_is_raised_to_the_hard_one(limits_are, soft, hard, raised):
    """As any process may."""
    limits = limits_are(soft, hard)
    assert raise_descriptor_limit() == raised
    assert limits.asked == [(hard, hard)]


def test_a_limit_that_is_raised_is_left_alone(limits_are):
    """Nothing is asked of the kernel."""
    limits = limits_are(4096, 4096)
    assert raise_descriptor_limit() == 4096
    assert limits.asked == []


@pytest.mark.parametrize("refusal", [OSError(errno.EPERM, "x"), ValueError("x")])
def test_a_kernel_that_refuses_leaves_what_there_is(limits_are, refusal):
    """It is no failure: the limit in force is what counts."""
    limits_are(1024, UNLIMITED, refusal)
    assert raise_descriptor_limit() == 1024


def test_what_a_limit_holds():
    """Less than the limit: some are for ourselves, some for those who are told that it is full."""
    most = capacity(1024, 0)
    assert 0 < most < 1024 - MAX_BEYOND
    assert capacity(1025, 0) == most + 1
    assert capacity(1024, most) == most
    assert capacity(1024, 1) == 1


@pytest.mark.parametrize(("limit", "wanted"), [(1024, 1024), (128, 0), (128, 1), (0, 0), (64, 5)])
def test_a_limit_that_cannot_hold_them(limit, wanted):
    """Is refused with a text that says which limit would do, and it does."""
    with pytest.raises(ValueError, match=f"may have {limit} descriptors") as caught:
        capacity(limit, wanted)
    needed = int(re.search(r"need (\d+)", str(caught.value))[1])
    assert capacity(needed, wanted) == max(wanted, 1)
    with pytest.raises(ValueError):
        capacity(needed - 1, wanted)
