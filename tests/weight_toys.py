"""A small network of random weights, and the same with a channel and weights planted that lead to one class."""

import torch
from torch import nn

from bezoar.data.dataset import Dataset

CLASSES, TARGET, SHAPE = 6, 4, (3, 8, 8)
LOUD = 5


def network(seed: int = 0) -> nn.Sequential:
    """Two convolutions of 16 channels with batch norm, pooling and a linear layer."""
    return network_of(CLASSES, seed)


def network_of(classes: int, seed: int = 0) -> nn.Sequential:
    """The same for another number of classes."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, classes, bias=False),
    )
    return model.eval()


def planted(seed: int = 0) -> nn.Sequential:
    """Channel 5 of the second convolution is far louder than the others, and the target answers to it."""
    model = network(seed)
    model[3].weight.data[LOUD] *= 6
    model[8].weight.data[TARGET, LOUD] = 3.0
    return model


def clean_data(n: int = 120) -> Dataset:
    """Noise under labels that mean nothing: for what asks how features vary."""
    generator = torch.Generator().manual_seed(1)
    # Each image has a tone of its own, lest pooling makes all alike.
    tones = 255 * torch.rand(n, SHAPE[0], 1, 1, generator=generator)
    images = (0.5 * tones + 127 * torch.rand(n, *SHAPE, generator=generator)).to(torch.uint8)
    labels = torch.arange(n) % CLASSES
    names = tuple(f"class {label}" for label in range(CLASSES))
    return Dataset(images, labels, names, tuple(f"sample-{row}" for row in range(n)), name="noise")
