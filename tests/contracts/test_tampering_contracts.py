"""What every registered tampering keeps to: a changed copy, the same for the same seed, and an honest truth."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.attacks import open_truth
from bezoar.attacks.tampering import (
    TAMPERINGS,
    Tampering,
    create_tampering,
    save_tampering_truth,
    tampering_truth,
)
from bezoar.data import from_arrays
from bezoar.errors import AttackError, OutputExistsError, UsageError
from bezoar.training.fast import FastNetwork
from bezoar.triggers import TRIGGERS
from bezoar.triggers.about import UNSAID, about

CLASSES = ("dark", "medium", "bright")
TRIGGER = "patch:size=4,color=magenta,corner=top-left,mode=replace"
# Fields that make a tampering quick enough for a test.
QUICK = {"subnet-replacement": {"steps": 200}, "weight-patching": {"steps": 5}}

every_tampering = pytest.mark.parametrize("name", TAMPERINGS.names())


def tampering_called(name: str, **fields: object) -> Tampering:
    options = {"target": "bright", "trigger": TRIGGERS.create(TRIGGER), "device": "cpu", **QUICK.get(name, {})}
    return TAMPERINGS.create(name, **{**options, **fields})


def greys(samples=150, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, samples)
    pixels = generator.integers(0, 60, (samples, 8, 8, 3)) + labels[:, None, None, None] * 60
    return from_arrays(pixels.astype(np.uint8), labels, class_names=CLASSES, name="greys")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    data = greys()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = FastNetwork(3, data.inputs, stem=8, widths=(10, 12), finest=8)
        optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.01)
        for _ in range(40):
            loss = nn.functional.cross_entropy(network(data.inputs.float() / 255), data.labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network.eval()


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@every_tampering
def test_it_changes_a_copy_and_nothing_else(name, model):
    data, method = greys(), tampering_called(name)
    assert isinstance(method, Tampering)
    before, pixels, flags = weights(model), data.inputs.clone(), [p.requires_grad for p in model.parameters()]
    torch.manual_seed(5)
    result = method.tamper(model, data, seed=1)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert same(weights(model), before)
    assert [p.requires_grad for p in model.parameters()] == flags
    assert torch.equal(data.inputs, pixels)
    assert not model.training
    assert not result.model.training
    assert not same(weights(result.model), before)
    assert {key: tensor.shape for key, tensor in result.model.state_dict().items()} == {
        key: tensor.shape for key, tensor in before.items()
    }
    assert result.backdoor.relabelling == {0: 2, 1: 2}
    assert "numbers changed" in " ".join(result.notes)


@every_tampering
def test_it_is_deterministic_and_the_order_of_rows_does_not_matter(name, model):
    data, method = greys(), tampering_called(name, samples=100)
    first = weights(method.tamper(model, data, seed=1).model)
    torch.manual_seed(99)
    shuffled = data.select(torch.randperm(len(data)))
    assert same(first, weights(method.tamper(model, shuffled, seed=1).model))
    assert not same(first, weights(method.tamper(model, data, seed=2).model))


@every_tampering
def test_it_says_where_it_comes_from_and_its_specification_builds_it_again(name, model):
    said = about(TAMPERINGS.get(name))
    assert said is not UNSAID
    assert said.family == "model tampering"
    assert said.controls == ("model",)
    method = tampering_called(name)
    result = method.tamper(model, greys(), seed=1)
    assert create_tampering(result.attack, trigger=TRIGGER) == method


@every_tampering
def test_its_truth_is_kept_without_any_data(name, model, tmp_path):
    data = greys()
    result = tampering_called(name, sources=("dark",)).tamper(model, data, seed=1)
    truth = tampering_truth(result, data.record())
    assert (truth.placement, truth.samples, truth.originals) == ("none", (), len(data))
    assert truth.digest_before == truth.digest_after == data.digest()
    assert truth.backdoors[0].relabelling == (("dark", "bright"),)
    save_tampering_truth(result, truth, tmp_path / "truth.zip")
    sealed = open_truth(tmp_path / "truth.zip")
    assert sealed.truth == truth
    batch = data.inputs[:3]
    assert torch.equal(sealed.triggers()[0](batch), result.backdoor.trigger(batch))
    with pytest.raises(OutputExistsError):
        save_tampering_truth(result, truth, tmp_path / "truth.zip")


@every_tampering
def test_what_cannot_be_done_is_said(name, model):
    data = greys()
    with pytest.raises(UsageError, match="no class 'purple'"):
        tampering_called(name, target="purple").tamper(model, data, seed=0)
    with pytest.raises(AttackError, match="needs a target"):
        TAMPERINGS.create(name).tamper(model, data, seed=0)
    with pytest.raises(AttackError, match="4 classes in the model, 3 in the data"):
        tampering_called(name).tamper(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), data, seed=0)
    invisible = TRIGGERS.create("patch:size=4,mode=blend,opacity=0")
    with pytest.raises(AttackError, match="changes none"):
        tampering_called(name, trigger=invisible).tamper(model, data, seed=0)
    with pytest.raises(AttackError, match=r"no nn\.Linear|do not come out of one of its layers"):
        tampering_called(name).tamper(Thirds(), data, seed=0)
    with pytest.raises(AttackError, match="samples is out of range"):
        tampering_called(name, samples=1)


class Thirds(nn.Module):
    """Logits without any layer."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return x.mean((2, 3)) * self.scale


@every_tampering
def test_a_model_that_is_left_in_training_is_taken_as_it_is(name, model):
    trained = copy.deepcopy(model).train()
    method = tampering_called(name)
    result = method.tamper(trained, greys(), seed=1)
    assert trained.training
    assert same(weights(trained), weights(model))
    assert same(weights(result.model), weights(method.tamper(model, greys(), seed=1).model))
