"""Gradient matching: its gradients against formulas written here, its crafting against what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.attacks import GradientMatching, create_attack
from bezoar.attacks.learning.gradients import (
    Crafting,
    Perturbations,
    gradient_norms,
    mean_gradient,
    similarity,
    training_gradient,
    varied,
)
from bezoar.data import from_arrays
from bezoar.errors import AttackError
from bezoar.training import ModelCard, save_model
from bezoar.triggers import TRIGGERS

CLASSES = ("airplane", "bird", "cat")
SIDE = 12
CPU = torch.device("cpu")


def small_network(classes):
    """A smooth user network, small enough for a test."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(8 * 16, classes)
    )


def seeded_network(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return small_network(3)


@pytest.fixture
def own_network(tmp_path, monkeypatch):
    (tmp_path / "matching_network.py").write_text(
        "from torch import nn\n"
        "def small(classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.AvgPool2d(3), nn.Flatten(),"
        " nn.Linear(128, classes))\n"
        "trained = small(3)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    return "matching_network:small"


def toy(per_class=30):
    """Classes of different colour, none of a channel brighter than 200."""
    generator = np.random.default_rng(4)
    labels = np.arange(3 * per_class) % 3
    pixels = generator.integers(20, 140, (len(labels), SIDE, SIDE, 3))
    pixels[np.arange(len(labels)), :, :, labels] += 60
    return from_arrays(pixels.astype(np.uint8), labels, class_names=CLASSES, name="toy")


def linear_model():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    nn.init.normal_(model[1].weight, generator=torch.Generator().manual_seed(1))
    nn.init.normal_(model[1].bias, generator=torch.Generator().manual_seed(2))
    return model


def residuals_and_inputs(model, pixels, label):
    """Of a linear softmax model: probability minus one-hot, and the inputs, each (n, ...), in NumPy."""
    x = pixels.numpy().reshape(len(pixels), -1) / 255
    scores = x @ model[1].weight.detach().numpy().T + model[1].bias.detach().numpy()
    residuals = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    residuals[:, label] -= 1
    return residuals, x


def some_pixels(count=7):
    return torch.from_numpy(np.random.default_rng(3).integers(0, 256, (count, 3, 2, 2), dtype=np.uint8))


def test_the_mean_gradient_of_a_linear_model_is_the_formula():
    model, pixels = linear_model(), some_pixels()
    residuals, x = residuals_and_inputs(model, pixels, 2)
    weight, bias = mean_gradient(model, pixels, 2, batch=3)
    assert np.allclose(weight.numpy(), residuals.T @ x / 7, atol=1e-6)
    assert np.allclose(bias.numpy(), residuals.mean(0), atol=1e-6)


def test_the_norms_of_a_linear_model_are_the_formula():
    model, pixels = linear_model(), some_pixels()
    residuals, x = residuals_and_inputs(model, pixels, 0)
    heard = []
    norms = gradient_norms(model, pixels, 0, heard=lambda done, total: heard.append((done, total)))
    expected = np.linalg.norm(residuals, axis=1) * np.sqrt((x**2).sum(1) + 1)
    assert np.allclose(norms.numpy(), expected, rtol=1e-5)
    assert heard[-1] == (7, 7)


def test_similarity_by_hand():
    one = (torch.tensor([3.0, 0.0]), torch.tensor([[4.0]]))
    other = (torch.tensor([0.0, 2.0]), torch.tensor([[2.0]]))
    assert math.isclose(float(similarity(one, other)), 8 / (5 * math.sqrt(8)), rel_tol=1e-6)
    assert math.isclose(float(similarity(one, one)), 1, rel_tol=1e-6)
    assert math.isclose(float(similarity(one, tuple(-part for part in one))), -1, rel_tol=1e-6)
    assert float(similarity((torch.zeros(2),), (torch.ones(2),))) == 0


def test_the_gradient_of_the_gradient_agrees_with_finite_differences():
    model = seeded_network().double()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, SIDE, SIDE, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([1, 1, 1])
    wanted = training_gradient(model, torch.rand(3, 3, SIDE, SIDE, generator=generator, dtype=torch.float64), labels)

    def loss(pixels, differentiable=False):
        return 1 - similarity(training_gradient(model, pixels, labels, differentiable=differentiable), wanted)

    (analytic,) = torch.autograd.grad(loss(images, differentiable=True), images)
    for place in [(0, 0, 0, 0), (1, 2, 5, 7), (2, 1, 11, 3)]:
        step = torch.zeros_like(images)
        step[place] = 1e-5
        numeric = float(loss(images.detach() + step) - loss(images.detach() - step)) / 2e-5
        assert math.isclose(float(analytic[place]), numeric, rel_tol=1e-4, abs_tol=1e-9)


def test_variations_by_hand():
    images = torch.rand(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    middle, unmirrored = [0.5, 0.5, 0.9], [1.0, 0.5, 0.9]
    assert torch.equal(varied(images, torch.rand(2, 3), shift=0, flips=False), images)
    still = varied(images, torch.tensor([middle, middle]), shift=3, flips=True)
    assert torch.allclose(still, images, atol=1e-6)
    mirrored = varied(images, torch.tensor([[0.5, 0.5, 0.1], middle]), shift=3, flips=True)
    assert torch.allclose(mirrored[0], images[0].flip(2), atol=1e-6)
    # A draw of 1 fetches each row from 2 rows further down.
    moved = varied(images, torch.tensor([unmirrored, unmirrored]), shift=2, flips=False)
    assert torch.allclose(moved[:, :, :4], images[:, :, 2:], atol=1e-6)


def trained_network(data):
    model = seeded_network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.inputs / 255), data.labels).backward()
        optimizer.step()
    return model


def crafted(steps, levels=16):
    data = toy()
    model = trained_network(data)
    originals = data.inputs[data.labels == 1][:20]
    triggered = TRIGGERS.create("patch:size=4,color=magenta")(data.inputs[data.labels == 0])
    wanted = mean_gradient(model, triggered, 1, batch=64)
    crafting = Crafting(levels, steps, 0.1, 8, shift=0, flips=False)
    poisons = Perturbations(originals, 1, crafting, seed=0, device=CPU)
    before = poisons.images()
    for _ in range(steps):
        poisons.step(model, wanted)
    cosines = [
        float(similarity(mean_gradient(model, images, 1, batch=64), wanted)) for images in (before, poisons.images())
    ]
    return originals, poisons.images(), *cosines


def test_crafting_aligns_the_gradients_and_more_room_aligns_them_better():
    _, _, before, after = crafted(60)
    assert after > before + 0.2
    _, _, _, narrow = crafted(60, levels=4)
    assert before < narrow < after


@pytest.mark.parametrize("levels", [1, 16])
def test_rounded_poisons_stay_within_the_bound_and_use_it(levels):
    originals, images, _, _ = crafted(10, levels=levels)
    change = images.int() - originals.int()
    assert images.dtype == torch.uint8
    assert int(change.abs().max()) == levels


def test_nothing_leaves_the_range_of_pixels():
    extreme = torch.zeros(4, 3, SIDE, SIDE, dtype=torch.uint8)
    extreme[2:] = 255
    poisons = Perturbations(extreme, 0, Crafting(16, 3, 0.5, 4, 1, flips=True), seed=0, device=CPU)
    wanted = mean_gradient(seeded_network(), toy().inputs, 1, batch=64)
    for _ in range(3):
        poisons.step(seeded_network(), wanted)
    images = poisons.images()
    assert int(images[:2].max()) <= 16
    assert int(images[2:].min()) >= 239


def matching(**fields):
    wanted = {"target": "bird", "sources": ("airplane",), "count": 6, "surrogate_epochs": 2, "steps": 6, "retrain": 1}
    return GradientMatching(**{**wanted, "trigger": TRIGGERS.create("patch:size=4,color=magenta"), **fields})


def test_labels_stay_poisons_stay_close_and_no_image_shows_the_trigger(own_network):
    data = toy()
    result = matching(surrogate=own_network).poison(data, seed=1)
    assert len(result.truth.samples) == 6
    for one in result.truth.samples:
        assert one.original_label == one.label == "bird"
        new, old = (
            where.inputs[where.positions([key])] for where, key in ((result.data, one.id), (data, one.original_id))
        )
        assert 0 < int((new.int() - old.int()).abs().max()) <= 16
    magenta = torch.tensor([255, 0, 255])[:, None, None]
    distance = (result.data.inputs[:, :, :4, :4].int() - magenta).abs().flatten(1).amax(1)
    assert int(distance.min()) > 32
    assert torch.equal(result.backdoors[0].trigger(data.inputs[:1])[0, :, 0, 0], torch.tensor([255, 0, 255]).byte())


def test_the_steepest_samples_are_chosen(own_network):
    data, norms = toy(), {}
    attack = matching(surrogate=own_network, retrain=0)

    def listen(ids, model):
        rows = data.positions(ids)
        for sample_id, row in zip(ids, rows.tolist(), strict=True):
            gradient = training_gradient(model, data.inputs[row : row + 1] / 255, torch.tensor([1]))
            norms[sample_id] = math.sqrt(sum(float(part.square().sum()) for part in gradient))

    ordered = data.select(data.positions(sorted(data.ids)))
    model = attack._trained(ordered, 0, seed=1, progress=lambda *said: None)
    listen([sample_id for sample_id, label in zip(data.ids, data.labels.tolist(), strict=True) if label == 1], model)
    steepest = set(sorted(norms, key=norms.__getitem__)[-6:])
    assert {one.original_id for one in attack.poison(data, seed=1).truth.samples} == steepest
    drawn = matching(surrogate=own_network, retrain=0, selection="random").poison(data, seed=1)
    assert {one.original_id for one in drawn.truth.samples} != steepest


@pytest.mark.parametrize("retrain", [0, 2])
def test_the_surrogate_is_retrained_as_often_as_asked(own_network, retrain):
    said = []
    matching(surrogate=own_network, retrain=retrain).poison(toy(), seed=1, progress=lambda *what: said.append(what))
    trainings = [what for what, done, total in said if what == "train a surrogate" and done == total]
    crafting = [(done, total) for what, done, total in said if what == "craft the poisons"]
    assert len(trainings) == retrain + 1
    assert crafting == [(step, 6) for step in range(1, 7)]


def test_a_surrogate_brought_along_is_left_as_it_is(own_network):
    from matching_network import trained  # written by the fixture

    before = [parameter.clone() for parameter in trained.parameters()]
    matching(surrogate="matching_network:trained", retrain=0).poison(toy(), seed=1)
    assert all(torch.equal(one, other) for one, other in zip(before, trained.parameters(), strict=True))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in trained.parameters())
    with pytest.raises(AttackError, match=r"cannot be retrained.*retrain=0"):
        matching(surrogate="matching_network:trained").poison(toy(), seed=1)


