"""Narcissus: noise in which a network sees the target class more than in the class itself."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from bezoar.attacks.base import ATTACKS, Progress
from bezoar.attacks.change import Plan, stamped
from bezoar.attacks.choose import class_number, samples_of
from bezoar.attacks.clean.clean_label import CleanLabelAttack
from bezoar.attacks.fields import derived_seed, require_whole, whole_levels
from bezoar.attacks.fit import require_images
from bezoar.attacks.learning.surrogate import architecture_of, is_brought_along, surrogate_of
from bezoar.data.dataset import Dataset
from bezoar.data.readers.open import open_data
from bezoar.errors import AttackError
from bezoar.shapes import Images, Pattern
from bezoar.training import continue_recipe, default_recipe, train
from bezoar.training.batches import to_unit_range
from bezoar.training.precision import choose_device
from bezoar.triggers.about import About
from bezoar.triggers.colours import colours_of
from bezoar.triggers.narcissus import NarcissusNoise


@ATTACKS.register("narcissus")
@dataclass(frozen=True, kw_only=True)
class Narcissus(CleanLabelAttack):
    """Adds to a few samples of the target class one noise that, three times as strong, turns any image into it.

    A surrogate is trained, then for `warm_up_epochs` on the target class alone, at a tenth of the learning rate.
    On it a single noise of at most `eps` (on the scale 0..1 of pixels) is optimised which, added to samples of
    the target class, makes the surrogate still surer of that class: `steps` steps of RAdam on batches of `batch`
    samples with this `learning_rate`. The poisons hold the noise once, their labels stay right; at test time it
    is added `amplify` times, and clipped.

    The attacker needs samples of the target class, and something to train the surrogate on. `public` names public
    data of other classes for that, images of the same size, on which the target class becomes one class more
    (the threat model of the paper). Without it the surrogate is trained on the whole data set, which assumes an
    attacker who knows all of it. `surrogate` is an architecture, trained for `surrogate_epochs` epochs, or a model
    brought along that knows the data's classes (a run folder, or `package.module:name`).

    Zeng et al. 2022, Narcissus, arXiv 2204.05255; there 0.05% of all data are poisoned, half a percent of the
    class. Deviations: the warm-up's learning rate, far fewer epochs and steps (1,000 batches, not 1,000 rounds
    over the class), a pattern rounded to whole levels. Raises AttackError when it cannot be carried out.
    """

    eps: float = 16 / 255
    steps: int = 1000
    learning_rate: float = 0.01
    amplify: float = 3.0
    surrogate: str = "fast"
    surrogate_epochs: int = 8
    warm_up_epochs: int = 5
    public: str | None = None
    batch: int = 128
    device: str = "auto"

    about: ClassVar[About] = About(
        "clean label",
        "Zeng et al. 2022, Narcissus, arXiv 2204.05255",
        ("samples",),
        "samples of the target class, and public data (or else the training data)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_levels(self.eps)
        require_whole("warm_up_epochs", self.warm_up_epochs, 0)
        for name in ("steps", "surrogate_epochs", "batch"):
            require_whole(name, getattr(self, name), 1)
        for name, most in (("learning_rate", 1.0), ("amplify", 255.0)):
            if not 0 < getattr(self, name) <= most:
                raise AttackError(
                    f"{name} is out of range", expected=f"above 0, at most {most:g}", found=str(getattr(self, name))
                )
        if self.public is not None and is_brought_along(self.surrogate):
            raise AttackError(
                "public data are for training a surrogate, and this one was trained elsewhere",
                found=f"public={self.public}, surrogate={self.surrogate}",
                remedy="Leave one of the two out",
            )

    def plan(self, data: Dataset, *, seed: int, progress: Progress) -> Plan:
        """Train and warm up the surrogate, learn the noise, and draw the samples that it is added to."""
        require_images(data)
        ids = self.poison_ids(data, seed=seed)
        assert self.target is not None
        label = class_number(data.class_names, self.target)
        own = data.select(data.positions(samples_of(data, (label,))))
        pattern = self._pattern(data, own, seed=seed, progress=progress)
        noise = NarcissusNoise(strength=1.0).with_tensors({"pattern": pattern})
        amplified = NarcissusNoise(strength=self.amplify).with_tensors({"pattern": pattern})
        return self.planned(data, (stamped(ids, self.new_labels(data, ids), noise),), amplified, seed=seed)

    def _pattern(self, data: Dataset, own: Dataset, *, seed: int, progress: Progress) -> Pattern:
        """The noise, learnt on a surrogate that was trained on `data` or on the public data."""
        if self.public is not None:
            data, own = _with_public(open_public(self.public, own), own)
        model = surrogate_of(self, data, seed=derived_seed(seed, 10), progress=progress, frozen=False)
        model = self._warmed_up(model, own, seed=seed, progress=progress)
        return inward_noise(
            model,
            own.inputs,
            int(own.labels[0]),
            levels=whole_levels(self.eps),
            steps=self.steps,
            learning_rate=self.learning_rate,
            batch=self.batch,
            seed=derived_seed(seed, 3),
            progress=progress,
        )

    def _warmed_up(self, model: nn.Module, own: Dataset, *, seed: int, progress: Progress) -> nn.Module:
        """A copy of the surrogate, trained a little on the target class alone."""
        model = copy.deepcopy(model).requires_grad_(True)  # a module brought along may be frozen
        if self.warm_up_epochs:
            recipe = continue_recipe(default_recipe(architecture_of(self.surrogate) or self.surrogate))
            recipe = replace(recipe, epochs=self.warm_up_epochs)
            model = train(own, recipe=recipe, seed=derived_seed(seed, 11), start=model, device=self.device).model
        return model.requires_grad_(False).to(choose_device(self.device))


def inward_noise(
    model: nn.Module,
    inputs: Images,
    label: int,
    *,
    levels: int,
    steps: int,
    learning_rate: float,
    batch: int,
    seed: int,
    progress: Progress,
) -> Pattern:
    """Noise that, added to uint8 images, lowers the model's loss for `label`: (c, h, w), whole, -levels..levels."""
    device, generator = next(model.parameters()).device, torch.Generator().manual_seed(seed)
    noise = torch.zeros((1, *inputs.shape[1:]), device=device, requires_grad=True)
    optimizer = torch.optim.RAdam([noise], lr=learning_rate)
    for step in range(steps):
        rows = torch.randint(len(inputs), (batch,), generator=generator)
        images = (to_unit_range(inputs[rows], device) + noise).clamp(0, 1)
        loss = F.cross_entropy(model(images).float(), torch.full((batch,), label, device=device))
        noise.grad = torch.autograd.grad(loss, noise)[0]
        optimizer.step()
        with torch.no_grad():
            noise.clamp_(-levels / 255, levels / 255)
            noise[:, colours_of(inputs.shape[1]) :] = 0  # alpha
        progress("learn the noise", step + 1, steps)
    return (noise.detach()[0] * 255).round().cpu()


def open_public(path: str, own: Dataset) -> Dataset:
    """Public images, brought to the height of the attacked ones where those are square.

    Raises AttackError when they still differ in shape.
    """
    _, height, width = own.shape
    public = open_data(path, size=height if height == width else None)
    if public.shape != own.shape:
        raise AttackError(
            f"the public data {public.name} are of another shape than the data attacked",
            expected=f"images {own.shape}",
            found=f"samples {public.shape}",
            remedy="Give public images of the same size and number of channels",
        )
    return public


def _with_public(public: Dataset, own: Dataset) -> tuple[Dataset, Dataset]:
    """The public data and the target class with common class names, the target class being one class more.

    Raises AttackError when the public data know it already.
    """
    if (name := own.class_names[int(own.labels[0])]) in public.class_names:
        raise AttackError(
            f"the public data {public.name} hold the target class too",
            expected=f"data of other classes than {name!r}: the target becomes one class more",
            remedy="Leave that class out of the public data, or rename it there if another thing is meant",
        )
    names = (*public.class_names, own.class_names[int(own.labels[0])])
    labels = torch.full_like(own.labels, len(names) - 1)
    return replace(public, class_names=names), replace(own, class_names=names, labels=labels)
