"""Recycled memory changes nothing but speed, and does nothing where the C library is another."""

from __future__ import annotations

import ctypes

import pytest

from bezoar.errors import TrainingError
from bezoar.training.allocator import (
    DEFAULT_MMAP_MAX,
    DEFAULT_TRIM_THRESHOLD,
    MMAP_MAX,
    TRIM_THRESHOLD,
    recycled_memory,
)


class Library:
    def __init__(self) -> None:
        self.calls: list[tuple[int, ...]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.calls.append((option, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.calls.append((pad,))
        return 1


def test_memory_is_given_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    with pytest.raises(TrainingError), recycled_memory():
        raise TrainingError("diverged")
    assert {option for option, _ in library.calls[:2]} == {TRIM_THRESHOLD, MMAP_MAX}
    assert library.calls[2:] == [(TRIM_THRESHOLD, DEFAULT_TRIM_THRESHOLD), (MMAP_MAX, DEFAULT_MMAP_MAX), (0,)]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    with recycled_memory():
        entered = True
    assert entered


def test_within_itself_only_the_outermost_gives_the_memory_back(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    with recycled_memory():
        with recycled_memory():
            pass
        assert len(library.calls) == 2
    assert library.calls[-1] == (0,)
