"""Features at a layer of any network, pairing, and matching within the ball."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.attacks import FeatureMatching
from bezoar.attacks.learning.feature_matching import nearest_pairs
from bezoar.attacks.learning.features import features_at, find_layer, layer_names
from bezoar.errors import AttackError, UsageError
from bezoar.triggers import Patch


class Blocks(nn.Module):
    """A little of everything: nested modules, a ReLU that works in place, a module that never runs, a tuple."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.stages = nn.Sequential(nn.Sequential(nn.Conv2d(4, 6, 3, 2), nn.BatchNorm2d(6)), nn.AdaptiveAvgPool2d(2))
        self.head = nn.Linear(24, 5)
        self.spare = nn.Identity()
        self.pair = Pair()

    def forward(self, x):
        x = self.stages(self.relu(self.stem(x)))
        return self.head(self.pair(x)[0].flatten(1))


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def blocks():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Blocks()


def images(n=6, side=8, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n, 3, side, side), dtype=np.uint8))


def hooks(model):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def test_layers_by_name_and_by_index():
    model, batch = blocks().eval(), images().float() / 255
    assert layer_names(model) == ("stem", "relu", "stages.0.0", "stages.0.1", "stages.1", "head", "spare", "pair")
    stages = model.stages(torch.relu(model.stem(batch)))
    inner = model.stages[0](torch.relu(model.stem(batch)))
    expected = {
        None: stages, "stages": stages, "stages.1": stages, 4: stages, "-4": stages, -4: stages,
        "stages.0": inner, "3": inner, "head": model(batch), "5": model(batch),
    }  # fmt: skip
    for layer, wanted in expected.items():
        with features_at(model, layer) as read:
            assert torch.equal(read(batch), wanted.flatten(1)), layer


def test_a_layer_is_read_before_a_later_one_changes_it_in_place():
    model, batch = blocks().eval(), images().float() / 255
    with features_at(model, "stem") as read:
        assert torch.equal(read(batch), model.stem(batch).flatten(1))
        assert (read(batch) < 0).any()


@pytest.mark.parametrize("layer", ["stage", "", "8", "-9", "stages.0.7"])
def test_a_wrong_layer_gets_the_list(layer):
    with (
        pytest.raises(UsageError, match=r"no layer.*from -8 to 7, or one of stem, relu, stages\.0\.0, .*pair") as error,
        features_at(blocks(), layer),
    ):
        pass
    assert ("Did you mean 'stages'" in str(error.value)) == (layer == "stage")


@pytest.mark.parametrize(("layer", "found"), [("spare", "does not run"), ("pair", "tuple")])
def test_layers_without_features(layer, found):
    with pytest.raises(AttackError, match=found), features_at(blocks(), layer) as read:
        read(images().float() / 255)


def test_a_network_without_a_linear_layer_needs_a_name():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten())
    with pytest.raises(AttackError, match=r"no linear layer.*0, 1"), features_at(model):
        pass


def test_hooks_and_modes_are_put_back_even_after_an_error():
    model = blocks().train()
    model.stages[0].eval()
    modes = [part.training for part in model.modules()]
    statistics = model.stages[0][1].running_mean.clone()
    with features_at(model, "stages"):
        assert hooks(model) == 1
        assert not model.training
    with pytest.raises(RuntimeError, match="channels"), features_at(model, "stages") as read:
        read(torch.zeros(2, 1, 8, 8))
    assert hooks(model) == 0
    assert [part.training for part in model.modules()] == modes
    FeatureMatching(iterations=3).match(model, images(), images(seed=1), Patch(size=3), seed=0)
    assert hooks(model) == 0
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(model.stages[0][1].running_mean, statistics)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_pairs_are_the_best_of_all_pairings():
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        features, wanted = torch.randn(4, 3, generator=generator), torch.randn(6, 3, generator=generator)
        costs = (features[:, None] - wanted[None]).square().sum(2)
        best = min(sum(costs[i, j].item() for i, j in enumerate(p)) for p in itertools.permutations(range(6), 4))
        found = nearest_pairs(features, wanted)
        assert len(set(found.tolist())) == 4
        assert costs[torch.arange(4), found].sum().item() == pytest.approx(best)
    assert nearest_pairs(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.9], [5.0]])).tolist() == [0, 1]


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_with_pixels_as_features_the_answer_is_known(scale):
    """The nearest image of the ball is the triggered source, clipped to the ball; the scale of features is no matter."""

    class Scaled(nn.Module):
        def forward(self, x):
            return x * scale

    targets, source = images(5), images(1, seed=3)
    trigger = Patch(size=3, color="white")
    matching = FeatureMatching(eps=20 / 255, layer=0, iterations=300, learning_rate=0.02, decay=0.9)
    found = matching.match(nn.Sequential(Scaled()), targets, source, trigger, seed=0)
    wanted = trigger(source).int()
    known = targets.int() + (wanted - targets.int()).clamp(-20, 20)
    assert (found.poisons.int() - known).abs().max() <= 1
    exact = ((found.poisons.double() - wanted).square().sum((1, 2, 3)) / 255**2 * scale**2).float()
    assert torch.allclose(found.last, exact, rtol=1e-3)


