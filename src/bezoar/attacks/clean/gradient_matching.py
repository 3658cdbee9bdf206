"""Gradient matching: poisons that teach the trigger without showing it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, get_args

import numpy as np
from torch import nn

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, prepared
from bezoar.attacks.choose import class_number, draw_samples, samples_of
from bezoar.attacks.clean.clean_label import CleanLabelAttack
from bezoar.attacks.composing.compose import compose
from bezoar.attacks.data_attack import require_choice
from bezoar.attacks.fields import derived_seed, require_whole, whole_levels
from bezoar.attacks.fit import require_images, require_trigger_fits
from bezoar.attacks.learning.gradients import Crafting, Gradient, Perturbations, gradient_norms, mean_gradient
from bezoar.attacks.learning.surrogate import architecture_of, surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.shapes import Images
from bezoar.training.precision import choose_device
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.patch import Patch

Selection = Literal["gradient-norm", "random"]

SOURCE_IMAGES = 2000
"""Triggered source images that define the wanted gradient, at most; more would hardly turn it."""


@ATTACKS.register("gradient-matching")
@dataclass(frozen=True, kw_only=True)
class GradientMatching(CleanLabelAttack):
    """Sleeper Agent: perturbs samples of the target class so that training on them teaches a trigger they do not show.

    A surrogate is trained on the data. The wanted gradient is that by its trainable parameters when triggered
    source images are labelled as the target. The poisons, those of the target class with the largest training
    gradients (`selection`) or random ones, are perturbed by at most `eps` (on the scale 0..1 of pixels) so that
    their own training gradient points the same way: the loss is 1 - cosine, averaged over batches of `batch`
    poisons, and `steps` steps of signed Adam are made, each of `step_size` times `eps` at first and a tenth of
    that after 3/8, 5/8 and 7/8 of them, on images shifted by up to `shift` pixels and, with `flips`, mirrored.
    `retrain` times on the way the surrogate is trained anew, on the poisoned data. Labels stay right, and no
    training image shows the trigger.

    `surrogate` is an architecture, trained for `surrogate_epochs` epochs, or a run folder, whose model is the first
    surrogate and whose architecture is trained anew; a module brought along as `package.module:name` cannot be
    trained anew and needs retrain=0. The cost is about that of the `retrain` + 1 trainings, and of 4 more passes over
    all poisons for each step.

    Souri et al. 2021, Sleeper Agent, arXiv 2106.08970, after Geiping et al. 2020, Witches' Brew, arXiv 2009.02276.
    Deviations: batches of 128 poisons instead of all at once; one start instead of several; a plain patch as trigger
    unless told otherwise, like theirs at a place of its own on each image; no flips unless asked for, and at most
    2,000 source images for the wanted gradient. With fewer steps, one retraining and the patch always in
    one corner the poisons teach little; without retraining, next to nothing. Raises AttackError when it cannot be
    carried out, TriggerError when the trigger does not fit.
    """

    trigger: Trigger = field(default_factory=lambda: Patch(size=8, color="magenta", random=True))
    eps: float = 16 / 255
    steps: int = 250
    step_size: float = 0.4
    retrain: int = 4
    selection: Selection = "gradient-norm"
    surrogate: str = "fast"
    surrogate_epochs: int = 6
    shift: int = 2
    flips: bool = False
    batch: int = 128
    device: str = "auto"

    about: ClassVar[About] = About(
        "clean label",
        "Souri et al. 2021, Sleeper Agent, arXiv 2106.08970",
        ("samples",),
        "the training data, and an architecture like the victim's",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("selection", self.selection, get_args(Selection))
        whole_levels(self.eps)
        for name, least in (("steps", 1), ("surrogate_epochs", 1), ("batch", 1), ("retrain", 0), ("shift", 0)):
            require_whole(name, getattr(self, name), least)
        if not 0 < self.step_size <= 2:
            raise AttackError(
                "step_size is out of range", expected="a share of eps above 0, at most 2", found=str(self.step_size)
            )

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Train the surrogate, choose the poisons and craft them."""
        require_images(data, self.trigger)
        require_trigger_fits(data, self.trigger)
        if self.retrain and architecture_of(self.surrogate) is None:
            raise AttackError(
                f"the surrogate {self.surrogate} is a finished module and cannot be retrained",
                expected="the name of an architecture, such as fast, or a run folder",
                remedy="Set retrain=0, or name an architecture",
            )
        drawn = self.poison_ids(data, seed=seed)
        model = self._trained(data, 0, seed=seed, progress=progress)
        ids = drawn if self.selection == "random" else self._steepest(data, model, len(drawn), progress)
        images = self._crafted(data, ids, model, seed=seed, progress=progress)
        return self._planned(data, ids, images, seed=seed)

    def _planned(self, data: Dataset, ids: tuple[str, ...], images: Images, *, seed: int) -> Plan:
        return self.planned(data, (prepared(ids, self.new_labels(data, ids), images),), self.trigger, seed=seed)

    def _trained(self, data: Dataset, number: int, *, seed: int, progress: Progress) -> nn.Module:
        """The surrogate of this number, each from a start of its own; number 0 is the one named, trained or not."""
        name = architecture_of(self.surrogate) if number else self.surrogate
        assert name is not None  # `plan` has raised for that
        attack = replace(self, surrogate=name)
        return surrogate_of(attack, data, seed=derived_seed(seed, 10 + number), progress=progress, frozen=False)

    def _steepest(self, data: Dataset, model: nn.Module, count: int, progress: Progress) -> tuple[str, ...]:
        """Ids, sorted, of the samples of the target class on which the surrogate has the largest gradients."""
        rows = data.positions(samples_of(data, (self._target(data),)))
        norms = gradient_norms(
            model, data.inputs[rows], self._target(data), heard=functools.partial(progress, "measure gradients")
        )
        chosen = rows[norms.argsort(descending=True, stable=True)[:count]]
        return tuple(sorted(data.ids[row] for row in chosen.tolist()))

    def _wanted(self, data: Dataset, model: nn.Module, *, seed: int) -> Gradient:
        """The training gradient of triggered source images labelled as the target."""
        sources = tuple(self.relabelling(data.class_names))
        count = min(SOURCE_IMAGES, sum(data.class_counts[source] for source in sources))
        ids = draw_samples(data, sources, count, np.random.default_rng([seed, 3]))
        return mean_gradient(
            model, self.trigger(data.inputs[data.positions(ids)]), self._target(data), batch=self.batch
        )

    def _crafted(
        self, data: Dataset, ids: tuple[str, ...], model: nn.Module, *, seed: int, progress: Progress
    ) -> Images:
        """The poisons, after `steps` steps in `retrain` + 1 equal parts with a surrogate of its own each."""
        crafting = Crafting(whole_levels(self.eps), self.steps, self.step_size, self.batch, self.shift, self.flips)
        originals, device = data.inputs[data.positions(ids)], choose_device(self.device)
        poisons = Perturbations(originals, self._target(data), crafting, seed=derived_seed(seed, 4), device=device)
        wanted = self._wanted(data, model, seed=seed)
        for step in range(self.steps):
            part = step * (self.retrain + 1) // self.steps
            if part > max(0, step - 1) * (self.retrain + 1) // self.steps:
                poisoned = compose(
                    data,
                    self._planned(data, ids, poisons.images(), seed=seed),
                    memory_share=self.memory_share,
                    warn_above=1,
                )
                model = self._trained(poisoned.data, part, seed=seed, progress=progress)
                wanted = self._wanted(data, model, seed=seed)
            poisons.step(model, wanted)
            progress("craft the poisons", step + 1, self.steps)
        return poisons.images()

    def _target(self, data: Dataset) -> int:
        assert self.target is not None  # `drawn` has raised for that
        return class_number(data.class_names, self.target)
