"""Numerics of repairs against independent computations and hand-worked answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bezoar.detect.numerics.lipschitz import channel_bounds, outlying
from bezoar.repair.channels import Layer, layers_of, scale_of
from bezoar.repair.given import Given
from bezoar.repair.loop import Batch
from bezoar.repair.masked import Disturbance, loss_through, mask_slopes, worst_disturbance
from bezoar.repair.numerics.attention import attention_distance, attention_map
from bezoar.repair.numerics.forgetting import bounded_ascent
from bezoar.repair.numerics.hypergradient import hypergradient
from bezoar.repair.numerics.neuron_masks import kinder, pruning_order, shortened, worse
from bezoar.repair.numerics.sharpness import ascent, mixed
from bezoar.repair.numerics.weight_change import most_changed, neuron_change, without_changed
from bezoar.repair.uphill import uphill


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Neural attention distillation


def test_attention_distance_against_numpy():
    student, teacher = drawn(5, 3, 4, 6, seed=1), drawn(5, 2, 4, 6, seed=2)

    def attention(maps, power):
        rows = (np.abs(maps.numpy()) ** power).sum(axis=1).reshape(5, -1)
        return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))

    for power in (1.0, 2.0, 4.0):
        a, b = attention(student, power), attention(teacher, power)
        np.testing.assert_allclose(attention_map(student, power).numpy(), a, rtol=1e-12)
        expected = np.mean(((a - b) ** 2).sum(axis=1))
        assert float(attention_distance(student, teacher, power)) == pytest.approx(expected, rel=1e-12)


def test_attention_does_not_care_for_scale_and_survives_an_empty_map():
    maps = drawn(2, 3, 4, 4)
    assert float(attention_distance(maps, 7 * maps)) == pytest.approx(0, abs=1e-15)
    nothing = torch.zeros(2, 3, 4, 4, requires_grad=True)
    attention_distance(nothing, maps.float()).backward()
    assert torch.isfinite(nothing.grad).all()


# Sharpness


def test_plain_step_uphill_worked_by_hand():
    # Gradient (3, 4) over two tensors: length 5, so a radius of 10 gives (6, 8).
    step = ascent([torch.ones(1), torch.ones(1)], [torch.tensor([3.0]), torch.tensor([4.0])], 10.0)
    assert [float(one) for one in step] == pytest.approx([6.0, 8.0])


def test_adaptive_step_uphill_worked_by_hand():
    # T = (0.99 + 0.01, 2.99 + 0.01) = (1, 3), T g = (4, 3), length 5, radius 1: T^2 g / 5 = (0.8, 1.8).
    step = ascent([torch.tensor([-0.99, 2.99])], [torch.tensor([4.0, 1.0])], 1.0, adaptive=True)
    assert step[0].tolist() == pytest.approx([0.8, 1.8])


def test_no_change_within_the_radius_raises_a_linear_loss_more():
    weights, gradients = [drawn(4, 3, seed=3), drawn(5, seed=4)], [drawn(4, 3, seed=5), drawn(5, seed=6)]
    scales = [one.abs() + 0.01 for one in weights]
    best = ascent(weights, gradients, 0.5, adaptive=True)
    length = sum(((e / s) ** 2).sum() for e, s in zip(best, scales, strict=True)) ** 0.5
    assert float(length) == pytest.approx(0.5)
    gain = sum((e * g).sum() for e, g in zip(best, gradients, strict=True))
    for seed in range(50):
        other = [drawn(*w.shape, seed=100 + 2 * seed + place) for place, w in enumerate(weights)]
        norm = sum(one.square().sum() for one in other) ** 0.5
        other = [0.5 * one / norm * scale for one, scale in zip(other, scales, strict=True)]
        assert sum((e * g).sum() for e, g in zip(other, gradients, strict=True)) <= gain


def test_gradients_uphill_of_a_quadratic():
    # Loss a w^2 / 2 summed: slope a w. Uphill by radius r along the slope: a (w + r a w / |a w|).
    model = nn.Linear(2, 1, bias=False)
    curvature = torch.tensor([[1.0, 4.0]])
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 1.0]]))
    nothing = Batch(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    rule = uphill(lambda net, _: (curvature * net.weight**2).sum() / 2, radius=0.5, share=0.7, adaptive=False)
    rule(model, nothing)
    slope = np.array([3.0, 4.0])
    there = np.array([1.0, 4.0]) * (np.array([3.0, 1.0]) + 0.5 * slope / 5.0)
    np.testing.assert_allclose(model.weight.grad.numpy()[0], 0.3 * slope + 0.7 * there, rtol=1e-6)
    assert model.weight.tolist() == [[3.0, 1.0]]


def test_mixing_with_no_share_is_the_plain_gradient():
    here, there = [drawn(3)], [drawn(3, seed=1)]
    assert torch.equal(mixed(here, there, 0.0)[0], here[0])
    assert torch.equal(mixed(here, there, 1.0)[0], there[0])


# The implicit hypergradient


def test_hypergradient_of_a_quadratic_problem_solved_in_closed_form():
    # Inner: d'Ad/2 - d'Bw, so d = A^-1 B w. Outer: |d - t|^2 / 2 + c |w|^2 / 2. Gradient: c w + B' A^-1 (d - t).
    root, couple, target = drawn(4, 4, seed=1), drawn(4, 3, seed=2), drawn(4, seed=3)
    hessian = root @ root.T / 4 + torch.eye(4, dtype=torch.float64)
    weights = drawn(3, seed=4).requires_grad_(True)
    solution = torch.linalg.solve(hessian, couple @ weights).detach().requires_grad_(True)
    inner = solution @ hessian @ solution / 2 - solution @ couple @ weights
    outer = (solution - target).square().sum() / 2 + 0.3 * weights.square().sum() / 2
    rate = 1 / float(torch.linalg.eigvalsh(hessian)[-1])
    (found,) = hypergradient(inner, outer, [weights], solution, rate=rate, iterations=500)
    exact = 0.3 * weights + couple.T @ torch.linalg.solve(hessian, solution - target)
    np.testing.assert_allclose(found.numpy(), exact.detach().numpy(), rtol=1e-8)


def test_hypergradient_of_a_logistic_problem_against_differences_of_the_solved_problem():
    images, labels = drawn(20, 3, seed=5), (drawn(20, seed=6) > 0).double()

    def inner_at(weights, shift):
        # A shift common to all samples that lowers the loss, held back by its length: convex in the shift.
        return F.binary_cross_entropy_with_logits((images + shift) @ weights, labels) + 0.5 * shift.square().sum()

    def outer_at(weights, shift):
        return F.binary_cross_entropy_with_logits((images - shift) @ weights, labels) + 0.1 * weights.square().sum()

    def solved(weights):
        shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        for _ in range(400):
            (slope,) = torch.autograd.grad(inner_at(weights, shift), shift)
            shift = (shift - 0.5 * slope).detach().requires_grad_(True)
        return shift

    weights = drawn(3, seed=7)
    free, shift = weights.clone().requires_grad_(True), solved(weights)
    (found,) = hypergradient(inner_at(free, shift), outer_at(free, shift), [free], shift, rate=0.5, iterations=300)
    for place in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[place] = 1e-4
        up, down = weights + step, weights - step
        slope = (outer_at(up, solved(up)) - outer_at(down, solved(down))) / 2e-4
        assert float(found[place]) == pytest.approx(float(slope.detach()), abs=1e-6)
    direct = torch.autograd.grad(outer_at(free, shift), free)[0]
    assert float((found - direct).norm()) > 1e-3, "the test would not see a missing implicit part"


def test_the_fixed_point_ends_where_it_has_no_limit():
    # Inner -d^2/2 is not convex: every term is larger than the one before, and only the first is left.
    weight = torch.tensor([2.0], requires_grad=True)
    solution = torch.tensor([1.0], requires_grad=True)
    inner = (-(solution**2) / 2 + solution * weight).sum()
    (found,) = hypergradient(inner, (3 * solution).sum(), [weight], solution, rate=0.1, iterations=1000)
    assert float(found.detach()) == pytest.approx(-0.1 * 3)


# Channel Lipschitz pruning


@pytest.mark.parametrize("affine", [True, False])
def test_bounds_against_numpy_on_the_folded_kernels(affine):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(6, affine=affine)
    norm.running_var.copy_(torch.rand(6) + 0.2)
    if affine:
        nn.init.normal_(norm.weight)
    model = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), norm)
    layer = Layer("0", "1" if affine else None, 6)
    deviation = np.sqrt(norm.running_var.numpy() + norm.eps)
    scale = norm.weight.detach().numpy() / deviation if affine else np.ones(6)
    folded = model[0].weight.detach().numpy() * scale[:, None, None, None]
    expected = [np.linalg.svd(kernel.reshape(4, 9), compute_uv=False)[0] for kernel in folded]
    found = channel_bounds(model[0].weight.detach(), scale_of(model, layer))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_outlying_against_numpy():
    bounds = drawn(40).abs()
    bounds[7] = 30.0
    values = bounds.numpy()
    assert outlying(bounds, 3.0).tolist() == (values > values.mean() + 3 * values.std()).tolist()
    assert outlying(bounds, 3.0).nonzero().tolist() == [[7]]
    assert not outlying(torch.ones(5), 3.0).any()


def test_ten_channels_have_no_outlier_by_three_spreads():
    for count, possible in ((10, False), (11, True)):
        bounds = torch.zeros(count, dtype=torch.float64)
        bounds[0] = 1e6
        assert bool(outlying(bounds, 3.0).any()) is possible


# Adversarial neuron pruning


def two_channels(normed):
    torch.manual_seed(3)
    parts = [nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)]
    model = nn.Sequential(*(part for part in parts if normed or not isinstance(part, nn.BatchNorm2d))).double().eval()
    if normed:
        nn.init.normal_(model[1].weight)
        nn.init.normal_(model[1].bias)
    images = drawn(6, 1, 4, 4, seed=8)
    batch = Batch(images, torch.arange(6) % 3, torch.arange(6))
    return model, (Layer("0", "1" if normed else None, 2),), batch


@pytest.mark.parametrize("normed", [True, False])
def test_mask_gradient_against_differences_of_networks_changed_by_hand(normed):
    model, layers, batch = two_channels(normed)
    mask = torch.tensor([0.9, 0.6], dtype=torch.float64)
    noise = Disturbance((torch.tensor([0.2, -0.1]).double(),), (torch.tensor([-0.3, 0.1]).double(),))

    def loss(factor, shift):
        """The loss of a copy whose weight and bias were multiplied by hand."""
        other = two_channels(normed)[0]
        carrier = other[1] if normed else other[0]
        with torch.no_grad():
            carrier.weight.copy_(torch.stack([carrier.weight[k] * factor[k] for k in range(2)]))
            carrier.bias.copy_(carrier.bias * shift)
        return float(F.cross_entropy(other(batch.images), batch.labels).detach())

    one = torch.ones(2, dtype=torch.float64)
    assert float(loss_through(model, layers, [mask], noise, batch)) == pytest.approx(
        loss(mask + noise.weights[0], one + noise.biases[0]), rel=1e-10
    )
    (slopes,) = mask_slopes(model, layers, [mask], noise, batch, plain_share=0.2)
    for channel in range(2):
        both = []
        for side in (1e-5, -1e-5):
            moved = mask.clone()
            moved[channel] += side
            both.append(0.2 * loss(moved, one) + 0.8 * loss(moved + noise.weights[0], one + noise.biases[0]))
        assert float(slopes[channel]) == pytest.approx((both[0] - both[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_the_disturbance_is_a_signed_step_up_from_where_it_was_drawn():
    model, layers, batch = two_channels(True)
    model, batch = model.float(), Batch(batch.images.float(), batch.labels, batch.rows)
    mask, budget = torch.tensor([0.9, 0.6]), 0.4
    found = worst_disturbance(
        model, layers, [mask], batch, budget=budget, climbs=1, generator=torch.Generator().manual_seed(5)
    )
    generator = torch.Generator().manual_seed(5)
    start = [(torch.rand(2, generator=generator) * 2 - 1) * budget for _ in range(2)]
    for part, (place, value) in enumerate(zip(("weights", "biases"), (found.weights[0], found.biases[0]), strict=True)):
        for channel in range(2):
            both = []
            for side in (1e-3, -1e-3):
                moved = [one.clone() for one in start]
                moved[part][channel] += side
                both.append(float(loss_through(model, layers, [mask], Disturbance((moved[0],), (moved[1],)), batch)))
            expected = np.clip(float(start[part][channel]) + budget * np.sign(both[0] - both[1]), -budget, budget)
            assert float(value[channel]) == pytest.approx(expected, abs=1e-6), place


def test_steps_and_order_of_masks_worked_by_hand():
    assert worse(torch.tensor([0.1, -0.3]), torch.tensor([5.0, -2.0]), 0.2, 0.4).tolist() == pytest.approx([0.3, -0.4])
    mask, velocity = kinder(torch.tensor([1.0, 0.5]), torch.tensor([1.0, 0.0]), torch.tensor([-3.0, 2.0]), 0.1, 0.9)
    assert velocity.tolist() == pytest.approx([-2.1, 2.0])
    assert mask.tolist() == pytest.approx([1.0, 0.3])
    masks = [torch.tensor([1.0, 0.2]), torch.tensor([0.2, 0.0, 0.95])]
    assert pruning_order(masks, 0.9) == [(1, 1), (0, 1), (1, 0)]
    assert [one.tolist() for one in shortened([torch.tensor([3.0]), torch.tensor([4.0])], 1.0)] == [
        pytest.approx([0.6]),
        pytest.approx([0.8]),
    ]
    assert shortened([torch.tensor([0.3])], 1.0)[0].tolist() == pytest.approx([0.3])


# Two-stage defence and unlearning


def test_neuron_change_and_reset_worked_by_hand():
    before = torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    after = torch.tensor([[1.5, 2.0, 1.0], [1.0, 1.0, 1.1]])
    change = neuron_change(before, after)
    assert change.tolist() == pytest.approx([2.5, 0.1])
    chosen = most_changed([change, torch.tensor([0.3, 0.2])], 0.5)
    assert [one.tolist() for one in chosen] == [[True, False], [True, False]]
    reset = without_changed(before, after, chosen[0], 0.67)
    assert reset.tolist() == [[0.0, 2.0, 0.0], [1.0, 1.0, 1.0]]
    assert not any(bool(one.any()) for one in most_changed([torch.zeros(3)], 0.5))


def test_bounded_ascent_has_no_slope_beyond_the_bound():
    losses = torch.tensor([0.5, 3.0], requires_grad=True)
    value = bounded_ascent(losses, 2.0)
    assert float(value.detach()) == pytest.approx(-(0.5 + 2.0) / 2)
    value.backward()
    assert losses.grad.tolist() == [-0.5, 0.0]
    assert float(bounded_ascent(torch.zeros(0), 2.0)) == 0.0


def test_layers_without_data_are_found_in_the_order_of_names():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.BatchNorm2d(7))
    assert layers_of(model, Given()) == (Layer("0", "1", 4), Layer("3", None, 5))
