"""Two-stage backdoor defence: what unlearning changes most is set to zero, then learnt anew with calm gradients."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import Given
from bezoar.repair.loop import Batch, Tuning, cross_entropy, downhill, goals_of, tune
from bezoar.repair.numerics.weight_change import most_changed, neuron_change, without_changed
from bezoar.repair.pruning import accuracy
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.repair.uphill import uphill


@REPAIRS.register("tsbd")
@dataclass(frozen=True, kw_only=True)
class TwoStageDefence(Tuning, ModelRepair):
    """Unlearn trusted samples on a copy, reset the neurons that changed most there, then fine-tune calmly.

    First a copy climbs the loss on trusted samples until it is right no more often than a guess (or `floor`), or for
    `unlearning_epochs` at `unlearning_rate`. Of the neurons, here channels of convolutions and units of linear layers
    other than the last, the share `neurons` whose weights changed most are chosen over all layers, and of each the
    share `weights` that changed most is set to zero. Then the model learns the trusted samples by a gradient of which
    `penalty` is taken `radius` uphill, which shortens gradients. Needs 10 trusted samples. Without batch norm the
    reset costs accuracy that few samples don't bring back.

    Lin et al. 2024 (arXiv 2405.20291). Deviations: how often the copy is right is looked up after every epoch; the
    last linear layer is spared; unlearning ends at a guess among the classes, the paper's 10% for ten of them; fewer
    epochs, a rate that falls, gradients cut, batch norms keep their statistics while unlearning, and labels are mixed
    with the answers that the model gave before.
    """

    epochs: int = 10
    distillation: float = 0.9
    neurons: float = 0.15
    weights: float = 0.7
    penalty: float = 0.7
    radius: float = 0.05
    unlearning_rate: float = 0.01
    unlearning_epochs: int = 20
    floor: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        most = float("inf")
        require(
            "tsbd",
            neurons=(self.neurons, 0, 1),
            weights=(self.weights, 0, 1),
            penalty=(self.penalty, 0, 1),
            radius=(self.radius, 0, most),
            unlearning_rate=(self.unlearning_rate, 0, most),
            unlearning_epochs=(self.unlearning_epochs, 1, most),
            floor=(self.floor or 0.0, 0, 1),
        )

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended | Skipped:
        """Unlearn a copy, reset by what changed, fine-tune."""
        trusted = trusted_of(work)
        names = neuron_layers(work.model)
        if not names:
            return Skipped("the network has no layer of neurons that is free to change, but for the last")
        goals = goals_of(work, trusted, self.distillation)
        unlearnt = copy.deepcopy(work.model)
        reached = self._unlearn(work.on(unlearnt), trusted)
        reset = self._reset(work.model, unlearnt, names)
        gradients = uphill(cross_entropy, radius=self.radius, share=self.penalty, adaptive=False)
        epochs = tune(work, trusted, self, stage="tsbd: fine-tuning", gradients=gradients, goals=goals)
        said = (
            f"unlearnt a copy down to {reached:.0%} right, reset {reset} neurons of {len(names)} layers",
            f"fine-tuned {epochs} epochs on {len(trusted):,} trusted samples",
        )
        return Mended(Used(trusted=len(trusted)), said)

    def _unlearn(self, work: Work, trusted: Dataset) -> float:
        floor = self.floor if self.floor is not None else 1 / len(trusted.class_names)
        settings = Tuning(
            epochs=self.unlearning_epochs,
            least_steps=0,
            batch_size=self.batch_size,
            learning_rate=self.unlearning_rate,
            weight_decay=0.0,
            shift=self.shift,
        )

        def is_known(epoch: int) -> bool:  # noqa: ARG001
            return accuracy(work.model, trusted) > floor

        tune(
            work,
            trusted,
            settings,
            stage="tsbd: unlearning",
            gradients=downhill(_climbing),
            steady=True,
            go_on=is_known,
        )
        return accuracy(work.model, trusted)

    @torch.no_grad()
    def _reset(self, model: nn.Module, unlearnt: nn.Module, names: tuple[str, ...]) -> int:
        pairs = [(model.get_parameter(name), unlearnt.get_parameter(name)) for name in names]
        chosen = most_changed([neuron_change(before, after) for before, after in pairs], self.neurons)
        for (before, after), neurons in zip(pairs, chosen, strict=True):
            before.copy_(without_changed(before, after, neurons, self.weights))
        return int(sum(int(neurons.sum()) for neurons in chosen))


def neuron_layers(model: nn.Module) -> tuple[str, ...]:
    """Names of the weights of convolutions and linear layers that are free to learn, but for the last of all."""
    kinds = (nn.Conv2d, nn.Linear)
    free = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    found = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, kinds)]
    return tuple(name for name in found[:-1] if name in free)


def _climbing(model: nn.Module, batch: Batch) -> Tensor:
    return -cross_entropy(model, batch)
