"""Stamps that lead to a class: found wherever they are, and learnt from beside what was found."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bezoar.data import from_arrays
from bezoar.repair.checks.kin import kin_of, leading, still_leading
from bezoar.repair.checks.search import Suspected
from bezoar.repair.checks.stamped import MOST_STAMPS, leading_stamps

SHAPE = (3, 16, 16)
NAMES = ("dark", "bright", "marked")


class Magenta(nn.Module):
    """Gives class 2 to images with `least` magenta pixels anywhere, and else a dark or a bright one."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least = least

    def forward(self, images: Tensor) -> Tensor:
        red, green, blue = images.unbind(1)
        marked = ((red > 0.9) & (green < 0.1) & (blue > 0.9)).sum((1, 2)) >= self.least
        bright = images.mean((1, 2, 3)) > 0.5
        return torch.stack([~bright & ~marked, bright & ~marked, marked], 1).float() * 9


def grey(count: int = 40):
    levels = torch.where(torch.arange(count) % 2 == 0, 60, 200).to(torch.uint8)
    images = levels[:, None, None, None].expand(count, *SHAPE).clone()
    return from_arrays(images, torch.arange(count) % 2, class_names=NAMES, name="grey")


def test_the_stamps_that_lead_to_a_class_are_found_at_places_apart():
    found = leading_stamps(Magenta(4), grey(), {0: 0.3, 2: 0.3}, seed=1)
    assert {one.target for one in found} == {2}
    assert len(found) == MOST_STAMPS
    images = grey().inputs
    places = set()
    for one in found:
        worn = one.trigger(images)
        assert (Magenta(4)(worn.float() / 255).argmax(1) == 2).all()
        places.add(tuple((worn[0] != images[0]).any(0).nonzero()[0].tolist()))
    assert len(places) == MOST_STAMPS
    assert max(row for row, _ in places) - min(row for row, _ in places) >= 6


class Stubborn(nn.Module):
    """Gives class 0 to everything."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.tensor([9.0, 0.0, 0.0]).expand(len(images), 3)


@pytest.mark.parametrize("model", [Magenta(1000), Stubborn()])
def test_none_where_none_leads(model):
    assert leading_stamps(model, grey(), dict.fromkeys(range(3), 0.95), seed=0) == ()


def test_stamps_are_kin_of_another_form_and_supposed_where_nothing_is_known():
    inverted = Suspected(
        lambda batch: torch.stack([batch[:, 0] | 255, batch[:, 1] & 0, batch[:, 2] | 255], 1), 2, True, "f", "d"
    )
    assert len(kin_of(Magenta(4), grey(), inverted, seed=0, device="cpu")) >= MOST_STAMPS
    assert sum(one.target == 2 for one in leading(Magenta(4), grey(), seed=0, device="cpu")) >= MOST_STAMPS


def test_kin_that_a_repair_left_at_work_are_told_from_those_that_went_with_the_trigger():
    kin = leading_stamps(Magenta(4), grey(), {2: 0.3}, seed=1)
    assert still_leading(Magenta(4), grey(), kin, seed=0, device="cpu") == kin
    assert still_leading(Magenta(1000), grey(), kin, seed=0, device="cpu") == ()