@pytest.mark.parametrize("eps", [16 / 255, 0.05])
def test_poisons_stay_in_the_ball_and_come_nearer(eps):
    targets = images(7)
    matching = FeatureMatching(eps=eps, iterations=30, batch=4)
    found = matching.match(blocks(), targets, images(30, seed=2), Patch(size=3, random=True), seed=0)
    change = (found.poisons.int() - targets.int()).abs()
    assert found.poisons.dtype == torch.uint8
    assert change.max() <= eps * 255 + 1e-6
    assert change.max() >= int(eps * 255) - 1
    assert (found.last < found.first).all()
    again = matching.match(blocks(), targets, images(30, seed=2), Patch(size=3, random=True), seed=0)
    assert torch.equal(again.poisons, found.poisons)
    other = matching.match(blocks(), targets, images(30, seed=2), Patch(size=3, random=True), seed=1)
    assert not torch.equal(other.poisons, found.poisons)


def test_sources_are_drawn_once_or_anew():
    """Counted by the trigger, which sees what is drawn."""
    seen = []

    def trigger(batch):
        seen.append(batch.clone())
        return batch

    for redraw, draws in ((0, 2), (1, 12), (4, 4)):
        seen.clear()
        matching = FeatureMatching(iterations=6, batch=4, redraw=redraw)
        matching.match(blocks(), images(7), images(30, seed=2), trigger, seed=0)
        assert len(seen) == draws
        assert [len(batch) for batch in seen[: draws // 2]] == [4] * (draws // 2)
        assert redraw == 0 or not torch.equal(seen[0], seen[1])


def test_the_stopping_loss_ends_it():
    matching = FeatureMatching(stopping_loss=1e9)
    found = matching.match(blocks(), images(), images(seed=1), Patch(size=3), seed=0)
    assert torch.equal(found.poisons, images())
    assert torch.allclose(found.first, found.last)


def test_fewer_sources_than_poisons_and_none():
    found = FeatureMatching(iterations=2).match(blocks(), images(5), images(2), Patch(size=3), seed=0)
    assert found.poisons.shape == (5, 3, 8, 8)
    with pytest.raises(AttackError, match="a source image at least"):
        FeatureMatching().match(blocks(), images(5), images(0), Patch(size=3), seed=0)


def test_a_network_that_gives_nothing_finite():
    model = blocks()
    model.stem.weight.data.fill_(float("nan"))
    with pytest.raises(AttackError, match="not all finite"):
        FeatureMatching(iterations=2).match(model, images(), images(), Patch(size=3), seed=0)


def test_within_no_grad_too():
    with torch.no_grad():
        found = FeatureMatching(iterations=5).match(blocks(), images(), images(seed=1), Patch(size=3), seed=0)
    assert not torch.equal(found.poisons, images())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eps": 16}, r"eps is out of range.*scale 0..1.*16/255"),
        ({"eps": 0.001}, "eps is out of range"),
        ({"eps": float("nan")}, "eps is out of range"),
        ({"iterations": 0}, "iterations is out of range"),
        ({"batch": 0}, "batch is out of range"),
        ({"decay_every": 0}, "decay_every is out of range"),
        ({"learning_rate": 0}, "learning_rate is out of range"),
        ({"decay": 1.5}, "decay is out of range"),
        ({"stopping_loss": -1}, "stopping_loss is out of range"),
        ({"redraw": -1}, "redraw is out of range"),
    ],
)
def test_bad_fields(fields, message):
    with pytest.raises(AttackError, match=message):
        FeatureMatching(**fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda targets, sources: (targets.float() / 255, sources), "the targets are no images.*uint8.*float32"),
        (lambda targets, sources: (targets, sources.float()), "the sources are no images"),
        (lambda targets, sources: (targets.numpy(), sources), "the targets are no images.*found ndarray"),
        (lambda targets, sources: (targets[0], sources), r"no images.*\(3, 8, 8\)"),
        (lambda targets, sources: (targets, sources[:, :1]), "differ in shape"),
        (lambda targets, sources: (targets[:0], sources), "found no targets"),
    ],
)
def test_images_of_another_kind_are_refused(change, message):
    targets, sources = change(images(), images(seed=1))
    with pytest.raises(AttackError, match=message):
        FeatureMatching(iterations=2).match(blocks(), targets, sources, Patch(size=2), seed=0)


def test_the_alpha_of_images_is_left_alone():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 64, 6))
    targets, sources = (torch.cat([images(seed=seed), images(seed=seed)[:, :1]], 1) for seed in (0, 1))
    made = FeatureMatching(layer="1", iterations=5).match(model, targets, sources, Patch(size=3), seed=0).poisons
    assert torch.equal(made[:, 3], targets[:, 3])
    assert not torch.equal(made, targets)


def test_numbers_that_are_names_too():
    nested = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)),
        nn.Sequential(nn.ReLU(), nn.Flatten()),
        nn.Linear(64, 4),
    )
    assert find_layer(nested, "1") is nested[1]
    assert find_layer(nested, "2") is nested[2]
    assert find_layer(nested, 1) is find_layer(nested, "#1") is nested[0][1]
    assert find_layer(nested, -1) is find_layer(nested, "#-1") is find_layer(nested, "-1") is nested[2]
    assert find_layer(nested, "5") is nested[2]
    assert FeatureMatching(layer=1) == FeatureMatching(layer="#1") != FeatureMatching(layer="1")
    with pytest.raises(UsageError, match="no layer '#6'"):
        find_layer(nested, "#6")


def test_a_network_of_doubles():
    model = blocks().double()
    matched = FeatureMatching(layer="stem", iterations=3).match(model, images(), images(seed=1), Patch(size=3), seed=0)
    assert matched.last.sum() < matched.first.sum()


@pytest.mark.parametrize("fields", [{"eps": "16"}, {"learning_rate": "x"}, {"redraw": 1.5}, {"decay": None}])
def test_fields_of_another_kind(fields):
    with pytest.raises(AttackError, match=f"{next(iter(fields))} is"):
        FeatureMatching(**fields)
