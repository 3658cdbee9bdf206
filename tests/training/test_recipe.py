"""A recipe as a record tells it, read back."""

from __future__ import annotations

import pytest

from bezoar.training.recipe import FAST, GENERAL, PUBLISHED, Recipe, read_recipe


@pytest.mark.parametrize("recipe", [FAST, GENERAL, PUBLISHED, Recipe(epochs=3, flips=True)])
def test_a_recipe_comes_back_from_its_text(recipe):
    assert read_recipe(str(recipe)) == recipe


@pytest.mark.parametrize(
    "text",
    [
        "",
        "package.module:train",
        "Recipe(epochs=0)",
        "Recipe(surprise=1)",
        "Recipe(epochs=__import__('os').getpid())",
        "Other(epochs=3)",
        "Recipe(**{'epochs': 3})",
        "Recipe(",
    ],
)
def test_what_is_no_recipe_is_none(text):
    assert read_recipe(text) is None
