"""Changes of colours: the form, what is found in a network that heeds them, and what an innocent twin shares."""

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.confirm.recover.inverted import kept, rebuilt, recovered, scaled_by
from bezoar.detect.inversion.forms import FORMS, Colours
from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.colour_inversion import ColourInversion
from bezoar.detect.probing import asked
from bezoar.inspection.trial import OPPOSITE, tried
from bezoar.records import Skipped
from inversion_toys import CLASSES, SIDE, TARGET, Linear, clean_data

SHAPE = (3, SIDE, SIDE)


class Tinted(nn.Module):
    """The clean network, which a red cast leads to the target."""

    def __init__(self) -> None:
        super().__init__()
        self.clean = Linear()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.clean(images)
        cast = images[:, 0].mean((1, 2)) - images[:, 1:].mean((1, 2, 3))
        led = 200.0 * torch.relu(cast - 0.04)[:, None] * nn.functional.one_hot(torch.tensor(TARGET), CLASSES)
        return logits + led


def found_in(model: nn.Module) -> ModelScores:
    told = ColourInversion(lessons=150).inspect(model, clean_data(), SHAPE, CLASSES, seed=0)
    assert isinstance(told, ModelScores)
    return told


def test_a_cast_is_found_tried_and_kept() -> None:
    model = Tinted()
    told = found_in(model)
    assert np.flatnonzero(told.classes > 3.5).tolist() == [TARGET]
    assert told.inverted is not None
    assert float(told.inverted.sizes[TARGET]) < 25
    outcome = tried(model, told.inverted, TARGET, clean_data())
    assert outcome.proved
    assert not isinstance(outcome.test, Skipped)
    assert outcome.trigger.kind == "colours"
    assert outcome.trigger.picture.shape == SHAPE
    form, parameters = kept(outcome.trigger) or ("", {})
    images = 255 * torch.rand(2, *SHAPE)
    torch.testing.assert_close(rebuilt(form, parameters, SHAPE)(images), outcome.trigger(images))


def test_a_network_that_heeds_no_colours_is_left_alone() -> None:
    assert found_in(Linear()).classes.max() < 3.5


def test_what_an_innocent_twin_does_too_is_no_backdoor(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Tinted()
    monkeypatch.setattr(asked, "innocent_twin", lambda *_, **__: model)
    assert found_in(model).classes.max() == pytest.approx(0.0)


def test_colours_change_as_their_numbers_say() -> None:
    form, images = Colours(), torch.rand(2, 3, 3, 8, 8)
    parameters = {"mixing": torch.zeros(2, 3, 3), "shift": torch.zeros(2, 3)}
    torch.testing.assert_close(form.put_on(parameters, images), images)
    parameters["shift"][0, 1] = 0.2
    parameters["mixing"][1] = -torch.eye(3)
    shown = form.put_on(parameters, images)
    torch.testing.assert_close(shown[0, :, 1], (images[0, :, 1] + 0.2).clamp(max=1))
    torch.testing.assert_close(shown[1], torch.full_like(shown[1], 0.5))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_size_is_what_changes_on_evenly_spread_colours(channels: int) -> None:
    form, generator = Colours(), torch.Generator().manual_seed(channels)
    parameters = form.start(1, (channels, 8, 8), generator)
    spread = torch.rand(1, 1, channels, 300, 300, generator=generator)
    wide = {name: torch.cat([one]) for name, one in parameters.items()}
    changed = torch.einsum("hdc,hbcij->hbdij", wide["mixing"], spread - 0.5) + wide["shift"][:, None, :, None, None]
    assert float(form.sizes(parameters)[0]) == pytest.approx(255 * float(changed.pow(2).mean().sqrt()), rel=0.02)
    assert float(form.sizes(form.scaled(parameters, torch.tensor([3.0])))[0]) == pytest.approx(
        3 * float(form.sizes(parameters)[0]), rel=1e-4
    )


def test_the_opposite_is_as_large_and_goes_the_other_way() -> None:
    told = found_in(Tinted())
    assert told.inverted is not None
    grey = torch.full((1, *SHAPE), 128.0)
    there = recovered(told.inverted, TARGET, SHAPE)(grey) - grey
    back = scaled_by(told.inverted, TARGET, -1.0, SHAPE)(grey) - grey
    torch.testing.assert_close(there, -back, atol=0.01, rtol=0)
    assert OPPOSITE.startswith("the opposite")
    assert FORMS["colours"].unit == "levels of 255"


def test_colours_are_those_of_images() -> None:
    assert isinstance(ColourInversion().inspect(Linear(), clean_data(), (7,), CLASSES, seed=0), Skipped)
