"""I-BAU: unlearning the worst pattern there is, with the gradient that knows how the pattern will answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import Given
from bezoar.repair.loop import (
    Batch,
    Gradients,
    Tuning,
    cross_entropy,
    endless_batches,
    goals_of,
    learning_parameters,
    leave_gradients,
    tune,
)
from bezoar.repair.numerics.hypergradient import hypergradient
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.shapes import FloatImages


@REPAIRS.register("i-bau")
@dataclass(frozen=True, kw_only=True)
class ImplicitUnlearning(Tuning, ModelRepair):
    """By turns find one pattern that, added to every trusted sample, harms the most, and unlearn it.

    Every epoch is a round: `climbs` steps up the loss find the pattern, of a length of at most `strength` times the
    square root of its number of values (0.1 is an even change of 25 levels); the steps that follow descend the loss
    with the pattern by its hypergradient, plus `plain` times the loss without. `iterations` is how many terms its
    fixed point is given, `inner_rate` the step of it, `penalty` the weight of the squared length of the pattern in
    the inner problem. Needs 10 trusted samples; made for a hundred. Assumes a trigger that one added pattern can
    stand for. On a toy without batch norm it leaves a good part of the attack.

    The loss of a network is hardly ever concave in the pattern, so that the terms of the fixed point mostly grow at
    once and one is left: then the gradient is corrected by `inner_rate` times the mixed derivative, and more
    iterations change nothing.

    Zeng et al. 2022 (arXiv 2110.03735). Deviations: the plain loss is descended as well, without which accuracy
    suffers where there are few samples; steps up are of equal length, and the pattern is cut to a length that goes
    with the size of images; the fixed point ends where its terms grow; images with the pattern are not cut to 0..1;
    batch norms keep their statistics; half of the goal are the model's own answers; descent with momentum instead of
    Adam.
    """

    epochs: int = 10
    learning_rate: float = 0.02
    distillation: float = 0.5
    climbs: int = 10
    strength: float = 0.1
    iterations: int = 5
    inner_rate: float = 0.1
    penalty: float = 0.001
    plain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        most = float("inf")
        require(
            "i-bau",
            climbs=(self.climbs, 1, most),
            strength=(self.strength, 0, 1),
            iterations=(self.iterations, 0, most),
            inner_rate=(self.inner_rate, 0, most),
            penalty=(self.penalty, 0, most),
            plain=(self.plain, 0, most),
        )

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended:
        """Rounds of finding and unlearning."""
        trusted = trusted_of(work)
        pattern = torch.zeros(1, *trusted.shape, device=work.device, requires_grad=True)
        recipe = self.recipe(len(trusted))
        goals = goals_of(work, trusted, self.distillation)
        batches = endless_batches(work, trusted, recipe.batch_size, recipe.augmentation, goals)

        def find(epoch: int) -> bool:  # noqa: ARG001
            found = self._worst_pattern(work.model.eval(), batches, pattern)
            with torch.no_grad():
                pattern.copy_(found)
            return True

        rule = self._unlearn(pattern)
        rounds = tune(work, trusted, self, stage="i-bau", gradients=rule, steady=True, go_on=find, goals=goals)
        return Mended(
            Used(trusted=len(trusted)), (f"{rounds} rounds of unlearning on {len(trusted):,} trusted samples",)
        )

    def _worst_pattern(self, model: nn.Module, batches: Iterator[Batch], like: Tensor) -> FloatImages:
        longest = self.strength * like.numel() ** 0.5
        pattern = torch.zeros_like(like)
        for _, batch in zip(range(self.climbs), batches, strict=False):
            pattern.requires_grad_(True)
            (slope,) = torch.autograd.grad(self._inner(model, batch, pattern), pattern)
            # Steps that add up to twice the longest way, so that the edge is reached and followed.
            stepped = pattern.detach() - 2 * longest / self.climbs * slope / slope.norm().clamp_min(1e-12)
            pattern = stepped * min(1.0, longest / max(1e-12, float(stepped.norm())))
        return pattern

    def _inner(self, model: nn.Module, batch: Batch, pattern: Tensor) -> Tensor:
        return self.penalty * pattern.square().sum() - _loss_with(model, batch, pattern)

    def _unlearn(self, pattern: Tensor) -> Gradients:
        def gradients(model: nn.Module, batch: Batch) -> Tensor:
            weights = learning_parameters(model)
            with_pattern = _loss_with(model, batch, pattern)
            outer = with_pattern + self.plain * cross_entropy(model, batch)
            inner = self.penalty * pattern.square().sum() - with_pattern
            slopes = hypergradient(inner, outer, weights, pattern, rate=self.inner_rate, iterations=self.iterations)
            leave_gradients(weights, slopes)
            return outer.detach()

        return gradients


def _loss_with(model: nn.Module, batch: Batch, pattern: Tensor) -> Tensor:
    return F.cross_entropy(model(batch.images + pattern), batch.wanted)
