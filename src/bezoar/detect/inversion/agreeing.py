"""Triggers of a bounded size after which images of all kinds look alike to the last layer, for every class at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.detect.inversion.form import Form, Parameters, of_one
from bezoar.detect.inversion.invert import BETAS, Hypothesis, Inverted
from bezoar.detect.inversion.penultimate import Penultimate, penultimate
from bezoar.detect.inversion.quiet import untouched
from bezoar.errors import ModelError
from bezoar.shapes import Images, Whole
from bezoar.training.batches import to_unit_range

HELD_OUT, MEASURED = 0.25, 100
"""Agreement is told of this share of the images, which the descent never saw, and of so many at most."""
WORKS = 0.5
"""A trigger works that leads this share of them over."""
TINY = 1e-6


@dataclass(frozen=True)
class Pull:
    """`steps` of descent, with `images` for each class in each; `weight` is that of agreement beside cross-entropy."""

    steps: int = 80
    images: int = 5
    weight: float = 3.0
    rate: float = 0.02


@dataclass(frozen=True, eq=False)
class Agreed:
    """The triggers, and how far (k,) the features of triggered images lie apart; those of clean images are 1 apart."""

    inverted: Inverted
    spreads: Tensor


def agree(
    model: nn.Module,
    inputs: Images,
    labels: Whole,
    classes: int,
    form: Form,
    reach: float,
    *,
    pull: Pull = Pull(),
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Agreed:
    """For each class the trigger of a form, no larger than `reach`, that leads images there by features that agree.

    `inputs` uint8 (n, c, h, w) and `labels` (n,) are clean. What is made small is the cross-entropy towards the class
    plus `weight` times the spread of features: the root of the mean squared distance to their mean, over that of clean
    images. After each step a trigger that is too large is made smaller. The model is left as it is. Raises ModelError
    where fewer than 2 images are left for a class.
    """
    generator = torch.Generator().manual_seed(seed)
    fitted, told = _rows(labels, classes, generator)
    start = form.start(classes, tuple(inputs.shape[1:]), generator)
    parameters = {name: tensor.requires_grad_() for name, tensor in start.items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=pull.rate, betas=BETAS)
    with untouched(model):
        split = penultimate(model, to_unit_range(inputs[:1]))
        whole = _clean_spread(split, inputs)
        for step in range(pull.steps):
            drawn = torch.cat([rows[torch.randint(len(rows), (pull.images,), generator=generator)] for rows in fitted])
            loss = _loss(split, form, parameters, to_unit_range(inputs[drawn]), whole, pull.weight)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _within(form, parameters, reach)
            if progress is not None:
                progress(step + 1, pull.steps)
        found = {name: tensor.detach() for name, tensor in parameters.items()}
        flips, spreads = _told(split, form, found, [to_unit_range(inputs[rows]) for rows in told], whole)
    hypotheses = tuple(Hypothesis(label) for label in range(classes))
    return Agreed(Inverted(form, hypotheses, found, form.sizes(found), flips >= WORKS, flips), spreads)


def _rows(labels: Whole, classes: int, generator: torch.Generator) -> tuple[list[Tensor], list[Tensor]]:
    """For each class rows of other classes: for the descent, and for telling what came of it."""
    order = torch.randperm(len(labels), generator=generator)
    held, shown = order[: round(HELD_OUT * len(order))], order[round(HELD_OUT * len(order)) :]
    parts = [[rows[labels[rows] != label] for label in range(classes)] for rows in (shown, held)]
    for label in range(classes):
        if min(len(part[label]) for part in parts) < 2:
            raise ModelError(
                f"no clean samples are left to be led to class {label}",
                expected="clean samples of several classes",
                remedy="Give more clean data",
            )
    return parts[0], [rows[:MEASURED] for rows in parts[1]]


def _loss(
    split: Penultimate, form: Form, parameters: Parameters, shown: Tensor, whole: Tensor, weight: float
) -> Tensor:
    """Cross-entropy and spread, summed over the classes, of images (k * b, c, h, w) in the order of classes."""
    count = len(next(iter(parameters.values())))
    images = len(shown) // count
    triggered = form.put_on(parameters, shown.reshape(count, images, *shown.shape[1:])).reshape(shown.shape)
    features, logits = split.features(triggered)
    goals = torch.arange(count, device=logits.device).repeat_interleave(images)
    spreads = spread_of(features.reshape(count, images, -1)) / whole
    return F.cross_entropy(logits, goals, reduction="none").sum() / images + weight * spreads.sum()


def spread_of(features: Tensor) -> Tensor:
    """Root mean squared distance (...,) of features (..., n, d), at least 2, to their mean; its square is unbiased."""
    count = features.shape[-2]
    off = features - features.mean(-2, keepdim=True)
    return (off.pow(2).sum((-2, -1)) / (count - 1) + TINY**2).sqrt()


@torch.no_grad()
def _clean_spread(split: Penultimate, inputs: Images, batch: int = 200) -> Tensor:
    parts = [split.features(to_unit_range(part))[0].flatten(1) for part in inputs.split(batch)]  # type: ignore[no-untyped-call]
    return spread_of(torch.cat(parts)).clamp_min(TINY)


@torch.no_grad()
def _within(form: Form, parameters: Parameters, reach: float) -> None:
    """Makes triggers larger than `reach` just as large, in place."""
    factors = (reach / form.sizes(parameters).clamp_min(TINY)).clamp(max=1)
    for name, tensor in form.scaled(parameters, factors).items():
        parameters[name].copy_(tensor)


@torch.no_grad()
def _told(
    split: Penultimate, form: Form, parameters: Parameters, shown: Sequence[Tensor], whole: Tensor
) -> tuple[Tensor, Tensor]:
    """Shares (k,) of the images shown for each class that go over to it, and the spreads (k,) of their features."""
    flips, spreads = [], []
    for label, images in enumerate(shown):
        features, logits = split.features(form.put_on(of_one(parameters, label), images[None])[0])
        flips.append((logits.argmax(1) == label).float().mean())
        spreads.append(spread_of(features.flatten(1)) / whole)
    return torch.stack(flips), torch.stack(spreads)
