"""Learning to draw an image's own trigger: masks first, then patterns together with a classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.base import Progress, unheard
from bezoar.attacks.choose import source_rows
from bezoar.attacks.fields import derived_seed
from bezoar.attacks.learning.batches import drawn_rows, with_colours
from bezoar.data.dataset import Dataset
from bezoar.training import build_model, default_recipe
from bezoar.training.allocator import recycled_memory
from bezoar.training.batches import to_unit_range
from bezoar.training.loop import statistics_sample
from bezoar.training.optimizers import Scheduled
from bezoar.training.precision import choose_device, choose_precision
from bezoar.training.randomness import seeded
from bezoar.triggers.colours import colours_of
from bezoar.triggers.input_aware import TriggerNetworks, covered

RATE = 2e-3
QUARTER = 32
"""Images of each batch that get their own trigger, and as many that get another's; twice as many stay clean."""

DIVERSITY, DENSITY = 1.0, 100.0
"""Weights of the diversity loss and of the loss on the mask's density, as published."""


@dataclass(frozen=True)
class Wanted:
    """How the networks shall be: their width, the mask's density, and for how many batches each learns."""

    width: int
    density: float
    mask_steps: int
    steps: int


def learn_drawing(
    data: Dataset,
    relabelling: Mapping[int, int],
    wanted: Wanted,
    *,
    surrogate: str,
    seed: int,
    device: str,
    progress: Progress = unheard,
) -> TriggerNetworks:
    """The networks of masks and patterns, on the CPU. `surrogate` is the architecture that learns along.

    Everything random comes from `seed`. Raises ModelError when no such surrogate can be built.
    """
    target = choose_device(device)
    with seeded(derived_seed(seed, 5)):
        networks = TriggerNetworks(colours_of(data.shape[0]), wanted.width)
    sample = statistics_sample(data.inputs)
    classifier = build_model(surrogate, classes=len(data.class_names), sample=sample, seed=derived_seed(seed, 6))
    networks, classifier = (
        network.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for network in (networks, classifier)
    )
    lesson = _Lesson(data, relabelling, networks, classifier, seed)
    with recycled_memory():
        lesson.masks(wanted, progress)
        lesson.patterns(wanted, surrogate, progress)
    learnt: TriggerNetworks = networks.cpu().eval()
    return learnt


class _Lesson:
    """The data and the networks of one learning."""

    def __init__(
        self,
        data: Dataset,
        relabelling: Mapping[int, int],
        networks: TriggerNetworks,
        classifier: nn.Module,
        seed: int,
    ) -> None:
        self.data, self.networks, self.classifier = data, networks, classifier.train()
        self.colours = colours_of(data.shape[0])
        self.device = next(networks.parameters()).device
        self.half = choose_precision(self.device) is torch.bfloat16
        self.sources = source_rows(data, relabelling)
        self.everyone = torch.arange(len(data))
        self.target = next(iter(relabelling.values()))
        self.seeds = (derived_seed(seed, number) for number in count(7))

    def masks(self, wanted: Wanted, progress: Progress) -> None:
        """Learn masks that differ between images and cover little."""
        optimizer = torch.optim.Adam(self.networks.mask.parameters(), lr=RATE)
        for step, rows in enumerate(self._batches(self.everyone, 4 * QUARTER, wanted.mask_steps)):
            images = self._images(rows)
            with self._autocast():
                masks = self.networks.masks(images).float()
            density = F.relu(masks - wanted.density).mean()
            loss = DIVERSITY * sameness(images, masks) + DENSITY * density
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress("learn masks", step + 1, wanted.mask_steps)
        self.networks.mask.requires_grad_(False)

    def patterns(self, wanted: Wanted, surrogate: str, progress: Progress) -> None:
        """Learn patterns together with the classifier."""
        generator = torch.optim.Adam(self.networks.pattern.parameters(), lr=RATE)
        recipe = default_recipe(surrogate)
        classifier = Scheduled(self.classifier, recipe)
        parts = (
            (self.sources, QUARTER),
            (self.everyone, QUARTER),
            (self.everyone, QUARTER),
            (self.everyone, 2 * QUARTER),
        )
        draws = zip(*(self._batches(rows, size, wanted.steps) for rows, size in parts), strict=True)
        for step, (own, crossed, donors, clean) in enumerate(draws):
            loss = self._loss(own, crossed, donors, clean)
            generator.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            generator.step()
            classifier.step(step / wanted.steps)
            progress("learn patterns with a classifier", step + 1, wanted.steps)

    def _loss(self, own: Tensor, crossed: Tensor, donors: Tensor, clean: Tensor) -> Tensor:
        poisons, covers, others = (self._images(rows) for rows in (own, crossed, donors))
        with self._autocast():
            masks, patterns = (maps.float() for maps in self.networks(torch.cat([poisons, others])))
        triggered = covered(torch.cat([poisons, covers]), masks, patterns)
        rows = torch.cat([own, crossed, clean])
        batch = to_unit_range(self.data.inputs[rows], self.device)
        shown = torch.cat([triggered, batch[2 * QUARTER :, : self.colours]])
        labels = self.data.labels[rows].to(self.device)
        labels[:QUARTER] = self.target
        with self._autocast():
            logits = self.classifier(with_colours(batch, shown))
        return F.cross_entropy(logits.float(), labels) + DIVERSITY * sameness(torch.cat([poisons, others]), patterns)

    def _batches(self, rows: Tensor, size: int, steps: int) -> Iterator[Tensor]:
        return drawn_rows(rows, size, steps, seed=next(self.seeds))

    def _images(self, rows: Tensor) -> Tensor:
        return to_unit_range(self.data.inputs[rows], self.device)[:, : self.colours]

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)


def sameness(images: Tensor, drawn: Tensor) -> Tensor:
    """The diversity loss ||x - x'|| / ||g(x) - g(x')||, mean over pairs of neighbours; both (n, c, h, w)."""
    apart, drawn_apart = ((maps - maps.roll(1, 0)).flatten(1).norm(dim=1) for maps in (images, drawn))
    loss: Tensor = (apart / drawn_apart.clamp_min(1e-3)).mean()
    return loss
