"""Learning to hide strings in images and to read them again: an encoder, a decoder, and what both are paid for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.base import Progress, unheard
from bezoar.attacks.fields import derived_seed
from bezoar.attacks.learning.batches import drawn_rows
from bezoar.training.allocator import recycled_memory
from bezoar.training.batches import to_unit_range
from bezoar.training.precision import choose_precision
from bezoar.training.randomness import seeded
from bezoar.triggers.colours import colours_of
from bezoar.triggers.sample_specific import Encoder

RATE = 1e-3
SQUARES, STRUCTURE = 5.0, 1.0
"""Weights of the squared error and of 1 - SSIM, beside the cross entropy of the bits, when fully grown."""

LIKENESS = 0.3
"""Weight of the likeness of two residuals that hide the same string in different images."""

FIRST = 0.1
"""Their share once every bit is read right; before, less of it, and none while reading is chance: they would win."""

LONGEST_GRADIENT = 1.0
READ_WELL = 0.95
"""The losses on the image grow while at least so many bits are read right, on average over recent batches."""

GROWTH = 0.5
"""The share of all steps in which they grow to their full weight."""

MEMORY = 0.95
HELD_OUT = 512
READ_AT_ONCE = 32
POOLED = 4


@dataclass(frozen=True, eq=False)
class Hiding:
    """What was learnt: both networks, a secret (bits,) of 0 and 1, and the share of bits read right from new images."""

    encoder: Encoder
    decoder: Decoder
    secret: Tensor
    bit_accuracy: float


class Decoder(nn.Module):
    """Images (n, c, h, w) in 0..1 to a logit for each bit, (n, bits)."""

    def __init__(self, colours: int, bits: int, width: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(colours, width, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, 1, 1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(POOLED),
            nn.Flatten(),
            nn.Linear(4 * width * POOLED * POOLED, 128),
            nn.ReLU(),
            nn.Linear(128, bits),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the bits, which are 1 above 0."""
        logits: Tensor = self.maps(images - 0.5)
        return logits


