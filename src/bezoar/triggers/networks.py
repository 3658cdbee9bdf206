"""Networks inside triggers: their shapes, and putting them on images so that batches do not matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bezoar.errors import TriggerError
from bezoar.shapes import FloatImages, Images, Region
from bezoar.triggers.colours import colours_of

BLOCK = 8
BLOCK_PIXELS = BLOCK * 32 * 32
"""A network sees 8 images of up to 32x32 at a time, fewer of larger ones: its maps then stay in a processor's cache."""

MOST_COLOURS = 4


def colours_in(tensors: Mapping[str, Tensor], name: str) -> int:
    """For how many colours a trigger was learnt: the length of one of its tensors, or 3 when that says nonsense."""
    found = len(tensors[name]) if name in tensors and tensors[name].ndim else 0
    return found if 1 <= found <= MOST_COLOURS else 3


def require_colours(trigger: str, learnt: int, images: Images) -> None:
    """Raise TriggerError unless the images have the colour channels that the trigger was learnt for."""
    if colours_of(images.shape[1]) != learnt:
        raise TriggerError(
            f"{trigger} was learnt on images of other channels",
            expected=f"{learnt} colour channel{'s' if learnt > 1 else ''}" + (", or RGBA" if learnt == 3 else ""),
            found=f"{images.shape[1]} channels",
            remedy="Learn it on data of these channels",
        )


def require_side(trigger: str, smallest: int, images: Images) -> None:
    """Raise TriggerError unless the images are at least so many pixels high and wide."""
    height, width = images.shape[2:]
    if min(height, width) < smallest:
        raise TriggerError(
            f"{trigger}: the images are too small for what was learnt",
            expected=f"at least {smallest}x{smallest} (height x width)",
            found=f"{height}x{width}",
        )


def shapes_of(network: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors, without the memory for them."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in network().state_dict().items()}


def fitted(network: Callable[[], nn.Module], tensors: Mapping[str, Tensor]) -> Callable[..., Tensor]:
    """The network as a function that uses `tensors`, on whatever device these are."""
    with torch.device("meta"):
        skeleton = network().eval()
    return lambda *inputs: functional_call(skeleton, dict(tensors), inputs)


def blocks(images: Images, colours: int) -> Iterator[tuple[Region, FloatImages]]:
    """The first `colours` channels piece by piece: a view of them, and a block of them for a network.

    Blocks are float32 in 0..1 and all of one size, which depends on that of the images only, and of one layout in
    memory; the last is filled up with black. On a processor the result for an image is then the same in every
    batch, bit for bit, where the libraries compute the images of a block alike, as they do on the machines tested.
    Elsewhere, and between kinds of devices, a value may differ by rounding: by one level in uint8.
    """
    height, width = images.shape[2:]
    size = max(1, min(BLOCK, BLOCK_PIXELS // (height * width)))
    for start in range(0, len(images), size):
        region = images[start : start + size, :colours]
        plan = torch.empty((size, colours, height, width), device=images.device, memory_format=torch.channels_last)
        block = plan.zero_()
        block[: len(region)] = region
        yield region, block.div_(255) if region.dtype == torch.uint8 else block


def write(region: Region, values: Tensor) -> None:
    """Put what was made of a block, in 0..1 or clipped to it, into the view it was taken from."""
    values = values[: len(region)].clamp(0, 1)
    region.copy_(values.mul_(255).round_() if region.dtype == torch.uint8 else values)
