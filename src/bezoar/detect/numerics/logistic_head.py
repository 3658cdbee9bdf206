"""A linear head fitted by softmax regression, and what it would be without some of its samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bezoar.detect.numerics.ridge_head import Part, Rows, penalties
from bezoar.evidence import Real

NEWTON_STEPS = 50
CONJUGATE_STEPS = 500
PRECISION = 1e-9
"""Newton's steps end when the gradient is this small, for each unit of penalty or sample."""


def fit_logistic(part: Part, penalty: float, start: Real | None = None) -> Real:
    """Weights (d, k) that minimise the summed cross-entropy plus half `penalty` times the squared weights.

    Newton's method from `start` (zeros without it), each step solved by conjugate gradients, so that no matrix of all
    weights is held, and halved until the loss falls. Targets are one-hot. The intercepts have no penalty.
    """
    weights = np.zeros((part.rows.shape[1], part.targets.shape[1])) if start is None else start.copy()
    for _ in range(NEWTON_STEPS):
        slope = _gradient(weights, part, penalty)
        if np.abs(slope).max() < PRECISION * len(part.rows):
            break
        step = conjugate_gradients(_curvature(weights, part, penalty), slope)
        weights = _descended(weights, step, part, penalty)
    return weights


def cross_entropy(weights: Real, judge: Part) -> float:
    """Mean cross-entropy over the samples of `judge`."""
    return float(-np.mean((judge.targets * log_softmax(judge.rows @ weights)).sum(axis=1)))


def logistic_harms(train: Part, judge: Part, penalty: float) -> Real:
    """By how much each sample of `train` raises the head's cross-entropy on `judge`: (n,), by n trainings."""
    return logistic_group_harms(train, judge, penalty, [np.array([row]) for row in range(len(train.rows))])


def logistic_group_harms(train: Part, judge: Part, penalty: float, groups: list[Rows]) -> Real:
    """By how much each group of rows raises the cross-entropy on `judge`, for each of its samples: (groups,).

    The head is trained anew without the group, from the weights with it.
    """
    weights = fit_logistic(train, penalty)
    whole = cross_entropy(weights, judge)
    losses = [cross_entropy(fit_logistic(train.without(group), penalty, weights), judge) for group in groups]
    return np.array([(whole - loss) / len(group) for loss, group in zip(losses, groups, strict=True)])


def logistic_influences(train: Part, judge: Part, penalty: float) -> Real:
    """`logistic_harms` to first order (Koh and Liang 2017, arXiv 1703.04730): (n,), one training and one solution.

    The judge's gradient, divided by the curvature of the training loss, times each sample's own gradient.
    """
    weights = fit_logistic(train, penalty)
    wanted = judge.rows.T @ (_softmax(judge.rows @ weights) - judge.targets) / len(judge.rows)
    direction = conjugate_gradients(_curvature(weights, train, penalty), wanted)
    own = _softmax(train.rows @ weights) - train.targets
    # Without a sample the weights move by +H^-1 g, so the judge's loss by +wanted H^-1 g; harm is what is then saved.
    harms: Real = -np.einsum("nk,nk->n", train.rows @ direction, own)
    return harms


def conjugate_gradients(times: Callable[[Real], Real], right: Real) -> Real:
    """The solution of times(x) = right for a symmetric, positive definite `times`, to ten digits or in 500 steps."""
    solution, rest = np.zeros_like(right), right.copy()
    direction, size = rest.copy(), float((rest**2).sum())
    aim = size * 1e-20
    for _ in range(CONJUGATE_STEPS):
        if size <= aim:
            break
        bent = times(direction)
        length = size / max(float((direction * bent).sum()), 1e-300)
        solution += length * direction
        rest -= length * bent
        size, before = float((rest**2).sum()), size
        direction = rest + (size / before) * direction
    return solution


def log_softmax(logits: Real) -> Real:
    """Logarithms of the softmax of logits (n, k)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: Real = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _softmax(logits: Real) -> Real:
    return np.exp(log_softmax(logits))


def _loss(weights: Real, part: Part, penalty: float) -> float:
    weighted = penalties(len(weights), penalty)[:, None] * weights**2
    return cross_entropy(weights, part) * len(part.rows) + 0.5 * float(weighted.sum())


def _gradient(weights: Real, part: Part, penalty: float) -> Real:
    slope: Real = part.rows.T @ (_softmax(part.rows @ weights) - part.targets)
    return slope + penalties(len(weights), penalty)[:, None] * weights


def _curvature(weights: Real, part: Part, penalty: float) -> Callable[[Real], Real]:
    """The Hessian of the training loss as a function of a direction (d, k)."""
    chances = _softmax(part.rows @ weights)
    weight = penalties(len(weights), penalty)[:, None]

    def times(direction: Real) -> Real:
        spread = chances * (part.rows @ direction)
        bent: Real = part.rows.T @ (spread - chances * spread.sum(axis=1, keepdims=True))
        bent += weight * direction
        # The same added to all intercepts changes nothing; without a curvature of its own, rounding would grow there.
        bent[-1] += len(chances) * direction[-1].mean()
        return bent

    return times


def _descended(weights: Real, step: Real, part: Part, penalty: float) -> Real:
    before, length = _loss(weights, part, penalty), 1.0
    while length > 1e-6 and _loss(weights - length * step, part, penalty) > before + 1e-12 * abs(before):
        length /= 2
    return weights - length * step
