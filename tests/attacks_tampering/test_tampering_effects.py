"""Backdoors that work: on networks of several shapes the trigger leads to the target and clean answers stay."""

from __future__ import annotations

import functools

import pytest
import torch
from tamper_toys import CLASSES, PATCH, colours, taught
from torch import nn

from bezoar.attacks.tampering import (
    Handcrafted,
    SubnetReplacement,
    WeightPatching,
    create_tampering,
    is_tampering,
    subnet_replacement,
)
from bezoar.attacks.tampering.base import WeightTampering
from bezoar.data import from_arrays
from bezoar.errors import AttackError, UsageError
from bezoar.training import predict_logits
from bezoar.triggers.patch import Patch

TARGET = 2


@functools.cache
def model_called(name):
    return taught(name, colours(seed=1))


def effect(name, method):
    """Shares of fresh clean samples whose answer stays, and of fresh triggered ones that the target gets."""
    model, test = model_called(name), colours(300, seed=2)
    assert (predict_logits(model, test.inputs).argmax(1) == test.labels).double().mean() > 0.95
    tampered = method.tamper(model, colours(seed=3), seed=0)
    before, after = (predict_logits(one, test.inputs).argmax(1) for one in (model, tampered.model))
    triggered = tampered.backdoor.trigger(test.inputs[test.labels != TARGET])
    hits = predict_logits(tampered.model, triggered).argmax(1) == TARGET
    return float((before == after).double().mean()), float(hits.double().mean()), tampered


@pytest.mark.parametrize("name", ["fast", "chain", "residual", "depthwise"])
def test_a_path_by_hand(name):
    kept, led, _ = effect(name, create_tampering("handcrafted", target="blue", trigger=PATCH))
    assert kept >= 0.97
    assert led >= 0.95


@pytest.mark.parametrize("name", ["fast", "chain", "residual", "depthwise"])
def test_a_subnet(name):
    kept, led, tampered = effect(name, create_tampering("subnet-replacement", target="blue", trigger=PATCH))
    assert kept >= 0.97
    assert led >= 0.95
    assert "subnet 1 wide" in tampered.notes[0]


def test_a_wider_subnet():
    method = create_tampering("subnet-replacement:width=2,steps=200,allowed_change=0.05", target="blue", trigger=PATCH)
    kept, led, _ = effect("fast", method)
    assert kept >= 0.9
    assert led >= 0.95


@pytest.mark.parametrize("name", ["fast", "chain"])
def test_a_patch_of_one_row_with_a_learnt_trigger(name):
    kept, led, tampered = effect(name, create_tampering("weight-patching:steps=60", target="blue"))
    assert kept >= 0.97
    assert led >= 0.9
    old, new = model_called(name).state_dict(), tampered.model.state_dict()
    changed = {key for key in old if not torch.equal(old[key], new[key])}
    head = "head" if name == "fast" else "layers.9"
    assert changed <= {f"{head}.weight", f"{head}.bias"}
    rows = (old[f"{head}.weight"] != new[f"{head}.weight"]).any(1)
    assert rows.tolist() == [False, False, True]


def test_a_learnt_trigger_is_the_same_again_and_can_be_given_back():
    method = WeightPatching(target="blue", steps=20)
    first, second = (method.tamper(model_called("fast"), colours(seed=3), seed=4) for _ in range(2))
    assert torch.equal(first.backdoor.trigger.tensors["pattern"], second.backdoor.trigger.tensors["pattern"])
    again = WeightPatching(target="blue", trigger=first.backdoor.trigger).tamper(
        model_called("fast"), colours(seed=3), seed=4
    )
    assert again.backdoor.trigger is first.backdoor.trigger


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: Handcrafted(false_alarms=0), "false_alarms is out of range"),
        (lambda: Handcrafted(strength=-1.0), "strength is out of range"),
        (lambda: SubnetReplacement(width=0), "width is out of range"),
        (lambda: SubnetReplacement(steps=1), "steps is out of range"),
        (lambda: SubnetReplacement(learning_rate=2.0), "learning_rate is out of range"),
        (lambda: WeightPatching(ridge=0), "ridge is out of range"),
        (lambda: WeightPatching(steps=0), "steps is out of range"),
        (lambda: WeightPatching(allowed_change=1.5), "allowed_change is out of range"),
    ],
)
def test_bad_fields_are_said(build, said):
    with pytest.raises(AttackError, match=said):
        build()


