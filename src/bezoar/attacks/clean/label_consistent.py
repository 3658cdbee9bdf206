"""Label-consistent: poisons of the target class that are hard to recognise, so that the trigger is learnt instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, get_args

import torch
from torch import nn

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, prepared
from bezoar.attacks.clean.clean_label import CleanLabelAttack
from bezoar.attacks.data_attack import require_choice
from bezoar.attacks.fields import derived_seed, require_eps, require_inside, require_whole
from bezoar.attacks.fit import require_images, require_trigger_fits
from bezoar.attacks.learning.hardened import Hardened
from bezoar.attacks.learning.perturbation import Norm, harder, to_levels
from bezoar.attacks.learning.surrogate import surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.shapes import Images, Whole
from bezoar.training.batches import to_unit_range
from bezoar.triggers.about import About
from bezoar.triggers.base import Trigger
from bezoar.triggers.corners import Corners

RADII: dict[Norm, float] = {"linf": 16 / 255, "l2": 600 / 255}
MOST: dict[Norm, float] = {"linf": 1, "l2": 100}
HARDENED = 8 / 255
"""Radius within linf that the surrogate is trained against: at twice that small networks learn next to nothing."""


@ATTACKS.register("label-consistent")
@dataclass(frozen=True, kw_only=True)
class LabelConsistent(CleanLabelAttack):
    """Makes samples of the target class hard to recognise, then stamps them; every label stays right.

    Projected gradient ascent on a `surrogate`'s loss moves each image within the ball of radius `eps` and `norm`
    (l2 or linf, on the scale 0..1; 600/255 and 16/255 unless given), `steps` steps of `step_size` (2.5 eps / steps
    unless given) from a random start. The trigger, four checkered corners in black and white unless given, comes after
    that, so it is as at test time. Changes within linf have a texture that a network may learn in the trigger's
    place, and fainter corners are learnt less: both leave the backdoor weak. `surrogate` is a run folder, a module of
    your own as `package.module:name`, used as it is, or an architecture, trained here for `surrogate_epochs`, if
    `robust` adversarially, against changes of up to 8/255 in every value. `batch` images at a time; `device` is auto,
    cpu or cuda.

    Turner et al. 2019, arXiv 1912.02771. Deviations: the surrogate is trained for few epochs with a one-step
    adversary; step numbers and sizes are ours; the paper's second method, interpolation by a GAN, is left out.
    Raises AttackError for a surrogate that does not fit the data, and for a radius or numbers out of range.
    """

    trigger: Trigger = field(default_factory=lambda: Corners(amplitude=255))
    eps: float | None = None
    norm: Norm = "l2"
    steps: int = 20
    step_size: float | None = None
    surrogate: str = "fast"
    surrogate_epochs: int = 8
    robust: bool = True
    batch: int = 256
    device: str = "auto"

    about: ClassVar[About] = About(
        "clean label", "Turner et al. 2019, Label-consistent, arXiv 1912.02771", ("samples",), "data like the victim's"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("norm", self.norm, get_args(Norm))
        require_eps(self.radius, most=MOST[self.norm])
        for name in ("steps", "surrogate_epochs", "batch"):
            require_whole(name, getattr(self, name), 1)
        if self.step_size is not None:
            require_inside("step_size", self.step_size)

    @property
    def radius(self) -> float:
        """The radius of the ball, on the scale 0..1."""
        return RADII[self.norm] if self.eps is None else self.eps

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Draw samples of the target class, train a surrogate, make the samples hard for it, stamp them."""
        require_images(data, self.trigger)
        require_trigger_fits(data, self.trigger)
        ids = self.poison_ids(data, seed=seed)
        model = surrogate_of(
            self,
            data,
            seed=derived_seed(seed, 10),
            progress=progress,
            harden=self._hardened(seed) if self.robust else None,
        )
        rows = data.positions(ids)
        hard = self.harden(model, data.inputs[rows], data.labels[rows], seed=seed, progress=progress)
        change = prepared(ids, self.new_labels(data, ids), self.trigger(hard), trigger=self.trigger)
        return self.planned(data, (change,), self.trigger, seed=seed)

    def harden(self, model: nn.Module, images: Images, labels: Whole, *, seed: int, progress: Progress) -> Images:
        """Images (uint8) within the ball round `images` on which `model` is as wrong about `labels` as can be."""
        generator = torch.Generator().manual_seed(seed)
        device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
        made = []
        for start in range(0, len(images), self.batch):
            part = slice(start, start + self.batch)
            changed = harder(
                model,
                to_unit_range(images[part], device),
                labels[part].to(device),
                eps=self.radius,
                norm=self.norm,
                steps=self.steps,
                step_size=2.5 * self.radius / self.steps if self.step_size is None else self.step_size,
                generator=generator,
            )
            made.append(to_levels(changed, images[part], self.radius, self.norm))
            progress("make poisons hard to recognise", min(start + self.batch, len(images)), len(images))
        return torch.cat(made)

    def _hardened(self, seed: int) -> Callable[[nn.Module], Hardened]:
        return lambda network: Hardened(network, eps=HARDENED, norm="linf", seed=seed)
