"""Specifications: texts to fields and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bezoar.errors import SpecError
from bezoar.registry import Registry, join_spec, split_spec

METHODS: Registry[object] = Registry("method")


@METHODS.register("sample")
@dataclass(frozen=True)
class Sample:
    """A method."""

    eps: float = 16 / 255
    rate: float | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unsaid:
    eps: float = 1


@dataclass(frozen=True)
class Unfinished(ABC):
    @abstractmethod
    def run(self) -> None: ...


class Plain:
    pass


class Needy:
    def __init__(self, size):
        self.size = size


NUMBER = 5
ARRAYS = np


def plain_function(batch):
    return batch


@pytest.mark.parametrize(
    ("text", "value"), [("16/255", 16 / 255), ("0.5", 0.5), ("1/3", 1 / 3), ("8", 8.0), ("-1/2", -0.5)]
)
def test_a_number_may_be_a_fraction(text, value):
    assert METHODS.create(f"sample:eps={text},rate={text}") == Sample(value, value)


@pytest.mark.parametrize("text", ["16/0", "a/b", "1/2/3", "--1/2"])
def test_what_is_no_number_is_an_error(text):
    with pytest.raises(SpecError, match="does not fit"):
        METHODS.create(f"sample:eps={text}")


def test_a_level_is_shown_as_one():
    assert METHODS.fields("sample")[0].default == "16/255"
    assert METHODS.spec_of(Sample(8 / 255, 0.1)) == f"{__name__}:Sample:eps=8/255,rate=0.1"


def test_a_users_own_goes_by_the_name_that_imports_it_even_where_it_is_registered():
    assert METHODS.name_of(Sample()) == f"{__name__}:Sample"
    assert METHODS.create(METHODS.spec_of(Sample(rate=0.5))) == METHODS.create("sample:rate=0.5")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sample:eps=1,eps=2", "eps is given twice"),
        ("sample:eps", "Write sample:eps=..., a value is missing"),
        (f"{__name__}:NUMBER", "is no method.*found int"),
        (f"{__name__}:ARRAYS", "is no method.*found module"),
        (f"{__name__}:Needy", r"cannot be built without arguments.*@dataclass\(frozen=True\) above class Needy"),
        (f"{__name__}:Plain:eps=1", "takes no fields"),
        (f"{__name__}:Unfinished", "is not finished.*a method run"),
    ],
)
def test_what_can_be_no_method_is_told(spec, message):
    with pytest.raises(SpecError, match=message):
        METHODS.create(spec)


def test_a_plain_class_is_built_and_a_function_taken_as_it_is():
    assert isinstance(METHODS.create(f"{__name__}:Plain"), Plain)
    assert METHODS.create(f"{__name__}:plain_function") is plain_function


def test_a_made_up_docstring_says_nothing():
    assert METHODS.description(f"{__name__}:Unsaid") == ""
    assert METHODS.summary("sample") == "A method."


def test_a_specification_is_split_and_joined():
    given = {"path": "a,b%c", "size": "3"}
    assert split_spec(join_spec("sample", given)) == ("sample", given)
    assert join_spec("sample", {}) == "sample"


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
