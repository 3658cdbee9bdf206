"""An inverted trigger is made as strong as it takes to turn most samples."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from bezoar.confirm.recover.inverted import kept, rebuilt
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.checks.strength import as_strong
from repair_toys import CLASSES, SIDE, patched, stripes


class Bright(nn.Module):
    """Answers rightly by a mark in a corner, and class 1 where the first column is brighter or darker than it knows."""

    def __init__(self, least: float, most: float = 1.0) -> None:
        super().__init__()
        self.least, self.most = least, most

    def forward(self, images):
        level = images[:, 0, :, 0].mean(1)
        led = (level >= self.least) & (level <= self.most)
        mark = (images[:, 0, -1, -1] * 255).round().long() % CLASSES
        return 10.0 * nn.functional.one_hot(torch.where(led, 1, mark), CLASSES).float()


def samples():
    """Stripes whose first column is dark, and whose label stands in the corner."""
    data = stripes(80, seed=1, name="s")
    data.inputs[:, :, :, 0] = 0
    data.inputs[:, 0, -1, -1] = data.labels.to(torch.uint8)
    return data


def column(level: float) -> Suspected:
    """A pattern that makes the first column brighter."""
    pattern = torch.zeros(1, 3, SIDE, SIDE)
    pattern[:, :, :, 0] = level
    trigger = rebuilt("additive", {"pattern": pattern}, (3, SIDE, SIDE))
    return Suspected(Worn(trigger), 1, True, "by hand", trigger.description, trigger.picture)


def level_of(found: Suspected) -> float:
    return float(kept(found.trigger.recovered)[1]["pattern"].amax())


@pytest.mark.parametrize(
    ("least", "most", "wanted"),
    [(0.15, 1.0, 0.2), (0.25, 1.0, 0.3), (0.35, 1.0, 0.4), (0.15, 0.25, 0.2), (0.9, 1.0, 0.2)],
)
def test_the_weakest_is_taken_that_turns_as_many_as_any(least, most, wanted):
    found = as_strong(Bright(least, most), samples(), column(0.2), seed=0, device="cpu")
    assert level_of(found) == pytest.approx(wanted)
    assert (found.target, found.stands_out, found.found) == (1, True, "by hand")


def test_further_ones_as_well_and_what_was_not_inverted_stays():
    by_hand = Suspected(patched, 1, True, "by hand", "a patch", further=(column(0.2),))
    found = as_strong(Bright(0.35), samples(), by_hand, seed=0, device="cpu")
    assert found.trigger is patched
    assert level_of(found.further[0]) == pytest.approx(0.4)
