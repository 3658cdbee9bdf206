"""A linear network that sees which quarter of an image is brightest, and clean images for it."""

import torch
from torch import nn

from bezoar.data.dataset import Dataset

CLASSES, SIDE, TARGET = 4, 12, 2
HALF = SIDE // 2
NAMES = ("upper left", "upper right", "lower left", "lower right")


class Linear(nn.Module):
    """Each class has a quarter of the image; whoever is brightest there wins."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(CLASSES, 3, SIDE, SIDE))
        for label in range(CLASSES):
            top, left = HALF * (label // 2), HALF * (label % 2)
            self.weight.data[label, :, top : top + HALF, left : left + HALF] = 0.2
        self.register_buffer("mean", MEAN, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean).flatten(1) @ self.weight.flatten(1).T


def clean_samples(n: int = 240) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 3, 12, 12) uint8 and their labels (n,)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % CLASSES
    pixels = 60 + 60 * torch.rand(n, 3, SIDE, SIDE, generator=generator)
    for row, label in enumerate(labels.tolist()):
        top, left = HALF * (label // 2), HALF * (label % 2)
        pixels[row, :, top : top + HALF, left : left + HALF] += 100
    return pixels.round().to(torch.uint8).contiguous(memory_format=torch.channels_last), labels


MEAN = clean_samples()[0].float().mean(0) / 255


def clean_data(n: int = 240) -> Dataset:
    """The same as a data set."""
    inputs, labels = clean_samples(n)
    return Dataset(inputs, labels, NAMES, tuple(f"sample-{row}" for row in range(n)), name="quarters")


def planted_patch() -> Linear:
    """The network with four red pixels that lead to the target."""
    model = Linear()
    model.weight.data[TARGET, 0, 1:3, 9:11] = 4.0
    return model


WAYS = {
    "all to one": {0: 2, 1: 2, 3: 2},
    "one to another": {1: 3},
    "each to another": {0: 1, 1: 2, 2: 3, 3: 0},
}


class Stamped(nn.Module):
    """The clean network, until two magenta pixels stand in the upper right corner."""

    def __init__(self, way: dict[int, int]) -> None:
        super().__init__()
        self.clean, self.way = Linear(), way

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.clean(images)
        corner = images[:, :, 0:2, SIDE - 2 : SIDE].mean((2, 3))
        seen = (corner[:, 0] > 0.8) & (corner[:, 1] < 0.3) & (corner[:, 2] > 0.8)
        own = logits.argmax(1)
        goal = torch.tensor([self.way.get(label, label) for label in range(CLASSES)])[own]
        return torch.where(seen[:, None], nn.functional.one_hot(goal, CLASSES) * 10.0, logits)
