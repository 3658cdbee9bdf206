"""The drawn road signs: their classes, and how varied they are."""

from __future__ import annotations

import pytest

from bezoar.data.dataset import Dataset
from bezoar.data.embedded.signs import SIGNS


@pytest.fixture(scope="module")
def train() -> Dataset:
    return SIGNS.draw(1500, seed=11)


def test_class_names_are_words_for_people(train):
    assert train.class_names == (
        "stop",
        "yield",
        "no entry",
        "speed limit 30",
        "speed limit 50",
        "speed limit 80",
        "keep right",
        "priority road",
        "pedestrian crossing",
        "roundabout",
    )


def test_pictures_of_a_class_vary_everywhere(train):
    """In each class every pixel's brightness spreads by at least 10% of its range, and so does the whole picture's."""
    for label in range(10):
        grey = train.inputs[train.labels == label].float().mean(dim=1)
        assert grey.std(dim=0).min() > 0.10 * 255
        assert grey.mean(dim=(1, 2)).std() > 0.08 * 255
