"""What a trigger is: a function from a batch to a batch of the same shape and dtype.

`Trigger` is all that other rooms ask for. `ImageTrigger` does the checking and copying once and
leaves its author a single hook; `StampTrigger` is for a fixed pattern, whatever its place and mode;
`VaryingTrigger` for one that numbers drawn anew for each image make different.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Protocol, final, runtime_checkable

import torch
from torch import Tensor

from bezoar.errors import TriggerError
from bezoar.registry import Registry
from bezoar.shapes import Images, Whole
from bezoar.triggers.placement import image_draws, scattered_corners
from bezoar.triggers.stamp import Stamp, press, press_at, private_copy

RANGE_TOLERANCE = 1e-4
"""How far a float may lie outside 0..1: rounding of earlier arithmetic, not another scale."""


@runtime_checkable
class Trigger(Protocol):
    """`trigger(batch) -> batch`: same shape and dtype, input untouched.

    An image batch is (n, c, h, w), uint8 in 0..255 or float in 0..1. A trigger that draws
    something anew for each sample takes its randomness from a seed among its own fields.
    """

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch with the trigger on every sample."""
        ...


TRIGGERS: Registry[Trigger] = Registry("trigger")


class ImageTrigger(ABC):
    """A trigger on images: an author writes `apply`, everything around it is done here."""

    @property
    def adds_pattern(self) -> bool:
        """Whether there is a pattern that clipping could swallow.

        Not where the trigger rearranges what the image holds, or is learnt, or another on each image.
        """
        return True

    @property
    def varies(self) -> bool:
        """Whether place or form are drawn for each image, from its content and the field `seed`."""
        return False

    @final
    def __call__(self, batch: Tensor) -> Tensor:
        """Put the trigger on every image of a batch (n, c, h, w), uint8 in 0..255 or float in 0..1.

        Returns a new batch of the same shape, dtype, device and memory format; n = 0 is fine.
        Raises TriggerError when the batch is not such a batch or the trigger does not fit it.
        """
        check_batch(batch)
        with torch.no_grad():
            images = private_copy(batch)
            if len(batch) == 0:
                return images
            result = self.apply(images)
        return _checked_result(result, batch, type(self).__name__)

    @abstractmethod
    def apply(self, images: Images) -> Images:
        """Put the trigger on `images`, a checked copy that may be written to, and return them."""


class StampTrigger(ImageTrigger):
    """A trigger that puts the same stamp on every image: an author writes `stamp`."""

    @abstractmethod
    def stamp(self, shape: tuple[int, int, int]) -> Stamp:
        """The stamp for images of shape (channels, height, width). Raises TriggerError when it does not fit."""

    @final
    def apply(self, images: Images) -> Images:
        """Press the stamp on the images, at its place or at one drawn for each image."""
        stamp = self.placed_stamp(images)
        if stamp.scatter_seed is None:
            press(images, stamp)
        else:
            press_at(images, stamp, *self.corners(images, stamp))
        return images

    @final
    def placed_stamp(self, images: Images) -> Stamp:
        """The stamp for these images. Raises TriggerError when any of it would lie outside them."""
        channels, height, width = images.shape[1:]
        stamp = self.stamp((channels, height, width))
        bottom, right = stamp.top + stamp.height, stamp.left + stamp.width
        if min(stamp.top, stamp.left) < 0 or bottom > height or right > width:
            raise TriggerError(
                f"the trigger {TRIGGERS.spec_of(self)} does not fit in the image",
                expected=f"a place within {height}x{width} (height x width)",
                found=f"rows {stamp.top}..{bottom - 1}, columns {stamp.left}..{right - 1}",
                remedy="Make it smaller (its field size, where it has one) or move it inwards",
            )
        return stamp

    @final
    def corners(self, images: Images, stamp: Stamp) -> tuple[Whole, Whole]:
        """Top and left of the stamp on each image, each (n,) int64."""
        if stamp.scatter_seed is None:
            return torch.full((len(images),), stamp.top), torch.full((len(images),), stamp.left)
        return scattered_corners(images, stamp.height, stamp.width, seed=stamp.scatter_seed)


