"""Filter and retrain: the suspects are left out, and the network is trained again from nothing."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import dataclass

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError
from bezoar.records import Skipped
from bezoar.repair.anew import draw_anew
from bezoar.repair.base import REPAIRS, Mended, ModelRepair, Used, Work, require
from bezoar.repair.given import FEWEST, Given
from bezoar.training import Progress, Recipe, default_recipe, train
from bezoar.training.predict import require_classes

FEWEST_STEPS, SMALLEST_BATCH = 20, 32
"""An epoch of few samples is divided into 20 batches, if each has 32."""


@REPAIRS.register("filter-retrain")
@dataclass(frozen=True, kw_only=True)
class FilterRetrain(ModelRepair):
    """Leave the suspects out of the training data and train the same network from scratch.

    The network comes from `Given.fresh`, or else is a copy of the model with its weights drawn anew; frozen parts,
    such as a fixed stem, are kept. It is trained as it was, where that is known (`Given.recipe`); else, or where
    `recipe` names a network, by that network's recipe, or a general one, with smaller batches where there are few
    samples, and rates of plain descent with them. The other fields, where given, change it. Needs training data,
    suspects among them, and samples of every class without them. What the suspects miss is learnt again: a few
    poisons left can be enough.
    """

    recipe: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    shift: int | None = None

    def __post_init__(self) -> None:
        require("filter-retrain", epochs=(self.epochs or 1, 1, float("inf")))

    def lacks(self, given: Given) -> str:
        """Training data and suspects, and something left without them."""
        if given.training is None:
            return "the data that the model was trained on were not given"
        if not given.suspects:
            return "nobody is suspected, so that there is nothing to leave out"
        rest = given.unflagged()
        if rest is None or len(rest) < FEWEST:
            return f"without the suspects fewer than {FEWEST} samples are left"
        before = given.training.class_counts
        gone = [
            name for name, old, new in zip(rest.class_names, before, rest.class_counts, strict=True) if old and not new
        ]
        return f"without the suspects no sample of {', '.join(gone)} is left" if gone else ""

    def mend(self, work: Work) -> Mended | Skipped:
        """Filter, make the network anew, train."""
        rest = work.given.unflagged()
        assert rest is not None
        if work.given.fresh is None:
            network, how = work.model, "from a copy with its weights drawn anew"
            if reason := draw_anew(network):
                return Skipped(reason)
        else:
            network, how = _checked(work.given.fresh(), rest), "from a fresh network"
        with work.meter.watching(network) if network is not work.model else nullcontext():
            recipe = self._train(work, network, rest)
        said = (
            f"left out {len(work.given.suspects):,} suspects",
            f"trained {recipe.epochs} epochs on {len(rest):,} samples, {how}",
        )
        return Mended(Used(training=len(rest), suspects=len(work.given.suspects)), said, network)

    def _train(self, work: Work, network: nn.Module, rest: Dataset) -> Recipe:
        recipe = self._recipe(len(rest), work.given.recipe)

        def hear(heard: Progress) -> None:
            work.progress("filter-retrain", (heard.epoch - 1) * heard.samples_total + heard.samples_done, total)

        total = recipe.epochs * len(rest)
        train(rest, recipe=recipe, seed=work.seed, start=network, device=str(work.device), progress=hear)
        return recipe

    def _recipe(self, samples: int, known: Recipe | None) -> Recipe:
        if known is not None and self.recipe is None:
            own = {"epochs": self.epochs, "batch_size": self.batch_size, "learning_rate": self.learning_rate}
            return known.with_changes(**own, shift=self.shift)
        usual = default_recipe(self.recipe or "")
        size = self.batch_size or min(usual.batch_size, max(SMALLEST_BATCH, samples // FEWEST_STEPS))
        # A rate is made for a batch size: without batch norm a small batch at the rate of a large one diverges.
        share = size / usual.batch_size if usual.optimizer == "sgd" else 1.0
        rate = self.learning_rate if self.learning_rate is not None else usual.learning_rate * share
        return usual.with_changes(epochs=self.epochs, batch_size=size, learning_rate=rate, shift=self.shift)


def _checked(network: object, data: Dataset) -> nn.Module:
    if not isinstance(network, nn.Module):
        raise ModelError("the function that makes the network made none", found=type(network).__name__)
    require_classes(network, data.inputs, data.class_names, "the fresh network")
    # It may be an object that the user holds on to, even the model itself.
    return copy.deepcopy(network)
