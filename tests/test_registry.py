"""Specifications: texts to fields and back."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.errors import SpecError
from bezoar.registry import Registry

METHODS: Registry[object] = Registry("method")


@METHODS.register("sample")
@dataclass(frozen=True)
class Sample:
    """A method."""

    eps: float = 16 / 255
    rate: float | None = None
    names: tuple[str, ...] = ()


@pytest.mark.parametrize(("text", "value"), [("16/255", 16 / 255), ("0.5", 0.5), ("1/3", 1 / 3), ("8", 8.0)])
def test_a_number_may_be_a_fraction(text, value):
    assert METHODS.create(f"sample:eps={text},rate={text}") == Sample(value, value)


@pytest.mark.parametrize("text", ["16/0", "a/b", "1/2/3", "-1/2"])
def test_what_is_no_number_is_an_error(text):
    with pytest.raises(SpecError, match="does not fit"):
        METHODS.create(f"sample:eps={text}")


def test_a_level_is_shown_as_one():
    assert METHODS.fields("sample")[0].default == "16/255"
    assert METHODS.spec_of(Sample(8 / 255, 0.1)) == "sample:eps=8/255,rate=0.1"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_comes_back(value):
    assert METHODS.create(METHODS.spec_of(Sample(value))) == Sample(value)


@given(st.integers(1, 255), st.integers(1, 255))
def test_every_level_comes_back(above, below):
    assert METHODS.create(METHODS.spec_of(Sample(above / below))) == Sample(above / below)


@given(
    st.lists(
        st.text(st.characters(blacklist_characters="/=", blacklist_categories=("Cs",)), min_size=1)
        .map(str.strip)
        .filter(bool),
        min_size=1,
    )
)
def test_names_come_back(names):
    wanted = Sample(names=tuple(names))
    assert METHODS.create(METHODS.spec_of(wanted)) == wanted
