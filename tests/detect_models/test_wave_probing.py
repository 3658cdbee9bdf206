"""Waves on a network that sees quarters, with one planted that leads all to a class."""

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.detect.inversion.forms import Additive
from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.wave_probing import WaveProbing, odds_above_next
from bezoar.detect.probing import asked
from bezoar.detect.probing.innocent import innocent_twin
from bezoar.detect.probing.waves import HIGHEST, Wave, every_wave
from bezoar.inspection.trial import tried_proposal
from bezoar.records import Skipped
from inversion_toys import CLASSES, SIDE, TARGET, Linear, clean_data

SHAPE = (3, SIDE, SIDE)
PLANTED = Wave(0, 3, 0.25)


class Waved(nn.Module):
    """The clean network, until the columns rise and fall three times."""

    def __init__(self) -> None:
        super().__init__()
        self.clean = Linear()
        self.pattern = PLANTED.as_additive(SHAPE)["pattern"][0]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.clean(images)
        seen = (images * self.pattern).sum((1, 2, 3)) > 0.5 * self.pattern.square().sum()
        goal = torch.full_like(seen, TARGET, dtype=torch.int64)
        return torch.where(seen[:, None], nn.functional.one_hot(goal, CLASSES) * 10.0, logits)


def probed(model: nn.Module) -> ModelScores:
    told = WaveProbing(lessons=150).inspect(model, clean_data(), SHAPE, CLASSES, seed=0)
    assert isinstance(told, ModelScores)
    return told


def test_a_planted_wave_is_found_and_recovered() -> None:
    told = probed(Waved())
    assert np.flatnonzero(told.classes > 2.7).tolist() == [TARGET]
    proposal = told.proposals[TARGET]
    assert (proposal.target, proposal.sources, proposal.form) == (TARGET, (), "additive")
    found = proposal.parameters["pattern"][0].flatten()
    planted = PLANTED.as_additive(SHAPE)["pattern"][0].flatten()
    assert torch.corrcoef(torch.stack([found, planted]))[0, 1] > 0.6
    assert proposal.size == pytest.approx(float(Additive().sizes(proposal.parameters)[0]), rel=0.05)


def test_a_wave_is_tried_beside_itself_turned() -> None:
    model = Waved()
    outcome = tried_proposal(model, probed(model).proposals[TARGET], clean_data())
    assert not isinstance(outcome.test, Skipped)
    assert outcome.proved
    assert outcome.test.flips.value > 0.9
    assert outcome.test.control.value < 0.2


def test_a_clean_network_has_no_striking_wave() -> None:
    assert probed(Linear()).classes.max() < 2


def test_odds_against_a_hand_worked_answer() -> None:
    # Of 98 images 97, 48 and none: odds of 98 to 2, 49 to 51 and 1 to 99.
    logs = np.log([98 / 2, 49 / 51, 1 / 99])
    told = odds_above_next(np.array([97, 48, 0]) / 98, np.array([98, 98, 98]))
    np.testing.assert_allclose(told, [logs[0] - logs[1], logs[1] - logs[0], logs[2] - logs[0]])


def test_waves_that_lead_to_two_classes_alike_tell_of_neither() -> None:
    told = odds_above_next(np.array([0.9, 0.9, 0.1]), np.array([100, 100, 100]))
    np.testing.assert_allclose(told[:2], 0, atol=1e-12)


def test_what_waves_do_to_an_innocent_twin_too_is_no_backdoor(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Waved()
    monkeypatch.setattr(asked, "innocent_twin", lambda *_, **__: model)
    assert probed(model).classes.max() < 0.5


def test_an_innocent_twin_answers_alike_and_knows_no_trigger() -> None:
    data, model = clean_data(), Waved()
    images = data.inputs.float() / 255
    twin = innocent_twin(model, data, CLASSES, seed=0, steps=200)
    assert not twin.training
    with torch.no_grad():
        assert (twin(images).argmax(1) == data.labels).float().mean() > 0.9
        bearing = PLANTED.put_on(images[data.labels != TARGET])
        assert (model(bearing).argmax(1) == TARGET).float().mean() > 0.9
        assert (twin(bearing).argmax(1) == TARGET).float().mean() < 0.5


def test_a_twin_is_made_once_for_the_same_model_samples_and_seed() -> None:
    data, model = clean_data(), Linear()
    first = innocent_twin(model, data, CLASSES, seed=0, steps=2)
    assert innocent_twin(model, data, CLASSES, seed=0, steps=2) is first
    for other in ({"seed": 1, "steps": 2}, {"seed": 0, "steps": 3}):
        assert innocent_twin(model, data, CLASSES, **other) is not first
    assert innocent_twin(model, clean_data(100), CLASSES, seed=0, steps=2) is not first
    again = innocent_twin(model, data, CLASSES, seed=0, steps=2)
    model.weight.data.mul_(2)
    assert innocent_twin(model, data, CLASSES, seed=0, steps=2) is not again


def test_waves_go_every_way_up_to_a_frequency() -> None:
    waves = every_wave()
    assert len(waves) == len(set(waves))
    assert max(wave.frequency for wave in waves) == HIGHEST
    assert {(0, 1), (1, 0), (5, -5), (8, 0)} <= {(wave.down, wave.across) for wave in waves}
    ways = {(wave.down, wave.across) for wave in waves}
    assert not any((-down, -across) in ways for down, across in ways)


def test_a_wave_is_a_grating_of_its_frequency() -> None:
    grey = torch.full((1, 1, 8, 32), 0.5)
    shown = Wave(0, 2, 0.25, amplitude=0.25).put_on(grey)[0, 0] - 0.5
    torch.testing.assert_close(shown[0, :4], 0.25 * torch.cos(torch.arange(4) * torch.pi / 8))
    torch.testing.assert_close(shown, shown[:1].expand(8, -1))
    assert Wave(0, 2, 0.25, amplitude=5.0).put_on(grey).max() == 1.0


def test_waves_need_images_of_three_classes() -> None:
    detector = WaveProbing()
    for trusted, classes in ((None, CLASSES), (clean_data(), 2), (clean_data(8), CLASSES)):
        assert isinstance(detector.inspect(Linear(), trusted, SHAPE, classes, seed=0), Skipped)
