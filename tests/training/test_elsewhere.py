"""A model asked where it doesn't lie. What needs a GPU is skipped where there is none."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from bezoar.detect.inversion.penultimate import penultimate
from bezoar.detect.probing.innocent import innocent_twin
from bezoar.errors import UsageError
from bezoar.inspection import InspectionSettings, inspect_model
from bezoar.training import elsewhere, predict_logits
from bezoar.training.channels import device_of
from bezoar.training.elsewhere import computing_on, move_to, runs_on, usable_device
from bezoar.training.opening import OpenedModel
from inversion_toys import TARGET, clean_data, planted_patch

CPU = torch.device("cpu")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
SHAPE = (3, 8, 8)


class Unregistered(nn.Module):
    """Holds a tensor that no one else knows of, on the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(192, 4)
        self.mean = torch.zeros(192)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images.flatten(1) - self.mean)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(216, 4)).eval()


def natively(monkeypatch, able: bool) -> None:
    monkeypatch.setattr(elsewhere, "has_native_bfloat16", lambda _: able)


def test_a_model_where_it_lies_already_is_left_alone(monkeypatch):
    natively(monkeypatch, False)
    model = network()
    with computing_on(model, CPU):
        assert not model._forward_hooks
        assert not model._forward_pre_hooks
    assert runs_on(model, CPU, SHAPE)


class Seen(nn.Module):
    """Notes in which number format it is given what it passes on; fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.formats: list[torch.dtype] = []
        self.fails = False

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        if self.fails:
            raise ValueError("as told")
        self.formats.append(numbers.dtype)
        return numbers


def test_where_the_hardware_can_it_multiplies_in_bfloat16_and_answers_in_float32(monkeypatch):
    natively(monkeypatch, True)
    seen = Seen()
    model, images = nn.Sequential(network(), seen), torch.rand(5, *SHAPE, requires_grad=True)
    before = model(images)
    (wanted,) = torch.autograd.grad(before.square().sum(), images)
    with computing_on(model, CPU):
        answers = model(images)
        answers.square().sum().backward()
        with computing_on(model, CPU):  # as often as callers like
            torch.testing.assert_close(model(images), answers)
        # A copy that is made meanwhile computes as the model does.
        assert torch.equal(copy.deepcopy(model)(images), answers)
    assert seen.formats[:2] == [torch.float32, torch.bfloat16]
    assert answers.dtype is torch.float32
    torch.testing.assert_close(answers, before, atol=2e-2, rtol=2e-2)
    torch.testing.assert_close(images.grad, wanted, atol=5e-2, rtol=5e-2)
    assert all(one.grad.dtype is torch.float32 for one in model.parameters())
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert torch.equal(model(images), before)


def test_after_a_model_failed_the_number_format_is_what_it_was(monkeypatch):
    natively(monkeypatch, True)
    seen = Seen()
    model = nn.Sequential(network(), seen)
    seen.fails = True
    with computing_on(model, CPU), pytest.raises(ValueError, match="as told"):
        model(torch.rand(5, *SHAPE))
    assert not elsewhere._ENTERED
    assert not torch.is_autocast_enabled("cpu")
    assert (torch.rand(2, 2) @ torch.rand(2, 2)).dtype is torch.float32


def test_wider_numbers_are_left_as_they_are(monkeypatch):
    natively(monkeypatch, True)
    model = network().double()
    with computing_on(model, CPU):
        assert model(torch.rand(5, *SHAPE).double()).dtype is torch.float64


def test_a_model_without_parameters_stays_as_it_is():
    model = nn.Flatten()
    with computing_on(model, torch.device("meta")):
        assert not model._forward_hooks


def test_answers_are_the_same_through_the_hooks(monkeypatch):
    natively(monkeypatch, False)
    model, images = network(), torch.rand(5, *SHAPE)
    before = model(images)
    move_to(model, CPU)
    assert torch.equal(model(images), before)


@needs_gpu
def test_answers_and_gradients_come_back_to_the_samples():
    model, images = network(), torch.rand(5, *SHAPE, requires_grad=True)
    before = model(images)
    (wanted,) = torch.autograd.grad(before.square().sum(), images)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with computing_on(model, torch.device("cuda")):
        assert device_of(model).type == "cuda"
        answers = model(images)
        (gradient,) = torch.autograd.grad(answers.square().sum(), images)
        assert predict_logits(model, (images * 255).to(torch.uint8)).device == CPU
    assert answers.device == gradient.device == CPU
    torch.testing.assert_close(answers, before, atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(gradient, wanted, atol=5e-2, rtol=5e-2)
    assert device_of(model) == CPU
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


@needs_gpu
def test_features_are_told_and_put_in_their_place_there():
    model, images = network(), torch.rand(5, *SHAPE)
    with computing_on(model, torch.device("cuda")):
        split = penultimate(model, images[:1])
        features, logits = split.features(images)
        assert features.device == logits.device == CPU
        torch.testing.assert_close(split.answers(features, images[:1]), logits, atol=5e-3, rtol=5e-3)


def test_a_device_that_is_named_must_work(monkeypatch):
    monkeypatch.setattr(elsewhere, "choose_device", lambda wanted: torch.device("cuda" if wanted != "cpu" else "cpu"))
    monkeypatch.setattr(elsewhere, "runs_on", lambda *_: False)
    assert usable_device(planted_patch(), "auto", SHAPE) == CPU
    assert usable_device(planted_patch(), "cpu", SHAPE) == CPU
    with pytest.raises(UsageError, match="can't be asked on 'cuda'"):
        usable_device(planted_patch(), "cuda", SHAPE)


@needs_gpu
def test_a_model_that_cannot_be_moved_is_asked_where_it_is():
    assert not runs_on(Unregistered(), torch.device("cuda"), SHAPE)
    opened = OpenedModel("unregistered", Unregistered().eval(), "own")
    told = inspect_model(
        opened, None, InspectionSettings(("mm-bd:steps=2",)), class_names=("a", "b", "c", "d"), shape=SHAPE
    )
    assert told.record.detectors[0].skipped is None


@needs_gpu
@pytest.mark.parametrize(
    "detector", ["neural-cleanse:steps=150", "added-pattern:steps=60", "warp-inversion:steps=30", "feature-re:steps=30"]
)
def test_an_inspection_there_says_what_it_says_here(detector):
    told = {
        device: inspect_model(
            OpenedModel("planted", planted_patch(), "own"), clean_data(), InspectionSettings((detector,), device=device)
        ).record
        for device in ("cpu", "cuda")
    }
    here, there = ([one.statistic for one in told[device].statistics] for device in ("cpu", "cuda"))
    assert there == pytest.approx(here, rel=0.1, abs=0.2)
    assert [one.target for one in told["cpu"].findings] == [one.target for one in told["cuda"].findings]


@needs_gpu
def test_a_twin_is_taught_there():
    model, data = planted_patch(), clean_data()
    with computing_on(model, torch.device("cuda")):
        twin = innocent_twin(model, data, len(data.class_names), seed=0, steps=30)
        assert device_of(twin).type == "cuda"
        assert twin(torch.rand(2, *data.shape)).device == CPU
    assert len(data.class_names) > TARGET