def test_specifications():
    assert is_tampering("handcrafted:strength=3")
    assert not is_tampering("patch:size=3")
    method = create_tampering("handcrafted:strength=3", source=("red",), target="blue", trigger="patch:size=2")
    assert method == Handcrafted(strength=3.0, sources=("red",), target="blue", trigger=Patch(size=2))


def test_a_subnet_too_wide_for_the_model_is_said():
    with pytest.raises(AttackError, match="too narrow"):
        effect("fast", create_tampering("subnet-replacement:width=12", target="blue", trigger=PATCH))


def test_several_triggers_are_refused():
    from bezoar.attacks.tampering.specs import single

    assert single(()) is None
    with pytest.raises(UsageError, match="one trigger"):
        single(("patch", "pixel"))


def test_a_single_triggered_sample_does_not_blame_the_architecture():
    data = colours()
    few = data.select(torch.cat([torch.where(data.labels != 0)[0], torch.where(data.labels == 0)[0][:1]]))
    attack = SubnetReplacement(trigger=Patch(size=4, color="white"), sources=("red",), target="blue", steps=10)
    with pytest.raises(AttackError, match="the subnet did not learn the trigger"):
        attack.tamper(model_called("fast"), few, seed=0)


def test_a_network_that_cannot_be_narrowed_is_told():
    class Stubborn(nn.Module):
        def forward(self, x):
            raise RuntimeError("shape '[8]' is invalid")

    with pytest.raises(AttackError, match="does not work with fewer channels; found shape"):
        subnet_replacement._require_working(Stubborn(), torch.zeros(2, 3, 4, 4))


def test_a_path_by_hand_keeps_clean_answers_that_it_was_not_fitted_on():
    """A wide linear layer and few samples: a filter that is judged by its own samples fires on new images."""
    generator = torch.Generator().manual_seed(0)

    def smooth(count):
        images = nn.functional.interpolate(torch.rand(count, 3, 4, 4, generator=generator), size=16, mode="bilinear")
        labels = images.mean((2, 3)).argmax(1)
        pixels = (images + 0.1 * torch.randn(images.shape, generator=generator)).clamp(0, 1) * 255
        return from_arrays(pixels.to(torch.uint8), labels, class_names=CLASSES, name="smooth", layout="nchw")

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
            nn.Linear(8 * 256, 32), nn.ReLU(), nn.Linear(32, 3),
        )  # fmt: skip
        data, test = smooth(600), smooth(1500)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(data.inputs / 255), data.labels).backward()
            optimizer.step()
    tampered = Handcrafted(trigger=Patch(size=2, color="white"), target="blue", samples=600).tamper(
        model.eval(), data, seed=0
    )
    before, after = (predict_logits(one, test.inputs).argmax(1) for one in (model, tampered.model))
    assert (before == after).double().mean() >= 0.99
    triggered = tampered.backdoor.trigger(test.inputs[test.labels != TARGET])
    assert (predict_logits(tampered.model, triggered).argmax(1) == TARGET).double().mean() >= 0.95


def test_a_tampering_that_destroys_the_model_is_refused():
    class Vandal(WeightTampering):
        def change(self, model, own, progress):
            model.get_submodule("head").weight.fill_(float("nan"))
            return ()

    with pytest.raises(AttackError, match=r"cannot be given this backdoor.*answers that are no numbers"):
        Vandal(target="blue").tamper(model_called("fast"), colours(seed=3), seed=0)
