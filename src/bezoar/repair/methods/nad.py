"""Neural attention distillation: a fine-tuned copy shows the model where to look."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.channels import Layer, layers_of
from bezoar.repair.given import Given
from bezoar.repair.loop import Batch, Tuning, cross_entropy, downhill, goals_of, tune
from bezoar.repair.numerics.attention import attention_distance
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.training.batches import to_unit_range


@REPAIRS.register("nad")
@dataclass(frozen=True, kw_only=True)
class AttentionDistillation(Tuning, ModelRepair):
    """Fine-tune a copy, then train the model on trusted samples to answer rightly and to look where the copy looks.

    The loss is cross-entropy plus `weight` times the distance of attention maps, summed over stages. A stage is all
    layers of one map size, and its map that of its last convolution, after the batch norm that follows, if any. The
    copy is fine-tuned as the model is. Needs 10 trusted samples and a convolution. Twice to three times the cost of
    `fine-tune`.

    Li et al. 2021 (arXiv 2101.05930). Deviations: the distance is squared, and one weight serves all stages; stages
    are found by their map size instead of being named for each architecture; labels are mixed with the model's own
    answers, but for the copy; a lower rate that falls, gradients cut.
    """

    epochs: int = 10
    distillation: float = 0.9
    weight: float = 20.0
    power: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require("nad", weight=(self.weight, 0, float("inf")), power=(self.power, 1, float("inf")))

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended | Skipped:
        """Make the teacher, then let the model learn from it."""
        trusted = trusted_of(work)
        stages = stages_of(work.model, layers_of(work.model, work.given), trusted.inputs[:2])
        if not stages:
            return Skipped("the network has no convolution that is free to change, and so no attention maps")
        goals = goals_of(work, trusted, self.distillation)
        teacher = copy.deepcopy(work.model)
        tune(work.on(teacher), trusted, self, stage="nad: teacher")
        teacher.eval()

        def loss(model: nn.Module, batch: Batch) -> Tensor:
            with torch.no_grad(), maps_at(teacher, stages) as wanted:
                teacher(batch.images)
            with maps_at(model, stages) as seen:
                answer = cross_entropy(model, batch)
            return answer + self.weight * sum_of_distances(seen, wanted, self.power)

        epochs = tune(work, trusted, self, stage="nad", gradients=downhill(loss), goals=goals)
        said = f"distilled {epochs} epochs on {len(trusted):,} trusted samples, maps of {', '.join(stages)}"
        return Mended(Used(trusted=len(trusted)), (said,))


def sum_of_distances(seen: Sequence[Tensor], wanted: Sequence[Tensor], power: float) -> Tensor:
    """The distances of the attention maps of every stage, added up."""
    return torch.stack([attention_distance(a, b, power) for a, b in zip(seen, wanted, strict=True)]).sum()


@torch.no_grad()
def stages_of(model: nn.Module, layers: Sequence[Layer], images: Tensor) -> tuple[str, ...]:
    """The module that ends each stage: of all layers with one map size the last. A single place is no map."""
    with maps_at(model, [layer.carrier for layer in layers]) as maps:
        model(to_unit_range(images, next(model.parameters()).device))
    last = {tuple(found.shape[2:]): layer.carrier for layer, found in zip(layers, maps, strict=True)}
    return tuple(name for size, name in last.items() if max(size) > 1)


@contextmanager
def maps_at(model: nn.Module, modules: Sequence[str]) -> Iterator[list[Tensor]]:
    """A list that holds, once the model was called, what each of these modules gave, in their order."""
    maps: list[Tensor] = []
    found: dict[str, Tensor] = {}

    def keep(name: str, *called: Any) -> None:
        found[name] = called[-1].float()

    hooks = [model.get_submodule(name).register_forward_hook(partial(keep, name)) for name in modules]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()
        maps.extend(found[name] for name in modules)