class VaryingTrigger(ImageTrigger):
    """A trigger that differs from image to image: an author writes `vary`, and says how many `draws` it needs.

    The numbers come from the field `seed` and the image's content, so that batches and their order don't matter.
    """

    draws: ClassVar[int]
    varies: ClassVar[bool] = True
    seed: int

    @final
    def apply(self, images: Images) -> Images:
        """Draw for each image, and put the trigger on it accordingly."""
        return self.vary(images, self.drawn_for(images))

    @final
    def drawn_for(self, images: Images) -> Tensor:
        """What is drawn for these images: numbers in 0..1 (1 left out), (n, draws) float64 on their device."""
        return image_draws(images, self.draws, seed=self.seed)

    @abstractmethod
    def vary(self, images: Images, drawn: Tensor) -> Images:
        """As `apply`, with the numbers (n, draws) that make it different on each image."""


def check_batch(batch: Tensor) -> None:
    """Raise TriggerError unless `batch` is (n, c, h, w), uint8 or float in 0..1, saying what to do."""
    if not isinstance(batch, Tensor):
        raise TriggerError(
            "a trigger works on a torch tensor",
            found=type(batch).__name__,
            remedy="For an NHWC array write torch.from_numpy(array).permute(0, 3, 1, 2)",
        )
    _check_axes(batch)
    if batch.dtype == torch.uint8:
        return
    if not batch.is_floating_point():
        raise TriggerError(
            "pixels must be uint8 in 0..255 or float in 0..1",
            found=str(batch.dtype),
            remedy="Convert the batch to torch.uint8 first",
        )
    _check_range(batch)


def _check_axes(batch: Tensor) -> None:
    found = f"shape {tuple(batch.shape)}"
    if batch.ndim == 3:
        raise TriggerError(
            "a trigger works on a batch, not on a single image or a batch without channels",
            expected="shape (n, c, h, w)",
            found=found,
            remedy="Write image.permute(2, 0, 1)[None] for one HWC image, image[None] for CHW, batch[:, None] for NHW",
        )
    if batch.ndim != 4:
        raise TriggerError("a trigger works on a batch of images", expected="shape (n, c, h, w)", found=found)
    if batch.shape[1] > 4 and batch.shape[3] in (1, 3, 4):
        raise TriggerError(
            "the batch seems to have its channels last",
            expected="shape (n, c, h, w)",
            found=found,
            remedy="Write batch.permute(0, 3, 1, 2)",
        )
    if 0 in batch.shape[1:]:
        raise TriggerError("the images have no pixels", expected="shape (n, c, h, w)", found=found)


def _check_range(batch: Tensor) -> None:
    if batch.numel() == 0:
        return
    # In the order of memory: torch would first copy a channels-last batch into another order.
    dense = batch.permute(0, 2, 3, 1) if batch.is_contiguous(memory_format=torch.channels_last) else batch
    low, high = (float(limit) for limit in dense.detach().aminmax())
    if low >= -RANGE_TOLERANCE and high <= 1 + RANGE_TOLERANCE:
        return
    bytes_likely = low >= 0 and 1 < high <= 255
    raise TriggerError(
        "float pixels must lie in 0..1",
        found=f"{low:g} to {high:g}",
        remedy="Divide by 255" if bytes_likely else "Put the trigger on before normalising, on finite pixels in 0..1",
    )


def _checked_result(result: Tensor, batch: Tensor, name: str) -> Tensor:
    if not isinstance(result, Tensor):
        raise TriggerError(f"{name}.apply must return the batch", found=type(result).__name__)
    if result.shape != batch.shape or result.dtype != batch.dtype or result.device != batch.device:
        raise TriggerError(
            f"{name}.apply changed the kind of the batch",
            expected=f"{tuple(batch.shape)} {batch.dtype} on {batch.device}",
            found=f"{tuple(result.shape)} {result.dtype} on {result.device}",
        )
    return result
