"""Narcissus: the noise against its known answer, the poisons pixel by pixel."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from torch import nn

import bezoar.attacks.clean.narcissus as narcissus_module
from bezoar.attacks import Narcissus
from bezoar.attacks.clean.narcissus import inward_noise
from bezoar.data import from_arrays, write_data
from bezoar.errors import AttackError
from bezoar.training import ModelCard, build_model, default_recipe, save_model

CLASSES = ("airplane", "bird", "cat")
SMALL = "fast:stem=4,widths=4"


def quiet(what, done, total):
    pass


def toy(per_class=30, *, classes=CLASSES, side=8, channels=3, seed=4):
    generator = np.random.default_rng(seed)
    labels = np.arange(len(classes) * per_class) % len(classes)
    pixels = generator.integers(0, 256, (len(labels), side, side, channels), dtype=np.uint8)
    return from_arrays(pixels, labels, class_names=classes, name="toy")


def narcissus(**fields):
    wanted = {"target": "bird", "count": 6, "surrogate": SMALL, "surrogate_epochs": 1, "warm_up_epochs": 1}
    return Narcissus(**{**wanted, "steps": 20, "batch": 16, **fields})


@pytest.mark.parametrize("levels", [1, 16])
def test_on_a_linear_model_the_noise_is_the_sign_of_the_difference_of_weights(levels):
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    nn.init.normal_(model[1].weight, generator=torch.Generator().manual_seed(1))
    grey = torch.full((10, 3, 4, 4), 128, dtype=torch.uint8)
    noise = inward_noise(model, grey, 1, levels=levels, steps=150, learning_rate=0.01, batch=4, seed=0, progress=quiet)
    difference = (model[1].weight[1] - model[1].weight[0]).detach().view(3, 4, 4)
    assert torch.equal(noise, levels * difference.sign())


def test_the_noise_leaves_an_alpha_channel_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    nn.init.normal_(model[1].weight, generator=torch.Generator().manual_seed(1))
    grey = torch.full((10, 4, 4, 4), 128, dtype=torch.uint8)
    noise = inward_noise(model, grey, 1, levels=8, steps=60, learning_rate=0.01, batch=4, seed=0, progress=quiet)
    assert noise.shape == (4, 4, 4)
    assert int(noise[:3].abs().max()) == 8
    assert not noise[3].any()


def test_poisons_hold_the_noise_once_and_the_trigger_three_times():
    data = toy()
    result = narcissus(surrogate_epochs=2).poison(data, seed=1)
    trigger = result.backdoors[0].trigger
    pattern = trigger.tensors["pattern"].int()
    assert 0 < int(pattern.abs().max()) <= 16
    assert result.backdoors[0].relabelling == {0: 1, 2: 1}
    assert len(result.truth.samples) == 6
    for one in result.truth.samples:
        assert one.original_label == one.label == "bird"
        old = data.inputs[data.positions([one.original_id])].int()
        new = result.data.inputs[result.data.positions([one.id])].int()
        assert torch.equal(new, (old + pattern).clamp(0, 255))
    images = data.inputs[:5]
    assert torch.equal(trigger(images).int(), (images.int() + 3 * pattern).clamp(0, 255))


def test_only_the_drawn_samples_differ():
    data = toy()
    result = narcissus().poison(data, seed=1)
    assert len(result.data) == len(data)
    assert len(set(data.ids) & set(result.data.ids)) == len(data) - 6


def test_public_data_train_the_surrogate(tmp_path):
    write_data(toy(classes=("oak", "elm"), seed=9), tmp_path / "trees.npz")
    said = []
    result = narcissus(public=str(tmp_path / "trees.npz")).poison(
        toy(), seed=1, progress=lambda what, done, total: said.append((what, total))
    )
    assert ("train a surrogate", 60) in said
    from_all = narcissus().poison(toy(), seed=1)
    patterns = [one.backdoors[0].trigger.tensors["pattern"] for one in (result, from_all)]
    assert not torch.equal(*patterns)
    assert result.truth.attack.startswith("narcissus:")


def test_public_data_of_another_kind_are_refused(tmp_path):
    write_data(toy(classes=("oak", "elm"), channels=1), tmp_path / "grey.npz")
    with pytest.raises(AttackError, match="of another shape"):
        narcissus(public=str(tmp_path / "grey.npz")).poison(toy(), seed=1)


def test_public_data_are_brought_to_size(tmp_path):
    write_data(toy(classes=("oak", "elm"), side=13), tmp_path / "large.npz")
    assert narcissus(public=str(tmp_path / "large.npz")).poison(toy(), seed=1).backdoors


def test_a_surrogate_brought_along_is_left_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "narcissus_network.py").write_text(
        "from torch import nn\ntrained = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from narcissus_network import trained  # written above

    before = [parameter.clone() for parameter in trained.parameters()]
    result = narcissus(surrogate="narcissus_network:trained").poison(toy(), seed=1)
    assert result.backdoors[0].trigger.tensors["pattern"].any()
    assert all(torch.equal(one, other) for one, other in zip(before, trained.parameters(), strict=True))
    with pytest.raises(AttackError, match="public data are for training"):
        narcissus(surrogate="narcissus_network:trained", public="trees.npz")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eps": 16}, "eps is out of range"),
        ({"steps": 0}, "steps is out of range"),
        ({"warm_up_epochs": -1}, "warm_up_epochs is out of range"),
        ({"batch": 0}, "batch is out of range"),
        ({"learning_rate": 0.0}, "learning_rate is out of range"),
        ({"amplify": 0.0}, "amplify is out of range"),
        ({"amplify": float("nan")}, "amplify is out of range"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(AttackError, match=message):
        narcissus(**fields)


def test_more_poisons_than_the_class_holds_are_refused():
    with pytest.raises(AttackError, match="fewer samples than poisons"):
        narcissus(count=31).poison(toy(), seed=1)


def warm_up_recipes(monkeypatch):
    """The recipes of all trainings of the attack from here on."""
    recipes, train = [], narcissus_module.train

    def listening(*arguments, **options):
        recipes.append(options["recipe"])
        return train(*arguments, **options)

    monkeypatch.setattr(narcissus_module, "train", listening)
    return recipes


def test_a_run_is_warmed_up_as_its_architecture_would_be(tmp_path, monkeypatch):
    recipes, data = warm_up_recipes(monkeypatch), toy()
    model = build_model(SMALL, classes=3, sample=data.inputs, seed=3)
    save_model(model, ModelCard(SMALL, CLASSES, (3, 8, 8)), tmp_path / "model.safetensors")
    narcissus().poison(data, seed=1)
    narcissus(surrogate=str(tmp_path)).poison(data, seed=1)
    assert recipes[0] == recipes[1]
    assert recipes[0].learning_rate == pytest.approx(0.1 * default_recipe(SMALL).learning_rate)


def test_a_frozen_module_of_ones_own_is_warmed_up_as_a_copy(tmp_path, monkeypatch):
    (tmp_path / "frozen_surrogate.py").write_text(
        "import torch\n"
        "frozen = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 3)).requires_grad_(False)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    narcissus(surrogate="frozen_surrogate:frozen").poison(toy(), seed=1)
    frozen = importlib.import_module("frozen_surrogate").frozen
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_public_data_that_hold_the_target_are_refused(tmp_path):
    write_data(toy(classes=("bird", "dog"), seed=5), tmp_path / "public.npz")
    with pytest.raises(AttackError, match=r"hold the target class too.*other classes than 'bird'"):
        narcissus(public=str(tmp_path / "public.npz")).poison(toy(), seed=1)
