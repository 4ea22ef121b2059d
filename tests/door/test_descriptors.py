"""Counting descriptors."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from rtcsig.door.descriptors import descriptor_limit, descriptors_in_use


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
