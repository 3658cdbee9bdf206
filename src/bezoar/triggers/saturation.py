"""How much of a trigger was swallowed: clipped away, or put where it could not be seen."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from bezoar.errors import EmptyDataError, SaturationWarning
from bezoar.records import Saturation
from bezoar.triggers.base import StampTrigger, Trigger, VaryingTrigger, check_batch

PLAIN_LEVELS = (1 / 8, 3 / 8, 5 / 8, 7 / 8)
"""Grey levels that stand for all pixel values when the intended change is averaged over them."""

VISIBLE = 0.5 / 255
"""Smallest intended change, summed over channels, that makes a pixel part of the trigger."""

CHUNK = 1024


def saturation(trigger: Trigger, batch: Tensor, *, warn_above: float = 0.25) -> Saturation:
    """What share of the trigger's pixels was swallowed on these images (n, c, h, w), uint8 or float in 0..1.

    A pixel of the trigger counts as swallowed when it changed by less than half of the change intended,
    changes being absolute and summed over channels. Intended is the mean change over plain images of four
    grey levels, 1/8, 3/8, 5/8 and 7/8, with no clipping for a trigger that is a stamp. So:

    - add: the whole pattern; swallowed where the image is too bright (or dark, if subtracting) to take half.
    - replace and blend: the mean distance from the pattern to any grey; swallowed where the image had nearly
      that colour already, so that the change is not seen. White on white is swallowed, cyan on white is not.
    - any other callable: the change that it makes, with its own clipping, on the four plain batches of the
      same size; or, where it changes plain images nowhere (a warp), the median of its change over the images.
      One that varies from image to image keeps on plain images the numbers drawn for the real ones.

    A trigger that changes nothing counts as swallowed whole. Images are taken 1,024 at a time.
    Raises EmptyDataError without images, TriggerError when the trigger does not fit them.
    """
    check_batch(batch)
    if len(batch) == 0:
        raise EmptyDataError("saturation needs images to be measured on", remedy="Give at least one image")
    counts = [_swallowed(trigger, part) for part in _chunks(batch)]
    swallowed = torch.cat([count for count, _ in counts])
    pixels = torch.cat([total for _, total in counts])
    # An image on which the trigger means to change nothing has lost it whole.
    lost = (2 * swallowed > pixels) | (pixels == 0)
    share = int(swallowed.sum()) / int(pixels.sum()) if int(pixels.sum()) else 1.0
    return Saturation(
        swallowed=share, images_lost=int(lost.sum()) / len(batch), images=len(batch), warn_above=warn_above
    )


def warn_if_saturated(found: Saturation, trigger_spec: str) -> None:
    """Raise a SaturationWarning, naming the trigger, when more than the stated share was swallowed."""
    if found.warns:
        remedy = "Choose another colour or place"
        if any(f"mode={mode}" in trigger_spec for mode in ("add", "blend")):
            remedy += ", or let it replace the pixels (mode=replace)"
        warnings.warn(
            f"{trigger_spec}: {found.swallowed:.0%} of the trigger's pixels hardly show on {found.images} images "
            f"(warns above {found.warn_above:.0%}): they changed by less than half as much as plain grey would. "
            + remedy,
            SaturationWarning,
            stacklevel=2,
        )


def _chunks(batch: Tensor) -> Iterator[Tensor]:
    return (batch[start : start + CHUNK] for start in range(0, len(batch), CHUNK))


def _swallowed(trigger: Trigger, images: Tensor) -> tuple[Tensor, Tensor]:
    """Swallowed pixels and all pixels of the trigger, each (n,)."""
    changed = _change(trigger(images), images)
    if isinstance(trigger, StampTrigger):
        intended = _intended_of_stamp(trigger, images)
    else:
        intended = _intended_of_callable(trigger, images, changed)
    footprint = intended > VISIBLE
    swallowed = footprint & (changed < intended / 2)
    return swallowed.sum(dim=(1, 2)), footprint.expand_as(changed).sum(dim=(1, 2))


def _intended_of_stamp(trigger: StampTrigger, images: Tensor) -> Tensor:
    """Unclipped mean change at each pixel, (n, h, w)."""
    stamp = trigger.placed_stamp(images)
    levels = torch.tensor(PLAIN_LEVELS, dtype=torch.float64)[:, None, None, None]
    change = (stamp.shift / 255 - (1 - stamp.keep) * levels).abs().mean(dim=0).sum(dim=0).float().to(images.device)
    intended = torch.zeros(len(images), *images.shape[2:], device=images.device)
    tops, lefts = (corner.to(images.device) for corner in trigger.corners(images, stamp))
    rows = (tops[:, None] + torch.arange(stamp.height, device=images.device))[:, :, None]
    columns = (lefts[:, None] + torch.arange(stamp.width, device=images.device))[:, None, :]
    intended[torch.arange(len(images), device=images.device)[:, None, None], rows, columns] = change
    return intended


def _intended_of_callable(trigger: Trigger, images: Tensor, changed: Tensor) -> Tensor:
    """Mean change of plain batches, (n, h, w), or else the median change over the images, (1, h, w)."""
    put = _as_on(images, trigger)
    plain = torch.stack([_change(put(filled), filled) for filled in _plain_batches(images)]).mean(dim=0)
    return plain if bool((plain > VISIBLE).any()) else changed.median(dim=0, keepdim=True).values


def _as_on(images: Tensor, trigger: Trigger) -> Callable[[Tensor], Tensor]:
    """The trigger, doing to any batch what it does to these images."""
    if not isinstance(trigger, VaryingTrigger):
        return trigger
    drawn = trigger.drawn_for(images)
    return lambda batch: trigger.vary(batch.clone(), drawn)


def _plain_batches(images: Tensor) -> list[Tensor]:
    scale = 255 if images.dtype == torch.uint8 else 1
    return [torch.full_like(images, round(level * 255) / 255 * scale) for level in PLAIN_LEVELS]


def _change(after: Tensor, before: Tensor) -> Tensor:
    """Absolute change summed over channels, (n, h, w), on the scale 0..1 a channel."""
    scale = 255 if before.dtype == torch.uint8 else 1
    return (after.float() - before.float()).abs().sum(dim=1) / scale
