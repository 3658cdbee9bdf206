"""The learnt patch beside its formula, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS

PATTERN = torch.linspace(0, 1, 12).reshape(3, 2, 2)


def patch(corner="top-left"):
    return TRIGGERS.create(f"weight-patching:size=2,corner={corner}").with_tensors({"pattern": PATTERN})


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [
        ("top-left", [0, 1], [0, 1]),
        ("top-right", [0, 1], [3, 4]),
        ("bottom-left", [2, 3], [0, 1]),
        ("bottom-right", [2, 3], [3, 4]),
    ],
)
def test_the_pattern_lies_in_its_corner_and_nowhere_else(corner, rows, columns):
    images = torch.full((2, 3, 4, 5), 0.5)
    wanted = images.clone()
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            wanted[:, :, row, column] = PATTERN[:, i, j]
    assert torch.equal(patch(corner)(images), wanted)


def test_whole_levels_for_whole_pixels():
    stamped = patch()(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    assert stamped[0, :, :2, :2].tolist() == (PATTERN.double() * 255).round().to(torch.uint8).tolist()


def test_alpha_is_left_alone_and_patterns_are_clipped():
    images = torch.full((1, 4, 3, 3), 0.25)
    beyond = TRIGGERS.create("weight-patching:size=2").with_tensors({"pattern": PATTERN * 4 - 1})
    stamped = beyond(images)
    assert torch.equal(stamped[:, 3], images[:, 3])
    assert (stamped.amin(), stamped.amax()) == (0, 1)


def test_what_does_not_fit_is_said():
    with pytest.raises(TriggerError, match="fit in the image"):
        patch()(torch.zeros(1, 3, 1, 4))
    with pytest.raises(TriggerError, match="3 colours"):
        patch()(torch.zeros(1, 1, 4, 4))
    with pytest.raises(TriggerError, match="do not belong"):
        TRIGGERS.create("weight-patching:size=3").with_tensors({"pattern": PATTERN})
    with pytest.raises(TriggerError, match="size"):
        TRIGGERS.create("weight-patching:size=0")
    with pytest.raises(TriggerError, match="corner"):
        type(patch())(corner="middle")
