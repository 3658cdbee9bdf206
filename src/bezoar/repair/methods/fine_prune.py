"""Fine-pruning: channels that clean samples leave asleep are cut off, then the rest is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.channels import Layer, layers_of, silent
from bezoar.repair.given import Given
from bezoar.repair.loop import Tuning, goals_of, tune
from bezoar.repair.pruning import divided, prune_while_accurate
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.shapes import Real
from bezoar.training.batches import to_unit_range


@REPAIRS.register("fine-prune")
@dataclass(frozen=True, kw_only=True)
class FinePrune(Tuning, ModelRepair):
    """Prune the last convolution's channels, the sleepiest on clean samples first, then fine-tune what is left.

    Pruning stops before accuracy on held-out trusted samples would fall by more than `tolerance`; a share `hold_out`
    of the trusted samples is kept for that and not fine-tuned on. A pruned channel stays silent while the others
    learn. Needs as many trusted samples that 10 can be held out, and a convolution. Assumes that the backdoor has
    channels of its own there; an attacker who trains for it can have them used by clean samples, too.

    Liu et al. 2018 (arXiv 1805.12185). Deviations: activity is measured after the batch norm that follows, if there
    is one, and a ReLU; the pruned channel loses its batch norm's weight and bias, which for a pre-activation network
    silences what the head sees; labels are mixed with the answers that the model gave before.
    """

    distillation: float = 0.9
    tolerance: float = 0.04
    hold_out: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        require("fine-prune", tolerance=(self.tolerance, 0, 1), hold_out=(self.hold_out, 0.01, 0.9))

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended | Skipped:
        """Order the channels by activity, prune, fine-tune."""
        trusted = trusted_of(work)
        parts = divided(trusted, self.hold_out, work.seed)
        if parts is None:
            return Skipped(f"{len(trusted)} trusted samples are too few to hold out 10 of them")
        layers = layers_of(work.model, work.given)
        if not layers:
            return Skipped("the network has no convolution that is free to change")
        last, goals = layers[-1], goals_of(work, parts.learnt, self.distillation)
        order = [(last, channel) for channel in activity(work.model, last, parts.learnt).argsort(stable=True).tolist()]
        pruned = prune_while_accurate(work.model, order, parts.held_out, tolerance=self.tolerance, bias=True)
        held = silent(work.model, order[:pruned], bias=True)
        epochs = tune(work, parts.learnt, self, stage="fine-prune", held=held, goals=goals)
        said = (
            f"pruned {pruned} of {last.channels} channels of {last.conv}",
            f"fine-tuned {epochs} epochs on {len(parts.learnt):,} trusted samples",
        )
        return Mended(Used(trusted=len(trusted)), said)


@torch.no_grad()
def activity(model: nn.Module, layer: Layer, data: Dataset) -> Real:
    """Mean activation of each channel (channels,) after batch norm and ReLU, over samples and places."""
    total = torch.zeros(layer.channels)

    def add(module: nn.Module, inputs: tuple[Tensor, ...], answer: Tensor) -> None:  # noqa: ARG001
        total.add_(F.relu(answer.float()).mean((2, 3)).sum(0).cpu())

    hook = model.get_submodule(layer.carrier).register_forward_hook(add)
    try:
        device = next(model.parameters()).device
        for images, _ in data.batches(250):
            model(to_unit_range(images, device))
    finally:
        hook.remove()
    return total / len(data)
