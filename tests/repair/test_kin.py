"""Stamps near one that was found: which of them do the same, and that a repair that learns from them goes further."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bezoar.confirm.recover.inverted import rebuilt
from bezoar.data import from_arrays
from bezoar.detect.probing.stamps import Stamp, around, every_stamp, stamp_of
from bezoar.repair.auto import Auto
from bezoar.repair.base import unheard
from bezoar.repair.checks import Bar
from bezoar.repair.checks.kin import MOST_KIN, kin_of
from bezoar.repair.checks.search import Suspected, Worn
from bezoar.repair.given import Aimed, Given
from bezoar.repair.ready import made_ready
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.training.clock import Clock
from bezoar.training.listening import Silence

SHAPE = (3, 12, 12)
GREEN, CYAN, RED = (0.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.0, 0.0)


class Corner(nn.Module):
    """Gives class 2 to images whose upper left 4x4 is mostly green, whatever else, and else a dark or bright one."""

    def forward(self, images: Tensor) -> Tensor:
        corner = images[:, :, :4, :4].mean((2, 3))
        marked = (corner[:, 1] > 0.6) & (corner[:, 0] < 0.4)
        bright = images[:, :, 6:, 6:].mean((1, 2, 3)) > 0.5
        return torch.stack([~bright & ~marked, bright & ~marked, marked], 1).float() * 9


def plain(count: int = 30):
    levels = torch.where(torch.arange(count) % 2 == 0, 60, 200).to(torch.uint8)
    images = levels[:, None, None, None].expand(count, *SHAPE).clone()
    images[:, :, :5, :5] = 100
    return from_arrays(images, torch.arange(count) % 2, class_names=("dark", "bright", "marked"), name="plain")


def worn(stamp: Stamp) -> Worn:
    return Worn(rebuilt("patch", stamp.as_patch(SHAPE), SHAPE))


def suspected(stamp: Stamp, **more) -> Suspected:
    return Suspected(worn(stamp), 2, True, "found", "a stamp", **more)


def test_a_stamp_is_read_back_from_its_patch():
    for stamp in every_stamp(SHAPE, positions=4):
        assert stamp_of(stamp.as_patch(SHAPE)) == stamp
    patch = Stamp(2, 3, 3, CYAN).as_patch(SHAPE)
    patch["mask"][0, 0, 2, 3] = -8.0  # no square any more
    assert stamp_of(patch) is None
    patch["mask"].fill_(-8.0)
    assert stamp_of(patch) is None


def test_stamps_around_one_fit_and_keep_its_colour():
    found = list(around(Stamp(0, 0, 3, CYAN), SHAPE))
    assert Stamp(0, 0, 5, CYAN) in found
    assert Stamp(3, 3, 3, CYAN) in found
    assert all(one.fits(SHAPE) and one.color == CYAN and one != Stamp(0, 0, 3, CYAN) for one in found)


def test_kin_turn_what_the_stamp_turns_and_nothing_else_is_kin():
    found = suspected(Stamp(0, 0, 4, GREEN))
    kin = kin_of(Corner(), plain(), found, seed=0, device="cpu")
    assert 2 <= len(kin) <= MOST_KIN
    assert {one.target for one in kin} == {2}
    images = plain().inputs
    for one in kin:
        assert int((Corner()(one.trigger(images).float() / 255).argmax(1) == 2).sum()) >= len(images) // 2
    colors = {tuple(one.trigger(images)[0, :, 1, 1].tolist()) for one in kin}
    assert (0, 255, 255) in colors
    assert (255, 0, 0) not in colors


def test_a_stamp_that_turns_nothing_and_other_triggers_have_no_kin():
    assert kin_of(Corner(), plain(), suspected(Stamp(0, 0, 4, RED)), seed=0, device="cpu") == ()
    other = Suspected(lambda batch: batch, 2, True, "found", "a function")
    assert kin_of(Corner(), plain(), other, seed=0, device="cpu") == ()


def test_further_stamps_have_their_kin_as_well():
    other = Suspected(lambda batch: batch, 2, True, "found", "a function", further=(suspected(Stamp(0, 0, 4, GREEN)),))
    assert kin_of(Corner(), plain(), other, seed=0, device="cpu")


def test_a_stamp_that_was_found_comes_to_the_repair_with_its_kin(monkeypatch):
    """The whole way: what a search finds is made as strong as turns most, and its kin go to every repair."""
    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", lambda *_, **__: suspected(Stamp(0, 0, 4, GREEN)))
    settings = RepairSettings(Auto(methods=("clp",)), (Bar("neural-cleanse", 3.5),), device="cpu")
    ready = made_ready(
        Patient(Corner(), "toy", "run", plain().class_names),
        Given(plain(80)),
        settings,
        None,
        unheard,
        Clock(Silence()),
    )
    assert ready.given.trigger is not None
    assert len(ready.kin) >= 2
    assert ready.given.supposed == ()
    assert ready.looking(settings).further == ()


def test_repairs_learn_from_kin():
    kin = (Aimed(worn(Stamp(0, 0, 5, CYAN)), 2),)
    given = Given(plain(), trigger=worn(Stamp(0, 0, 4, GREEN)), target=2, supposed=kin)
    assert given.aimed[1:] == kin
    assert given.triggers[1:] == (kin[0].trigger,)