def learn_hiding(
    images: Tensor,
    *,
    bits: int,
    width: int,
    steps: int,
    batch: int,
    seed: int,
    device: torch.device,
    progress: Progress = unheard,
) -> Hiding:
    """Learn to hide strings of `bits` bits in images (n, c, h, w) uint8, n > 1; an alpha channel is left out.

    Some images, 512 or a fifth at most, are held out. Everything random comes from `seed`.
    """
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(derived_seed(seed, 8)))
    kept = min(HELD_OUT, max(1, len(images) // 5))
    held_out, seen = order[:kept], order[kept:]
    colours = colours_of(images.shape[1])
    images = images[:, :colours]
    with seeded(derived_seed(seed, 5)):
        networks = Encoder(colours, bits, width), Decoder(colours, bits, width)
        for network in networks:
            network.apply(_started)
    encoder, decoder = (network.to(device, memory_format=torch.channels_last) for network in networks)  # type: ignore[call-overload]
    learner = _Learner(encoder, decoder, device, steps, seed)
    with recycled_memory():
        for rows in drawn_rows(seen, batch, steps, seed=derived_seed(seed, 7)):
            learner.step(to_unit_range(images[rows], device))
            progress("learn to hide a string", learner.done, steps)
    accuracy = learner.accuracy(images[held_out])
    progress(f"{accuracy:.0%} of the hidden bits can be read", steps, steps)
    return Hiding(encoder.cpu().eval(), decoder.cpu().eval(), learner.strings(1)[0].cpu(), accuracy)


class _Learner:
    """The state of one learning."""

    def __init__(self, encoder: Encoder, decoder: Decoder, device: torch.device, steps: int, seed: int) -> None:
        self.encoder, self.decoder, self.device, self.steps = encoder, decoder, device, steps
        self.half = choose_precision(device) is torch.bfloat16
        self.generator = torch.Generator().manual_seed(derived_seed(seed, 6))
        self.optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=RATE)
        self.done, self.grown, self.read = 0, 0.0, 0.5

    @property
    def weight(self) -> float:
        """The share of the losses on the image."""
        return max(self.grown, FIRST * (2 * self.read - 1))

    def strings(self, count: int) -> Tensor:
        """Random strings (count, bits) of 0 and 1."""
        bits = self.encoder.spread.in_features
        return torch.randint(2, (count, bits), generator=self.generator).float().to(self.device)

    def step(self, images: Tensor) -> None:
        """Learn from one batch."""
        # Each string is hidden in two images, whose residuals shall differ.
        strings = self.strings(-(-len(images) // 2)).repeat(2, 1)[: len(images)]
        hidden, logits = self.hide_and_read(images, strings)
        loss = F.binary_cross_entropy_with_logits(logits, strings) + self.weight * visible(images, hidden)
        if self.grown:
            loss = loss + self.grown * LIKENESS * likeness(hidden - images)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.param_groups[0]["lr"] = RATE * min(1.0, 4 * (1 - self.done / self.steps))
        nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], LONGEST_GRADIENT)
        self.optimizer.step()
        self._grow(float(((logits > 0) == (strings > 0)).float().mean()))

    def hide_and_read(self, images: Tensor, strings: Tensor) -> tuple[Tensor, Tensor]:
        """Images with strings hidden in them, and the logits read from them as they would be stored."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            residual = self.encoder(images, strings)
        hidden = images + residual.float()
        # As it will be stored. Clipping and rounding would stop the gradient, so that it passes by them.
        stored = hidden + (hidden.detach().clamp(0, 1).mul(255).round().div(255) - hidden.detach())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits = self.decoder(stored)
        return hidden, logits.float()

    def _grow(self, read: float) -> None:
        self.done += 1
        self.read = MEMORY * self.read + (1 - MEMORY) * read
        if self.read >= READ_WELL:
            self.grown = min(1.0, self.grown + 1 / (GROWTH * self.steps))

    @torch.no_grad()
    def accuracy(self, images: Tensor) -> float:
        """The share of bits of new strings that are read right from these images, uint8 (n, c, h, w)."""
        strings = self.strings(len(images))
        right = 0
        for some, their in zip(torch.split(images, READ_AT_ONCE), torch.split(strings, READ_AT_ONCE), strict=True):
            logits = self.hide_and_read(to_unit_range(some, self.device), their)[1]
            right += int(((logits > 0) == (their > 0)).sum())
        return right / strings.numel()


def _started(layer: nn.Module) -> None:
    """Weights at which signals keep their size from layer to layer (He et al. 2015); smaller ones never learn."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def visible(images: Tensor, hidden: Tensor) -> Tensor:
    """How much can be seen: squared error and lack of structural similarity, weighted; both (n, c, h, w) in 0..1."""
    return SQUARES * F.mse_loss(hidden, images) + STRUCTURE * (1 - structural_similarity(images, hidden))


def likeness(residuals: Tensor) -> Tensor:
    """Mean cosine between the residuals of the first half of a batch and those of the second, (n, c, h, w)."""
    half = len(residuals) // 2
    first, second = residuals[:half].flatten(1), residuals[len(residuals) - half :].flatten(1)
    return F.cosine_similarity(first, second).mean()


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean structural similarity of images in 0..1, with a uniform window of 7x7 pixels (or the whole of smaller ones).

    Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 13 (2004), K1 = 0.01, K2 = 0.03; their window is Gaussian.
    """
    window = min(7, *first.shape[2:])
    mean_first, mean_second, square_first, square_second, product = (
        F.avg_pool2d(values, window, 1) for values in (first, second, first * first, second * second, first * second)
    )
    variances = square_first - mean_first.square() + square_second - mean_second.square()
    covariance = product - mean_first * mean_second
    luminance = (2 * mean_first * mean_second + 1e-4) / (mean_first.square() + mean_second.square() + 1e-4)
    return (luminance * (2 * covariance + 9e-4) / (variances + 9e-4)).mean()
