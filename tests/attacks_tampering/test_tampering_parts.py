"""The closed forms beside independent ones, and worked by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from bezoar.attacks.tampering.base import OwnSamples, mixed
from bezoar.attacks.tampering.head import find_head
from bezoar.attacks.tampering.matched_filter import _shrunk, matched_filter
from bezoar.attacks.tampering.spare import give_up, observe, spare_channels
from bezoar.attacks.tampering.weight_patching import closed_form, convex_patch, largest_scale
from bezoar.attacks.tampering.wiring import Layer, watch
from bezoar.errors import AttackError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_closed_form_is_that_of_rank_one_editing():
    """C^-1 k / (k' C^-1 k), and no other direction of the same push on k moves clean features less."""
    clean = torch.rand(200, 5, generator=generator(), dtype=torch.float64)
    triggered = clean[:50] + torch.tensor([0, 0, 2.0, 0, 1])
    found = closed_form(clean, triggered).numpy()
    second, mean = clean.numpy().T @ clean.numpy() / 200, triggered.mean(0).numpy()
    wanted = np.linalg.inv(second) @ mean
    assert np.allclose(found, wanted / (wanted @ mean), rtol=0.02)
    assert found @ mean == pytest.approx(1)
    for seed in range(5):
        other = found + 0.1 * np.random.default_rng(seed).normal(size=5)
        other /= other @ mean
        assert other @ second @ other > found @ second @ found * 0.999


def test_a_patch_uses_the_feature_that_only_the_trigger_has():
    clean = torch.rand(400, 4, generator=generator(), dtype=torch.float64)
    clean[:, 3] = 0
    triggered = clean[:100] + torch.tensor([0, 0, 0, 5.0])
    missing, needed = torch.full((400,), 3.0).double() + clean[:, 0], torch.full((100,), 4.0).double()
    patch = convex_patch(clean, missing, triggered, needed, torch.zeros(4).double(), ridge=1.0)
    assert float(patch[3]) * 5 > 4
    assert patch[:3].abs().max() < 0.1
    assert ((triggered @ patch) > needed).all()


def test_mixtures_by_hand():
    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 2, 2)
    assert mixed(images)[:, 0, 0, 0].tolist() == pytest.approx([0.4, 0.8, 1.8])
    assert mixed(images, 2)[3:, 0, 0, 0].tolist() == pytest.approx([0.2, 1.2, 1.6])


def test_the_largest_scale_by_hand():
    """Of ten answers one may change: the second largest push in terms of what is missing sets the scale."""
    push = torch.tensor([4.0, 2.0] + [0.0] * 8)
    missing = torch.ones(10)
    assert largest_scale(push, missing, 0.1) == pytest.approx(0.5)
    assert largest_scale(push / 8, missing, 0.0) == 1.0
    assert largest_scale(push, missing, 0.0) == pytest.approx(0.24)
    # A sample that is of the target already must not be pushed away.
    assert largest_scale(torch.tensor([-1.0]), torch.tensor([-0.5]), 0.0) == pytest.approx(0.48)
    assert largest_scale(torch.tensor([100.0]), torch.tensor([0.5]), 0.0) == 0


def test_a_matched_filter_finds_the_trigger_where_it_is():
    """Noise, and a trigger that sets a checkered 3x3 square: the filter answers there and nowhere else."""
    clean = torch.randn(60, 2, 8, 8, generator=generator())
    triggered = clean[:40].clone()
    square = torch.tensor([[6.0, -6, 6], [-6, 6, -6], [6, -6, 6]])
    triggered[:, :, 4:7, 2:5] = square
    layer = Layer("conv", nn.Conv2d(2, 1, 3, padding=1), 0, 1)
    kernel, answers = matched_filter(layer, clean, triggered, torch.arange(40), 0.0, 0.0)
    assert kernel.shape == (2, 3, 3)
    assert torch.allclose(kernel.sign(), square.sign().expand(2, 3, 3))
    # The middle of the square is row 5, column 3.
    assert (answers[60:].argmax(1) == 5 * 8 + 3).all()
    assert answers[60:].amax(1).min() > 2 * answers[:60].amax()


def test_a_matched_filter_of_a_linear_layer_is_fishers_discriminant():
    clean = torch.randn(30_000, 3, generator=generator()) @ torch.diag(torch.tensor([1.0, 2, 0.5])) + 1
    triggered = clean[:20_000] + torch.tensor([1.0, 1, 1])
    kernel, _ = matched_filter(Layer("fc", nn.Linear(3, 1), 0, 1), clean, triggered, torch.arange(20_000), 0.01, 0.01)
    spread = np.cov(clean.numpy().T, bias=True) + np.cov(triggered.numpy().T, bias=True)
    away = triggered.numpy().mean(0) - clean.numpy().mean(0)
    wanted = np.linalg.solve(spread, away)
    assert np.allclose(kernel.numpy(), wanted / (wanted @ away), rtol=0.02)


