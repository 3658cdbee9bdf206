"""The gradient through the solution of an inner problem, by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def hypergradient(
    inner: Tensor,
    outer: Tensor,
    weights: Sequence[Tensor],
    solution: Tensor,
    *,
    rate: float,
    iterations: int,
) -> list[Tensor]:
    """Gradient of `outer` by the weights, where `solution` minimises `inner` and moves with the weights.

    `inner` and `outer` are scalars computed from `weights` and `solution`, whose graphs are still there and which are
    used up. With H the second derivative of `inner` by the solution, the gradient is d outer / d weights - (d^2 inner
    / d weights d solution) H^-1 (d outer / d solution). H^-1 is the fixed point of descent with step `rate`: the sum
    of rate * (1 - rate * H)^k for k up to `iterations` (Grazzi et al. 2020, arXiv 2006.16218). The sum ends early
    once its terms grow, since it then has no limit: where `inner` is not convex at the solution, or `rate` is above 2
    over the largest curvature. 0 iterations leave one term.
    """
    direct = torch.autograd.grad(outer, weights, retain_graph=True, allow_unused=True)
    (pull,) = torch.autograd.grad(outer, solution, retain_graph=True)
    (slope,) = torch.autograd.grad(inner, solution, create_graph=True)
    total = _neumann_sum(slope, solution, pull, rate, iterations)
    through = torch.autograd.grad(slope, weights, total, allow_unused=True)
    return [
        _or_zero(one, weight) - rate * _or_zero(other, weight)
        for one, other, weight in zip(direct, through, weights, strict=True)
    ]


def _neumann_sum(slope: Tensor, solution: Tensor, start: Tensor, rate: float, iterations: int) -> Tensor:
    total, term = start, start
    for _ in range(iterations):
        (curved,) = torch.autograd.grad(slope, solution, term, retain_graph=True)
        following = term - rate * curved
        if following.norm() > term.norm():
            break
        total, term = total + following, following
    return total


def _or_zero(gradient: Tensor | None, weight: Tensor) -> Tensor:
    return torch.zeros_like(weight) if gradient is None else gradient