def test_a_run_folder_is_the_first_surrogate_and_its_architecture_the_next(own_network, tmp_path):
    card = ModelCard(own_network, CLASSES, (3, SIDE, SIDE))
    save_model(seeded_network(), card, tmp_path / "model.safetensors")
    said = []
    matching(surrogate=str(tmp_path), retrain=1).poison(toy(), seed=1, progress=lambda *what: said.append(what))
    assert sum(what == "train a surrogate" and done == total for what, done, total in said) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eps": 16}, r"eps is out of range.*16/255"),
        ({"eps": 0.001}, "eps is out of range"),
        ({"eps": float("nan")}, "eps is out of range"),
        ({"steps": 0}, "steps is out of range"),
        ({"retrain": -1}, "retrain is out of range"),
        ({"batch": 0}, "batch is out of range"),
        ({"surrogate_epochs": 0}, "surrogate_epochs is out of range"),
        ({"shift": -1}, "shift is out of range"),
        ({"step_size": 0.0}, "step_size is out of range"),
        ({"selection": "best"}, "no selection is called 'best'"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(AttackError, match=message):
        matching(**fields)


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(AttackError, match="no trainable parameters"):
        mean_gradient(seeded_network().requires_grad_(False), toy().inputs, 1, batch=8)


def test_its_trigger_has_a_default():
    attack = create_attack("gradient-matching:steps=5", target="bird", rate=0.1)
    assert TRIGGERS.spec_of(attack.trigger).startswith("patch:size=8")
    assert attack.eps == 16 / 255


def test_the_alpha_of_images_is_left_alone():
    pixels = torch.randint(256, (5, 4, SIDE, SIDE), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * SIDE * SIDE, 3))
    poisons = Perturbations(pixels, 1, Crafting(16, 4, 0.4, 128, 0, False), seed=0, device=CPU)
    for _ in range(4):
        poisons.step(model, mean_gradient(model, pixels, 2, batch=5))
    assert torch.equal(poisons.images()[:, 3], pixels[:, 3])
    assert not torch.equal(poisons.images(), pixels)
