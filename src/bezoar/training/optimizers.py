"""Optimizers: Nesterov momentum, and Muon for the convolutions of batch-normed networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from bezoar.shapes import Matrix
from bezoar.training.recipe import Recipe

ORTHOGONALISING_STEPS = 4
# Coefficients of the quintic iteration: chosen by Jordan (2024) for the steepest slope at zero.
QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """Momentum orthogonalised by a Newton-Schulz iteration, for convolution filters followed by batch norm.

    Written from Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". Filters are
    flattened to (out, in * k * k). Since batch norm takes away the scale of a filter, each filter bank is
    kept at the norm sqrt(out) instead of decaying its weights. Deviation: 4 iterations instead of 5.
    """

    def __init__(self, parameters: Iterable[Tensor], *, lr: float, momentum: float = 0.6) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every filter bank that has a gradient. Returns what `closure` gave, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for filters in group["params"]:
                if filters.grad is not None:
                    self._update(filters, group["lr"], group["momentum"])
        return loss

    def _update(self, filters: Tensor, rate: float, momentum: float) -> None:
        state: dict[str, Any] = self.state[filters]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(filters)
        buffer: Tensor = state["momentum_buffer"]
        buffer.mul_(momentum).add_(filters.grad)  # type: ignore[arg-type]
        direction = filters.grad.add(buffer, alpha=momentum)  # type: ignore[union-attr]
        filters.mul_(len(filters) ** 0.5 / filters.norm().clamp_min(1e-12))
        filters.add_(orthogonalise(direction.flatten(1)).view_as(filters), alpha=-rate)


def orthogonalise(matrix: Matrix, steps: int = ORTHOGONALISING_STEPS) -> Matrix:
    """A matrix with the same singular vectors and singular values near 1 (between about 0.7 and 1.2).

    Every step multiplies by a polynomial of the small Gram matrix, so all steps are taken on that and the
    large matrix is met only twice: the same result as step by step, for a fraction of the arithmetic.
    """
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp_min(1e-12)
    gram = x @ x.T
    whole = one = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for step in range(steps):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c).add_(one, alpha=a)
        whole = factor @ whole
        if step + 1 < steps:
            gram = factor @ gram @ factor
    even: Tensor = whole @ x
    return even.T if matrix.shape[0] > matrix.shape[1] else even


def make_optimizers(model: nn.Module, recipe: Recipe) -> list[Optimizer]:
    """The optimizers of a recipe over the parameters of `model` that require gradients."""
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if recipe.optimizer == "sgd":
        return [
            SGD(
                trainable.values(),
                lr=recipe.learning_rate,
                momentum=recipe.momentum,
                weight_decay=recipe.weight_decay,
                nesterov=recipe.momentum > 0,
            )
        ]
    filters = [p for p in trainable.values() if p.ndim == 4]
    others = [p for p in trainable.values() if p.ndim != 4]
    plain = SGD(
        others,
        lr=recipe.other_learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )
    return [plain, Muon(filters, lr=recipe.learning_rate)] if filters else [plain]


class Scheduled:
    """Optimizers whose learning rates follow the recipe's schedule."""

    def __init__(self, model: nn.Module, recipe: Recipe) -> None:
        self.recipe = recipe
        self.optimizers = make_optimizers(model, recipe)
        self._base = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]

    def step(self, progress: float) -> None:
        """One update at `progress` in 0..1 of the whole training, then clear the gradients."""
        factor = self.recipe.rate_at(progress)
        for optimizer, rates in zip(self.optimizers, self._base, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Tensor]:
        """The state of every parameter as named tensors, for a checkpoint."""
        return {
            f"optimizer.{number}.{index}.{key}": value
            for number, optimizer in enumerate(self.optimizers)
            for index, parameter in enumerate(_parameters(optimizer))
            for key, value in optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        for number, optimizer in enumerate(self.optimizers):
            for index, parameter in enumerate(_parameters(optimizer)):
                prefix = f"optimizer.{number}.{index}."
                for name, value in tensors.items():
                    if name.startswith(prefix):
                        state = optimizer.state.setdefault(parameter, {})
                        state[name.removeprefix(prefix)] = value.to(parameter.device).clone()


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
