"""Perturbations within their norms, adversarial training of the surrogate, and label-consistent poisons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bezoar.attacks import LabelConsistent, create_attack
from bezoar.attacks.fields import derived_seed
from bezoar.attacks.learning.hardened import Hardened
from bezoar.attacks.learning.perturbation import ascent, harder, project, random_change, to_levels
from bezoar.attacks.learning.surrogate import surrogate_model
from bezoar.data import from_arrays
from bezoar.errors import AttackError
from bezoar.training import build_model
from bezoar.triggers import Corners, Patch

SURROGATE = "fast:stem=8,widths=8/12"


def images(n=6, side=8, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8))


def pictures(n=120, side=10):
    """Two classes, dark and bright on the left."""
    generator = np.random.default_rng(1)
    labels = np.arange(n) % 2
    pixels = generator.integers(60, 140, (n, side, side, 3), dtype=np.uint8)
    pixels[:, :, : side // 2] += (60 * labels)[:, None, None, None].astype(np.uint8)
    return from_arrays(pixels, labels, class_names=("dark", "bright"), name="toy")


def network(data, seed=0):
    return build_model(SURROGATE, classes=2, sample=data.inputs, seed=seed).eval()


def quietly(what, done, total):
    pass


def lengths(change):
    return change.double().square().sum((1, 2, 3)).sqrt()


def test_projections_by_hand():
    delta = torch.zeros(2, 1, 1, 2)
    delta[0, 0, 0] = torch.tensor([3.0, 4.0])
    delta[1, 0, 0] = torch.tensor([0.3, -0.4])
    assert project(delta, 1.0, "linf").flatten().tolist() == pytest.approx([1, 1, 0.3, -0.4])
    assert project(delta, 1.0, "l2").flatten().tolist() == pytest.approx([0.6, 0.8, 0.3, -0.4])
    assert ascent(delta, "linf").flatten().tolist() == [1, 1, 1, -1]
    assert ascent(delta, "l2").flatten().tolist() == pytest.approx([0.6, 0.8, 0.6, -0.8])
    assert not ascent(torch.zeros(1, 1, 2, 2), "l2").any()


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.03), ("linf", 16 / 255), ("l2", 0.7), ("l2", 0.01)])
def test_changes_stay_in_the_ball_after_rounding(norm, eps):
    originals = images(40)
    generator = torch.Generator().manual_seed(0)
    change = random_change(originals.float(), eps, norm, generator)
    change = project(3 * change, eps, norm)
    rounded = to_levels((originals / 255 + change).clamp(0, 1), originals, eps, norm)
    levels = rounded.int() - originals.int()
    if norm == "linf":
        assert levels.abs().max() <= eps * 255 + 1e-6
        assert levels.abs().max() >= int(eps * 255 + 1e-6) - 1
    else:
        assert lengths(levels).max() <= eps * 255 + 1e-3
        assert eps < 0.1 or lengths(levels).max() > 0.95 * eps * 255
    assert rounded.dtype == torch.uint8


def test_the_hardest_image_for_a_linear_model_is_known():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2))
    batch = images(5, side=4).float() / 255
    labels = torch.tensor([0, 1, 0, 1, 0])
    slope = (model[1].weight[1] - model[1].weight[0]).detach().view(1, 3, 4, 4)
    towards = torch.where((labels == 0)[:, None, None, None], slope, -slope)
    options = {"steps": 150, "step_size": 0.01, "generator": torch.Generator().manual_seed(0)}
    found = harder(model, batch, labels, eps=0.1, norm="linf", **options)
    assert torch.allclose(found, (batch + 0.1 * towards.sign()).clamp(0, 1), atol=1e-6)
    small = harder(model, 0.5 + 0 * batch, labels, eps=0.1, norm="l2", **options)
    assert torch.allclose(small, 0.5 + 0.1 * towards / slope.norm(), atol=1e-4)
    assert model[1].weight.grad is None


@pytest.mark.parametrize(("norm", "eps"), [("linf", 12 / 255), ("l2", 1.0)])
def test_poisons_are_hard_stamped_and_rightly_labelled(norm, eps):
    data = pictures()
    ordered = data.select(data.positions(sorted(data.ids)))
    model = surrogate_model(ordered, SURROGATE, epochs=2, seed=derived_seed(3, 10), device="cpu", progress=quietly)
    attack = LabelConsistent(
        target="bright",
        rate=0.5,
        eps=eps,
        norm=norm,
        trigger=Corners(),
        robust=False,
        surrogate=SURROGATE,
        surrogate_epochs=2,
        device="cpu",
    )
    result = attack.poison(data, seed=3)
    pairs = sorted((one.original_id, one.id) for one in result.truth.samples)
    old = data.inputs[data.positions([original for original, _ in pairs])]
    new = result.data.inputs[result.data.positions([poison for _, poison in pairs])]
    labels = torch.ones(len(new), dtype=torch.int64)
    hard = attack.harden(model, old, labels, seed=3, progress=quietly)
    change = hard.int() - old.int()
    assert change.abs().max() <= eps * 255 + 1e-6 if norm == "linf" else lengths(change).max() <= eps * 255 + 1e-3
    assert torch.equal(new, Corners()(hard))  # the trigger lies on top of the change
    losses = [F.cross_entropy(model(batch / 255), labels, reduction="none") for batch in (old, hard, new)]
    assert (losses[1] > losses[0]).all()
    assert losses[2].mean() > losses[0].mean()
    assert {(one.label, one.original_label) for one in result.truth.samples} == {("bright", "bright")}
    assert len(result.truth.samples) == 30
    assert len(result.data) == len(data)


def test_a_hardened_network_trains_on_changed_inputs_only():
    seen = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(12, 2)

        def forward(self, x):
            seen.append(x.detach())
            return self.head(x.flatten(1))

    batch = 0.3 + 0.4 * torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    model = Hardened(Spy(), eps=0.05, norm="linf", seed=0).train()
    model(batch).sum().backward()
    # A start within two radii, and a step of one.
    assert 0.1 < (seen[-1] - batch).abs().max() <= 0.15 + 1e-6
    assert torch.allclose((seen[-1] - seen[-2]).abs().amax(), torch.tensor(0.05))
    assert model.network.head.weight.grad is not None
    first = seen[-1]
    model(batch)
    assert not torch.equal(seen[-1], first)
    model.eval()(batch)
    assert torch.equal(seen[-1], batch)


def test_the_step_of_a_hardened_network_leaves_its_statistics_alone():
    batch = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.BatchNorm2d(3, momentum=0.4), nn.Flatten(), nn.Linear(48, 2))
    seen = []
    network[0].register_forward_hook(lambda layer, given, out: seen.append(given[0].detach()))
    Hardened(network, eps=0.05, norm="linf", seed=0).train()(batch)
    assert len(seen) == 2
    assert torch.allclose(network[0].running_mean, 0.4 * seen[-1].mean((0, 2, 3)))
    assert network[0].momentum == 0.4


def test_a_hardened_surrogate_withstands_more():
    data = pictures()
    eps = 20 / 255

    def loss(harden):
        model = surrogate_model(data, SURROGATE, epochs=12, seed=0, device="cpu", progress=quietly, harden=harden)
        generator = torch.Generator().manual_seed(0)
        changed = harder(
            model,
            data.inputs / 255,
            data.labels,
            eps=eps,
            norm="linf",
            steps=10,
            step_size=eps / 4,
            generator=generator,
        )
        return F.cross_entropy(model(changed), data.labels)

    assert loss(lambda network: Hardened(network, eps=eps, norm="linf", seed=0)) < 0.8 * loss(None)


def test_the_specification_and_the_defaults():
    attack = create_attack("label-consistent:norm=l2,steps=7", target="bright", rate=0.1)
    assert attack.trigger == Corners(amplitude=255)
    assert attack.radius == pytest.approx(600 / 255)
    assert LabelConsistent(target="bright", rate=0.1, norm="linf").radius == pytest.approx(16 / 255)
    assert create_attack("label-consistent", target="bright", rate=0.1, trigger="patch:size=3").trigger == Patch(size=3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eps": 8, "norm": "linf"}, r"eps is out of range.*8/255"),
        ({"eps": 300}, r"eps is out of range.*300/255"),
        ({"eps": 0.0}, "eps is out of range"),
        ({"norm": "l1"}, "no norm is called 'l1'.*linf, l2"),
        ({"steps": 0}, "steps is out of range"),
        ({"batch": 0}, "batch is out of range"),
        ({"surrogate_epochs": 0}, "surrogate_epochs is out of range"),
        ({"step_size": 0.0}, "step_size is out of range"),
        ({"rate": 2.0}, "rate is out of range"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(AttackError, match=message):
        LabelConsistent(**{"target": "bright", "rate": 0.1, **fields})


def test_a_surrogate_that_does_not_fit(tmp_path, monkeypatch):
    (tmp_path / "strange_surrogate.py").write_text(
        "from torch import nn\nmodel = nn.Sequential(nn.Flatten(), nn.Linear(300, 7))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    attack = LabelConsistent(target="bright", rate=0.1, surrogate="strange_surrogate:model", device="cpu")
    with pytest.raises(
        AttackError, match=r"strange_surrogate:model does not fit.*7 classes in the model, 2 in the data"
    ):
        attack.poison(pictures(), seed=0)


@pytest.mark.parametrize("levels", [20, 150, 600])
def test_rounding_takes_next_to_nothing_from_a_change_on_the_ball(levels):
    middle = torch.full((40, 3, 32, 32), 128, dtype=torch.uint8)
    change = torch.randn(middle.shape, generator=torch.Generator().manual_seed(0))
    change *= levels / lengths(change)[:, None, None, None]
    rounded = to_levels((middle + change) / 255, middle, levels / 255, "l2").double() - middle
    assert lengths(rounded).max() <= levels
    assert lengths(rounded).min() > 0.995 * levels
    assert (rounded - change).abs().max() < 1


def test_the_alpha_of_images_is_left_alone():
    data = pictures()
    data = replace(data, inputs=torch.cat([data.inputs, torch.full_like(data.inputs[:, :1], 240)], 1))
    attack = LabelConsistent(target="bright", count=9, surrogate=SURROGATE, surrogate_epochs=1, steps=3)
    made = attack.poison(data, seed=0).data.inputs
    assert bool((made[:, 3] == 240).all()) == (not attack.trigger(data.inputs[:1])[:, 3].ne(240).any())
    assert not torch.equal(made[:, :3], data.inputs[:, :3])
