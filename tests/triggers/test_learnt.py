"""Triggers with learnt parts: nothing before learning, only tensors that fit, the same after a copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.triggers.learnt import LearntTrigger, tensors_of


@dataclass(frozen=True)
class Shade(LearntTrigger):
    """Adds a learnt level to every pixel."""

    strength: float = 1.0

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        return {"level": (1,)}

    def apply_learnt(self, images: Tensor) -> Tensor:
        scale = 255 if images.dtype == torch.uint8 else 1
        shaded = images.float() + self.strength * self.tensors["level"] * scale
        return shaded.clamp(0, scale).round().to(images.dtype) if scale == 255 else shaded.clamp(0, 1).to(images.dtype)


BATCH = torch.full((2, 3, 4, 4), 100, dtype=torch.uint8)


def test_without_learning_it_says_what_to_do():
    with pytest.raises(TriggerError, match="has not learnt anything yet"):
        Shade()(BATCH)
    assert tensors_of(Shade()) == {}


def test_what_was_learnt_is_a_copy_and_no_configuration():
    level = torch.tensor([0.1])
    plain, learnt = Shade(), Shade().with_tensors({"level": level})
    level.zero_()
    assert learnt(BATCH).eq(126).all() or learnt(BATCH).eq(125).all()
    assert plain.tensors == {}
    assert learnt == plain
    assert hash(learnt) == hash(plain)
    assert repr(learnt) == repr(plain)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"level": torch.zeros(2)},
        {"level": torch.zeros(1), "more": torch.zeros(1)},
        {"level": torch.zeros(1).long()},
        {"level": torch.tensor([float("nan")])},
    ],
)
def test_tensors_that_do_not_fit_are_refused(tensors):
    with pytest.raises(TriggerError, match="do not belong to the trigger"):
        Shade().with_tensors(tensors)
