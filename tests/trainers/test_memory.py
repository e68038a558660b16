"""Keeping freed memory is a wish, never a failure."""

from __future__ import annotations

import sys

import pytest

from hyperbridge.trainers.memory import keep_freed_memory


def test_where_there_is_no_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
