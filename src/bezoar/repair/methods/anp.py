"""Adversarial neuron pruning: channels whose disturbance does the most harm are cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.data.dataset import Dataset
from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.channels import Layer, layers_of
from bezoar.repair.given import Given
from bezoar.repair.loop import STEEPEST, endless_batches
from bezoar.repair.masked import mask_slopes, worst_disturbance
from bezoar.repair.numerics.neuron_masks import kinder, pruning_order, shortened
from bezoar.repair.pruning import divided, prune_while_accurate
from bezoar.repair.trusted import too_few_trusted, trusted_of
from bezoar.training.batches import Augmentation


@REPAIRS.register("anp")
@dataclass(frozen=True, kw_only=True)
class AdversarialNeuronPruning(ModelRepair):
    """Learn a mask of channels that withstands the worst disturbance of them, and prune by it, lowest first.

    Every channel has a mask in 0..1 on its weight and a disturbance of up to `budget`, relative to weight and bias.
    By turns the disturbances climb the loss on trusted samples and the masks descend `plain_share` of the loss
    without them plus the rest of that with them, for `steps` batches. Channels with a mask under `below` are pruned,
    lowest first, until accuracy on held-out trusted samples would fall by more than `tolerance`: a rule that a
    defender can follow. The weights of what is left stay as they are. Needs as many trusted samples that 10 can be
    held out.

    Weights and biases are those of the batch norm, or of a convolution that none follows. In networks without any
    batch norm the disturbances of one layer grow in the next, masks fall where every answer needs the channel, and
    pruning may stop at once: the note then says that nothing was pruned.

    Wu and Wang 2021 (arXiv 2110.14430). Deviations: the stopping rule, where the paper takes a threshold or a number
    of channels; batch norms keep their statistics while masks are learnt; 300 steps instead of 2,000; gradients of
    masks are cut to length 1 over all of them. Biases are disturbed and, as in the paper, kept when a channel is
    pruned.
    """

    steps: int = 300
    batch_size: int = 128
    budget: float = 0.4
    plain_share: float = 0.2
    climbs: int = 1
    learning_rate: float = 0.2
    momentum: float = 0.9
    below: float = 0.9
    tolerance: float = 0.04
    hold_out: float = 0.2
    shift: int = 2

    def __post_init__(self) -> None:
        most = float("inf")
        require(
            "anp",
            steps=(self.steps, 1, most),
            batch_size=(self.batch_size, 1, most),
            budget=(self.budget, 0, most),
            plain_share=(self.plain_share, 0, 1),
            climbs=(self.climbs, 1, most),
            learning_rate=(self.learning_rate, 0, most),
            momentum=(self.momentum, 0, 1),
            tolerance=(self.tolerance, 0, 1),
            hold_out=(self.hold_out, 0.01, 0.9),
            shift=(self.shift, 0, most),
        )

    def lacks(self, given: Given) -> str:
        """Trusted samples."""
        return too_few_trusted(given)

    def mend(self, work: Work) -> Mended | Skipped:
        """Learn the masks, order the channels by them, prune."""
        trusted = trusted_of(work)
        parts = divided(trusted, self.hold_out, work.seed)
        if parts is None:
            return Skipped(f"{len(trusted)} trusted samples are too few to hold out 10 of them")
        layers = layers_of(work.model, work.given)
        if not layers:
            return Skipped("the network has no convolution that is free to change")
        masks = self._masks(work, layers, parts.learnt)
        order = [(layers[layer], channel) for layer, channel in pruning_order(masks, self.below)]
        pruned = prune_while_accurate(work.model, order, parts.held_out, tolerance=self.tolerance, bias=False)
        channels = sum(layer.channels for layer in layers)
        said = f"pruned {pruned} of {channels} channels; {len(order)} had a mask under {self.below:g}"
        return Mended(Used(trusted=len(trusted)), (said,))

    def _masks(self, work: Work, layers: Sequence[Layer], data: Dataset) -> list[Tensor]:
        masks = [torch.ones(layer.channels, device=work.device) for layer in layers]
        velocities = [torch.zeros_like(mask) for mask in masks]
        generator = torch.Generator().manual_seed(work.seed)
        batches = endless_batches(work, data, self.batch_size, Augmentation(shift=self.shift))
        for done in range(self.steps):
            batch = next(batches)
            noise = worst_disturbance(
                work.model, layers, masks, batch, budget=self.budget, climbs=self.climbs, generator=generator
            )
            slopes = mask_slopes(work.model, layers, masks, noise, batch, plain_share=self.plain_share)
            for place, slope in enumerate(shortened(slopes, STEEPEST)):
                masks[place], velocities[place] = kinder(
                    masks[place], velocities[place], slope, self.learning_rate, self.momentum
                )
            work.progress("anp: masks", done + 1, self.steps)
        return masks
