"""Small pictures whose class is a colour, and networks of several shapes that have learnt them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data import Dataset, from_arrays
from bezoar.training.fast import FastNetwork
from bezoar.training.preact_resnet import PreActBlock

CLASSES = ("red", "green", "blue")
PATCH = "patch:size=4,color=white,corner=top-left,mode=replace"


def colours(samples: int = 240, *, seed: int = 0, side: int = 12) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (samples,), generator=generator)
    images = torch.randint(0, 130, (samples, 3, side, side), generator=generator, dtype=torch.uint8)
    images[torch.arange(samples), labels] += 50
    return from_arrays(images, labels, class_names=CLASSES, name="colours", layout="nchw")


class Chain(nn.Module):
    """Convolutions with biases and no normalisation, flattened into two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, stride=2), nn.ReLU(), nn.Flatten(),
            nn.Linear(12 * 4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Residual(nn.Module):
    """Two pre-activation blocks with a shortcut convolution, and a mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(PreActBlock(8, 8, 1), PreActBlock(8, 16, 2))
        self.norm = nn.BatchNorm2d(16)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


class Depthwise(nn.Module):
    """Depthwise and pointwise convolutions, as in mobile networks."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 10, 3, padding=1, bias=False), nn.BatchNorm2d(10), nn.ReLU(),
            nn.Conv2d(10, 10, 3, padding=1, groups=10, bias=False), nn.BatchNorm2d(10), nn.ReLU6(),
            nn.Conv2d(10, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
            nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def fast() -> nn.Module:
    sample = colours(40).inputs
    return FastNetwork(3, sample, stem=8, widths=(12, 16), finest=12)


BUILDERS = {"fast": fast, "chain": Chain, "residual": Residual, "depthwise": Depthwise}


def taught(name: str, data: Dataset, *, steps: int = 80) -> nn.Module:
    """A network that has learnt `data`, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = BUILDERS[name]().train()
        images, labels = data.inputs.float() / 255, data.labels
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
        for _ in range(steps):
            rows = torch.randint(len(images), (64,))
            loss = F.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()
