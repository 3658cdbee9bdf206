"""A linear head fitted by ridge regression, and what it would be without some of its samples, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.evidence import Real

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """Samples for a head: rows (n, d), the last column of which is 1 for the intercept, and targets (n, k)."""

    rows: Real
    targets: Real

    def without(self, removed: Rows) -> Part:
        """All samples but those at `removed`."""
        return Part(np.delete(self.rows, removed, axis=0), np.delete(self.targets, removed, axis=0))


def penalties(columns: int, penalty: float) -> Real:
    """The penalty of each column (columns,); the last one, the intercept, has none."""
    return np.append(np.full(columns - 1, penalty), 0.0)


def fit_ridge(part: Part, penalty: float) -> Real:
    """Weights (d, k) that minimise the summed squared error plus `penalty` times the squared weights."""
    gram = part.rows.T @ part.rows + np.diag(penalties(part.rows.shape[1], penalty))
    return _solved(gram, part.rows.T @ part.targets)


def squared_loss(weights: Real, judge: Part) -> float:
    """Squared error summed over the classes, mean over the samples of `judge`."""
    return float(np.mean(((judge.targets - judge.rows @ weights) ** 2).sum(axis=1)))


def ridge_harms(train: Part, judge: Part, penalty: float) -> Real:
    """By how much each sample of `train` raises the head's squared loss on `judge`: (n,), exact.

    The loss of the head fitted with all samples less that of the head fitted without this one. Leaving out row x with
    residual e and leverage h moves the weights by -A^-1 x e / (1 - h), A being the penalised Gram matrix (Sherman and
    Morrison); the loss on `judge` is quadratic in that, so that all n answers cost one solution and O(n d^2).
    """
    rows = train.rows
    gram = rows.T @ rows + np.diag(penalties(rows.shape[1], penalty))
    solved = np.linalg.solve(gram, rows.T).T
    weights = solved.T @ train.targets
    errors = train.targets - rows @ weights
    shrink = 1.0 - np.einsum("nd,nd->n", rows, solved)
    judged = judge.targets - judge.rows @ weights
    slope = np.einsum("nk,nk->n", solved @ (judge.rows.T @ judged), errors)
    curve = np.einsum("nd,nd->n", solved @ (judge.rows.T @ judge.rows), solved) * (errors**2).sum(axis=1)
    harms: Real = -(2.0 * slope / shrink + curve / shrink**2) / len(judge.rows)
    return harms


def ridge_group_harms(train: Part, judge: Part, penalty: float, groups: list[Rows]) -> Real:
    """By how much each group of rows raises the head's squared loss on `judge`, for each of its samples: (groups,).

    Exact: the head without the group is solved for anew from Gram matrices less those of the group, O(d^3) each.
    """
    gram = train.rows.T @ train.rows + np.diag(penalties(train.rows.shape[1], penalty))
    right = train.rows.T @ train.targets
    whole = squared_loss(_solved(gram, right), judge)
    harms = np.empty(len(groups))
    for place, group in enumerate(groups):
        rows, targets = train.rows[group], train.targets[group]
        weights = _solved(gram - rows.T @ rows, right - rows.T @ targets)
        harms[place] = (whole - squared_loss(weights, judge)) / len(group)
    return harms


def _solved(gram: Real, right: Real) -> Real:
    return np.asarray(np.linalg.solve(gram, right), dtype=np.float64)
