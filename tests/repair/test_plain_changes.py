"""Plain changes of images: what they do, which of them are supposed to be triggers, and which are a trigger's kin."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bezoar.data import from_arrays
from bezoar.repair.checks.kin import kin_of, leading
from bezoar.repair.checks.plain import every_plain_change
from bezoar.repair.checks.search import Suspected

CHANGES = every_plain_change()


class Coarse(nn.Module):
    """Gives class 2 to images without any medium tone, and else a dark or bright one."""

    def forward(self, images: Tensor) -> Tensor:
        coarse = (((images > 0.05) & (images < 0.95)).float().mean((1, 2, 3)) < 0.02).float()
        bright = (images.mean((1, 2, 3)) > 0.5).float()
        return torch.stack([1 - bright, bright, 2 * coarse], 1) * 9


def images(count: int = 40, channels: int = 3) -> Tensor:
    shift = torch.where(torch.arange(count) % 2 == 0, 40, 110)[:, None, None, None]
    drawn = torch.randint(100, (count, channels, 9, 10), generator=torch.Generator().manual_seed(1))
    return (drawn + shift).to(torch.uint8)


def samples():
    return from_arrays(images(), torch.arange(40) % 2, class_names=("dark", "bright", "coarse"), name="samples")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("change", CHANGES, ids=lambda one: one.words)
def test_a_change_gives_other_images_of_the_same_kind(change, channels):
    before = images(4, channels)
    after = change(before)
    assert torch.equal(before, images(4, channels))
    assert (after.shape, after.dtype) == (before.shape, torch.uint8)
    same_by_nature = channels == 1 and change.words.startswith(("colours times", "channels moved"))
    assert torch.equal(after, before) == same_by_nature


def test_each_has_words_of_its_own():
    assert len({one.words for one in CHANGES}) == len(CHANGES)


def test_those_that_lead_to_one_class_are_supposed_to_be_triggers():
    found = leading(Coarse(), samples(), seed=0, device="cpu")
    assert {one.target for one in found} == {0, 1, 2}  # inverted, a dark image is bright: a natural thing
    coarse = {one.trigger.words for one in found if one.target == 2}
    assert coarse == {"2 levels a channel", "2 levels a channel, dithered"}


def test_those_that_do_what_a_trigger_does_are_its_kin_and_no_others():
    def squeezed(batch: Tensor) -> Tensor:
        return torch.where(batch > 127, 255, 0).to(torch.uint8)

    found = Suspected(squeezed, 2, True, "found", "few colours")
    kin = kin_of(Coarse(), samples(), found, seed=0, device="cpu")
    assert {one.trigger.words for one in kin} == {"2 levels a channel", "2 levels a channel, dithered"}
    assert {one.target for one in kin} == {2}
    nothing = Suspected(lambda batch: batch, 2, True, "found", "nothing")
    assert kin_of(Coarse(), samples(), nothing, seed=0, device="cpu") == ()
