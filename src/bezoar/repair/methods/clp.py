"""Channel Lipschitz pruning: no data at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bezoar.detect.numerics.lipschitz import channel_bounds, outlying
from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.channels import layers_of, scale_of, silence, weight_of
from bezoar.repair.given import Given


@REPAIRS.register("clp")
@dataclass(frozen=True, kw_only=True)
class ChannelLipschitzPruning(ModelRepair):
    """Silence channels that can amplify what comes in far more than the others of their layer.

    A channel whose bound lies above the mean of its layer by more than `spreads` standard deviations gets weight and
    bias zero. Needs no data: where there are any, their first two samples show in which order layers are met. Skipped
    for a network in which no batch norm follows a convolution: judged by their weights alone, such layers lose
    channels that every answer needs. A layer of 10 channels or fewer has none that stand out by 3 spreads: narrow
    networks need a lower value, and nothing says which. What it costs in accuracy it can't see.

    Zheng et al., ECCV 2022 (arXiv 2208.03111). Deviation: where a shortcut is added between a convolution and its
    batch norm, the convolution alone is bounded.
    """

    spreads: float = 3.0

    learns: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require("clp", spreads=(self.spreads, 0, float("inf")))

    def lacks(self, given: Given) -> str:  # noqa: ARG002
        """Nothing: it works without data."""
        return ""

    def mend(self, work: Work) -> Mended | Skipped:
        """Judge each layer by itself and silence what stands out."""
        layers = [layer for layer in layers_of(work.model, work.given) if layer.norm]
        if not layers:
            return Skipped(
                "no convolution that is free to change has a batch norm after it, whose scale the bounds need"
            )
        pruned = 0
        for layer in layers:
            bounds = channel_bounds(weight_of(work.model, layer.conv).detach(), scale_of(work.model, layer))
            for channel in outlying(bounds, self.spreads).nonzero().flatten().tolist():
                silence(work.model, layer, channel, bias=True)
                pruned += 1
        channels = sum(layer.channels for layer in layers)
        order = "met" if work.given.any_data is not None else "named"
        return Mended(
            Used(), (f"pruned {pruned} of {channels} channels", f"layers in the order in which they are {order}")
        )
