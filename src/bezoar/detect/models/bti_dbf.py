"""BTI-DBF: the class to which images go when all is moved but the features that clean images need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.decouple import Decoupling, benign_mask
from bezoar.detect.inversion.form import Parameters
from bezoar.detect.inversion.generator import generated, generator_start
from bezoar.detect.inversion.penultimate import Penultimate, penultimate
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores, Progress, unheard
from bezoar.records import Skipped
from bezoar.training.batches import to_unit_range

FEWEST_SAMPLES, FEWEST_CLASSES = 40, 3
HELD_OUT = 0.25
WIDTH, RATE, TINY = 16, 0.005, 1e-12
BATCH = 200
MEASURE = "share of the other classes' images that go there, beyond those that do anyway"


@MODEL_DETECTORS.register("bti-dbf")
@dataclass(frozen=True, kw_only=True)
class DecoupledBenignFeatures:
    """Features that clean images need are told from the rest by a mask; a generator then moves the rest alone.

    The generator changes images by at most `levels` of 255 (root of the mean square) and is taught in `steps` of
    `images` clean images. The statistic of a class, -1 to 1, is the share of held-out images of other classes that go
    there, less the share that goes there unchanged. One descent for all classes, and no trigger for each comes of it.
    `mask_weight` charges the mask's mean. Needs 40 clean samples and 3 classes, else Skipped.

    **It does not tell backdoored models from clean ones** on the zoo's models for choosing (LOG.md): by the number
    of steps the largest share of clean ones is .01 to .89, that of others .12 to .84 and often not the target's. In a
    small network of ten classes benign features and a backdoor's are the same ones, and images of clean networks too
    can be sent to some one class. It nominates nobody, and runs where it is asked for by name.

    Xu, Huang, Li, Qin and Ren 2024, Towards reliable and efficient backdoor trigger inversion via decoupling benign
    features, ICLR. Deviations: the mask is charged for its mean, as in BAN (Xu, Liu, Koffas, Yu and Picek 2024,
    NeurIPS, arXiv 2405.19928), since without it all features count as benign; the loss of what is left counts up to
    chance; the split is before the last linear layer; the bound on images holds exactly, by scaling, in place of a
    penalty; the generator is smaller and begins untrained. BAN's noise on neurons was tried and left out: at 20 to 30%
    it sends nearly all images of clean networks to one class too.
    """

    black_box: ClassVar[bool] = False

    steps: int = 80
    images: int = 48
    levels: float = 12.0
    mask_weight: float = 3.0

    def inspect(
        self,
        model: nn.Module,
        trusted: Dataset | None,
        shape: tuple[int, ...],
        classes: int,
        *,
        seed: int,
        progress: Progress = unheard,
    ) -> ModelScores | Skipped:
        """Shares (k,) of images that go over, beyond those that do so anyway."""
        if trusted is None or len(trusted) < FEWEST_SAMPLES:
            return Skipped(f"decoupling needs {FEWEST_SAMPLES} clean samples")
        if classes < FEWEST_CLASSES:
            return Skipped(f"destinations are compared among at least {FEWEST_CLASSES} classes")
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(trusted), generator=generator)
        held, fitted = order[: round(HELD_OUT * len(order))], order[round(HELD_OUT * len(order)) :]
        with untouched(model):
            split = penultimate(model, to_unit_range(trusted.inputs[:1]))
            parameters, mask = self._taught(split, trusted.inputs[fitted], trusted.labels[fitted], generator, progress)
            before, after = _answers(split, parameters, trusted.inputs[held], self.levels)
        labels = trusted.labels[held].numpy()
        note = f"{float(mask.mean()):.0%} of the last layer's features count as benign"
        return ModelScores(_moved_to(before, after, labels, classes), notes=(note,), measure=MEASURE)

    def _taught(
        self, split: Penultimate, inputs: Tensor, labels: Tensor, generator: torch.Generator, progress: Progress
    ) -> tuple[Parameters, Tensor]:
        """A generator that moves other than benign features, and the mask of those."""
        with torch.no_grad():
            clean = torch.cat([split.features(part)[0] for part in _batches(inputs)])
        image = to_unit_range(inputs[:1])
        effort = Decoupling(weight=self.mask_weight)
        mask = benign_mask(split, clean, labels, image, effort=effort, generator=generator)
        start = generator_start(inputs.shape[1], WIDTH, generator)
        parameters = {name: tensor.requires_grad_() for name, tensor in start.items()}
        optimizer = torch.optim.Adam(parameters.values(), lr=RATE)
        for step in range(self.steps):
            rows = torch.randint(len(inputs), (self.images,), generator=generator)
            changed = generated(parameters, to_unit_range(inputs[rows]), self.levels)
            moved = split.features(changed)[0] - clean[rows]
            optimizer.zero_grad()
            (_length(mask * moved) - _length((1 - mask) * moved)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress(step + 1, self.steps)
        return {name: tensor.detach() for name, tensor in parameters.items()}, mask


def _length(moved: Tensor) -> Tensor:
    """Mean length of the rows (n, ...), with a gradient at none."""
    return (moved.flatten(1).pow(2).sum(1) + TINY).sqrt().mean()


def _batches(inputs: Tensor) -> Iterator[Tensor]:
    for part in inputs.split(BATCH):  # type: ignore[no-untyped-call]
        yield to_unit_range(part)


@torch.no_grad()
def _answers(
    split: Penultimate, parameters: Parameters, inputs: Tensor, levels: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Classes (n,) of images as they are, and as the generator leaves them."""
    before = torch.cat([split.features(part)[1].argmax(1) for part in _batches(inputs)])
    after = torch.cat([split.features(generated(parameters, part, levels))[1].argmax(1) for part in _batches(inputs)])
    return before.numpy(), after.numpy()


def _moved_to(
    before: NDArray[np.int64], after: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """By how much a larger share of the other classes' images goes to each class (k,); 0 where there are none."""
    more = np.zeros(classes)
    for label in range(classes):
        others = labels != label
        if others.any():
            more[label] = (after[others] == label).mean() - (before[others] == label).mean()
    return more
