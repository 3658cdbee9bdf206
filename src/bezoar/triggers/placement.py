"""Randomness that belongs to the image and not to its position in a batch: places, and numbers of any use."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from bezoar.shapes import Images, Whole
from bezoar.triggers.stamp import parts

WORD = 8
"""Bytes hashed at a time, as one int64."""

_MULTIPLIERS = (0x45D9F3B, 0x119DE1F3)
_STEP = 0x9E3779B9
ROWS = 4
_LOW_BITS = (1 << 32) - 1


def scattered_corners(images: Images, height: int, width: int, *, seed: int) -> tuple[Whole, Whole]:
    """Upper left corners (top, left), each (n,) int64, for a height x width rectangle on images (n, c, H, W).

    Every place within the image is equally likely. The draw depends on the seed and on the image's
    content only, so it is the same whatever the order and size of batches; identical images get the
    same place. The content is taken in steps of 1/255, so that an image draws the same place as uint8,
    float32 or float64 (float16 and bfloat16 hold too few digits for that).
    """
    rows, columns = images.shape[2] - height + 1, images.shape[3] - width + 1
    place = content_hashes(images, seed=seed) % (rows * columns)
    return place // columns, place % columns


def image_draws(images: Images, draws: int, *, seed: int) -> Tensor:
    """`draws` numbers in 0..1 (1 left out) for each image, (n, draws) float64 on the images' device.

    They depend on the seed and on the image's content only, as places do (see `scattered_corners`).
    """
    hashes = content_hashes(images, seed=seed)[:, None]
    steps = torch.arange(draws, device=hashes.device)[None] * _STEP
    mixed = _mixed(((hashes + steps) & _LOW_BITS).flatten()).view(len(images), draws)
    return mixed.to(torch.float64) / (1 << 32)


def content_hashes(images: Images, *, seed: int) -> Whole:
    """A hash in 0..2**32-1 of each image's content, (n,) int64. Not cryptographic.

    The bytes of a few rows spread over the image, in the order (h, w, c) whatever the memory format, are read
    as 64-bit words and summed with seeded random odd weights; integer sums wrap around and are exact in any
    order, so that every device gives the same. The upper half of the sum is then mixed. Images that differ in
    other rows only share a hash, which does a random place no harm and makes it several times as fast.
    """
    generator = torch.Generator().manual_seed(seed)
    step = max(1, images.shape[2] // ROWS)
    images = images[:, :, step // 2 :: step]
    values = images[0].numel()
    # The start and the weights differ in every bit, which needs two draws of 32 bits for each.
    halves = torch.randint(1 << 32, (2, 1 + -(-values // WORD)), generator=generator).to(images.device)
    start, weights = ((halves[0] << 32) | halves[1] | 1).tensor_split([1])
    sums = [_weighted(_words(images[part]), weights) for part in parts(len(images), values)]
    return _mixed((torch.cat(sums) + start) >> 32 & _LOW_BITS)


def _weighted(words: Tensor, weights: Tensor) -> Whole:
    # A tenth of the time on the CPU, but no GPU multiplies matrices of whole numbers.
    return words @ weights if words.device.type == "cpu" else (words * weights).sum(dim=1)


def _words(images: Tensor) -> Tensor:
    """The images' bytes as int64 words, (n, words)."""
    if images.dtype != torch.uint8:
        working = images.to(torch.float64 if images.dtype == torch.float64 else torch.float32)
        # Checked to lie in 0..1 but for rounding, so that cutting off the fraction cannot overflow.
        images = (working * 255).add_(0.5).to(torch.uint8)
    flat = images.permute(0, 2, 3, 1).flatten(1)
    missing = -flat.shape[1] % WORD
    if missing or flat.storage_offset() % WORD or not flat.is_contiguous():
        flat = pad(flat, (0, missing)).clone(memory_format=torch.contiguous_format)
    return flat.view(torch.int64)


def _mixed(values: Whole) -> Whole:
    """Spread 32-bit values so that every bit depends on all (multiply and xor-shift rounds)."""
    for multiplier in _MULTIPLIERS:
        values = ((values ^ (values >> 16)) * multiplier) & _LOW_BITS
    return values ^ (values >> 16)