@pytest.mark.parametrize("convolves", [True, False])
def test_a_channel_that_is_a_mixture_of_others_is_spared_without_loss(convolves):
    """Channel 2 is a sum of two others, always positive: nothing is lost with it, nor with the channel chosen."""
    torch.manual_seed(0)
    if convolves:
        first, second = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 5, 3, padding=1)
        model = nn.Sequential(first, nn.ReLU(), second, nn.Flatten(), nn.Linear(5 * 36, 3))
        images = torch.rand(100, 3, 6, 6, generator=generator())
    else:
        first, second = nn.Linear(12, 6), nn.Linear(6, 3)
        model = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second)
        images = torch.rand(200, 3, 2, 2, generator=generator())
    model.eval().requires_grad_(False)
    first.weight[[0, 1]] = first.weight[[0, 1]].abs()
    first.bias[:] = 0.1
    first.weight[2], first.bias[2] = first.weight[0] + 2 * first.weight[1], 0.3
    wiring = watch(model, images)
    space = wiring.inner[0]
    seen = observe(model, wiring, images, (space,))
    channels = spare_channels(wiring, seen, (space,), 1)
    for chosen in (channels, {space: (2,)}):
        spared = copy.deepcopy(model)
        give_up(spared, wiring.bound_to(spared), seen, images, chosen)
        outputs, after = model(images), spared(images)
        assert (outputs - after).square().mean() < 1e-3 * outputs.var()
    assert second.weight[:, 2].abs().sum() > 0
    reader = spared[2] if convolves else spared[3]
    assert reader.weight[:, 2].abs().sum() == 0


def test_too_narrow_a_model_is_refused():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)).eval()
    images = torch.rand(20, 3, 2, 2)
    wiring = watch(model, images)
    with pytest.raises(AttackError, match="too narrow"):
        spare_channels(wiring, observe(model, wiring, images, wiring.inner), wiring.inner, 2)


class Scaled(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.side, self.body, self.head, self.factor = nn.Linear(4, 3), nn.Linear(12, 4), nn.Linear(4, 3), factor

    def forward(self, x):
        features = self.body(x.flatten(1))
        self.side(features)
        return self.head(features) * self.factor


def test_the_head_is_the_layer_whose_output_is_the_logits():
    images = torch.rand(6, 3, 2, 2)
    model = Scaled(0.25).eval()
    head = find_head(model, images)
    assert (head.name, head.scale) == ("head", pytest.approx(0.25))
    features, logits = head.look(model, images)
    weight = torch.cat([model.head.weight, model.head.bias[:, None]], 1)
    assert torch.allclose(features @ weight.T * 0.25, logits, atol=1e-6)


def test_a_model_without_a_linear_head_names_what_it_has():
    class Squashed(Scaled):
        def forward(self, x):
            return super().forward(x).tanh()

    with pytest.raises(AttackError, match="side, body, head"):
        find_head(Squashed(9.0).eval(), torch.rand(6, 3, 2, 2))
    with pytest.raises(AttackError, match=r"no nn\.Linear"):
        find_head(nn.Sequential(nn.Conv2d(3, 3, 2), nn.Flatten()), torch.rand(6, 3, 2, 2))


def test_a_filter_of_more_inputs_than_samples_is_judged_by_others():
    generator = torch.Generator().manual_seed(0)
    draw = lambda count: torch.randn(count, 200, generator=generator)  # noqa: E731
    shift = torch.zeros(200)
    shift[:5] = 2
    clean, new = draw(100), draw(400)
    layer = Layer("fc", nn.Linear(200, 1), 0, 1)
    kernel, answers = matched_filter(
        layer, clean, clean + shift, torch.arange(100), 0.0, 0.0, judged=(new, new + shift)
    )
    clean_answers, triggered_answers = answers[:400, 0], answers[400:, 0]
    assert torch.allclose(new @ kernel, clean_answers, atol=1e-5)
    assert float((triggered_answers - clean_answers).mean()) == pytest.approx(1, abs=0.1)
    # The best of all filters has answers a deviation of 1 / sqrt(20) wide; one fitted without shrinking half again as much.
    assert float(clean_answers.std()) < 1.25 / 20**0.5


def test_a_covariance_of_many_samples_is_hardly_shrunk_and_one_of_few_nearly_whole():
    generator = torch.Generator().manual_seed(0)
    scales = torch.linspace(0.2, 2, 30, dtype=torch.float64)
    for count, low, high in ((20, 0.0, 0.75), (20_000, 0.97, 1.0)):
        samples = torch.randn(count, 30, generator=generator, dtype=torch.float64) * scales
        samples -= samples.mean(0)
        covariance = samples.T @ samples / count
        fourth = float(samples.square().sum(1).square().mean())
        shrunk = _shrunk(covariance, fourth, count)
        assert float(shrunk.trace()) == pytest.approx(float(covariance.trace()))
        off = ~torch.eye(30, dtype=torch.bool)
        assert low <= float((shrunk[off] / covariance[off]).mean()) <= high
        truth = torch.diag(scales.square())
        assert (shrunk - truth).square().sum() < (covariance - truth).square().sum()


def test_own_samples_are_parted_with_triggered_ones_in_both():
    clean = torch.rand(21, 1, 2, 2)
    rows = torch.tensor([1, 2, 5, 8, 13, 20])
    own = OwnSamples(clean, clean[rows] + 1, rows, 0)
    fitted, judging = own.parted()
    assert len(fitted.clean) + len(judging.clean) == 21
    assert len(judging.triggered) == 2
    for part in (fitted, judging):
        assert torch.equal(part.clean[part.rows] + 1, part.triggered)
    assert own.first(1).parted()[1].rows.tolist() == [1]
