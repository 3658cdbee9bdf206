"""How sure a model stays of samples that others are laid over."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bezoar.errors import DataError, UsageError
from bezoar.training import predict_logits
from bezoar.training.allocator import recycled_memory


def superposed_entropy(
    model: nn.Module, inputs: Tensor, *, overlays: int, seed: int, batch_size: int = 250
) -> NDArray[np.float32]:
    """Entropies (n, overlays) in bits of the model's answers to each sample mixed half and half with others.

    `inputs` (n, ...) are uint8 in 0..255, or floats; each is mixed with `overlays` other rows, drawn with replacement
    from `seed`. Which they are depends on the order of rows: give them in the order of their ids where the result must
    not. The entropy is over the classes; the result does not depend on `batch_size`, save for rounding. Memory beside
    the result is that of one batch and n numbers.

    Gao et al. 2019 (arXiv 1902.06531), who write log2. Deviations: what is laid over comes from the same samples, since
    no held-out clean ones are taken for granted; half and half instead of a sum that is clipped.
    Raises DataError with fewer than two samples, UsageError without overlays, ModelError as `predict_logits`.
    """
    if len(inputs) < 2:
        raise DataError("superposition needs two samples at least", found=str(len(inputs)))
    if overlays < 1 or batch_size < 1:
        raise UsageError("overlays and batch_size must be at least 1", found=f"{overlays} and {batch_size}")
    generator = np.random.default_rng(seed)
    entropies = np.empty((len(inputs), overlays), dtype=np.float32)
    with recycled_memory():
        for column in range(overlays):
            partners = other_rows(len(inputs), generator)
            for start in range(0, len(inputs), batch_size):
                rows = slice(start, start + batch_size)
                mixed = half_and_half(inputs[rows], inputs[torch.from_numpy(partners[rows])])
                entropies[rows, column] = entropy_bits(predict_logits(model, mixed, batch_size=batch_size)).numpy()
    return entropies


def other_rows(samples: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """For each row another one, all others equally likely: (samples,)."""
    steps = generator.integers(1, samples, size=samples)
    return (np.arange(samples) + steps) % samples


def half_and_half(first: Tensor, second: Tensor) -> Tensor:
    """The mean of two batches in their own dtype; halves of a uint8 level are rounded up."""
    if first.dtype != torch.uint8:
        return (first + second) / 2
    return ((first.to(torch.int16) + second.to(torch.int16) + 1) // 2).to(torch.uint8)


def entropy_bits(logits: Tensor) -> Tensor:
    """Entropy over the classes of logits (n, k), in bits: 0 for a sure answer, log2(k) for none; (n,)."""
    logs = torch.log_softmax(logits, dim=1)
    return -(logs.exp() * logs).sum(dim=1) / math.log(2.0)
