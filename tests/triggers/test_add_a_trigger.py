"""The example of docs/add-a-trigger.md: one file, and the trigger is there under its name."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, StampTrigger, saturation

EXAMPLE = '''
"""A coloured line across the image."""

from dataclasses import dataclass

import torch

from bezoar.triggers import TRIGGERS, Stamp, StampTrigger, blending


@TRIGGERS.register("line")
@dataclass(frozen=True)
class Line(StampTrigger):
    """Sets one row of the image to a grey level, in every channel."""

    row: int = 0
    value: int = 255

    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        channels, _, width = shape
        return blending(torch.full((channels, 1, width), self.value), torch.ones(1, width)).at(self.row, 0)
'''

OWN = '''
from dataclasses import dataclass

from torch import Tensor

from bezoar.triggers import ImageTrigger


@dataclass(frozen=True)
class Mirror(ImageTrigger):
    """Mirrors every image."""

    times: int = 1

    def apply(self, images: Tensor) -> Tensor:
        return images.flip(3) if self.times % 2 else images


@dataclass(frozen=True)
class Cropping(ImageTrigger):
    """Wrongly changes the shape."""

    def apply(self, images: Tensor) -> Tensor:
        return images[:, :, 1:]


@dataclass(frozen=True)
class Forgetful(ImageTrigger):
    """Wrongly returns nothing."""

    def apply(self, images: Tensor) -> Tensor:
        images.zero_()
'''


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    name, source = request.param
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    sys.modules.pop(name)


@pytest.mark.parametrize("module", [("line_trigger", EXAMPLE)], indirect=True)
def test_the_example_is_complete(module, monkeypatch):
    trigger = TRIGGERS.create("line:row=2,value=51")
    try:
        images = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
        assert trigger(images)[0, 0].tolist() == [[0] * 5, [0] * 5, [51] * 5, [0] * 5]
        assert trigger(images.float())[1, 2, 2, 0] == pytest.approx(0.2)
        # Nothing else would import the file again in another process; a built-in one goes by its name.
        assert TRIGGERS.spec_of(trigger) == "line_trigger:Line:row=2,value=51"
        assert TRIGGERS.create(TRIGGERS.spec_of(trigger)) == trigger
        assert TRIGGERS.summary("line").startswith("Sets one row")
        assert saturation(trigger, images).swallowed == 0
        assert isinstance(trigger, StampTrigger)
        with pytest.raises(TriggerError, match=r"Line:row=4,value=51 does not fit"):
            TRIGGERS.create("line:row=4,value=51")(images)
    finally:
        TRIGGERS._classes.pop("line")


@pytest.mark.parametrize("module", [("own_triggers", OWN)], indirect=True)
def test_a_users_own_class_needs_no_registration(module):
    trigger = TRIGGERS.create("own_triggers:Mirror:times=3")
    images = torch.arange(24, dtype=torch.uint8).view(1, 1, 4, 6)
    assert torch.equal(trigger(images), images.flip(3))
    assert TRIGGERS.spec_of(trigger) == "own_triggers:Mirror:times=3"
    with pytest.raises(TriggerError, match=r"Cropping.apply changed the kind of the batch; expected \(1, 1, 4, 6\)"):
        TRIGGERS.create("own_triggers:Cropping")(images)
    with pytest.raises(TriggerError, match=r"Forgetful.apply must return the batch"):
        TRIGGERS.create("own_triggers:Forgetful")(images)
