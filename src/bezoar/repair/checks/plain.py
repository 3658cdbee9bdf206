"""Plain changes of whole images: fewer colours, other colours, less detail. There are few enough to try them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from bezoar.triggers.quantise import Quantise

GREY = 0.5


@dataclass(frozen=True)
class PlainChange:
    """A change of float images (n, c, h, w) in 0..1, as a trigger for uint8 ones, and what it does in words."""

    words: str
    change: Callable[[Tensor], Tensor]

    def __call__(self, batch: Tensor) -> Tensor:
        """Changed copies of uint8 images."""
        return (self.change(batch.float() / 255).clamp(0, 1) * 255).round().to(torch.uint8)


def every_plain_change() -> tuple[PlainChange, ...]:
    """Those that photographs meet with on their way, each strong enough to be seen."""
    return (*_fewer_levels(), *_other_colours(), *_less_detail())


def _fewer_levels() -> tuple[PlainChange, ...]:
    return tuple(
        PlainChange(f"{2**depth} levels a channel{', dithered' if dithering else ''}", Quantise(depth, dithering))
        for depth in (1, 2, 3, 4)
        for dithering in (False, True)
    )


def _other_colours() -> tuple[PlainChange, ...]:
    grey = tuple(PlainChange(f"colours times {times:g}", _from_grey(times)) for times in (0.0, 0.5, 2.0))
    curves = tuple(
        PlainChange(f"brightness to the power of {power:g}", _curve(power)) for power in (0.4, 0.6, 1.6, 2.5)
    )
    contrast = tuple(PlainChange(f"contrast times {times:g}", _contrast(times)) for times in (0.4, 2.0))
    turned = tuple(PlainChange(f"channels moved on by {by}", _moved_on(by)) for by in (1, 2))
    return (*grey, *curves, *contrast, *turned, PlainChange("colours inverted", lambda images: 1 - images))


def _from_grey(times: float) -> Callable[[Tensor], Tensor]:
    def change(images: Tensor) -> Tensor:
        grey = images.mean(1, keepdim=True)
        return grey + times * (images - grey)

    return change


def _curve(power: float) -> Callable[[Tensor], Tensor]:
    return lambda images: images.pow(power)


def _contrast(times: float) -> Callable[[Tensor], Tensor]:
    return lambda images: GREY + times * (images - GREY)


def _moved_on(by: int) -> Callable[[Tensor], Tensor]:
    return lambda images: images.roll(by, 1)


def _less_detail() -> tuple[PlainChange, ...]:
    return tuple(PlainChange(f"means of {side} by {side} pixels", _mosaic(side)) for side in (2, 3, 4))


def _mosaic(side: int) -> Callable[[Tensor], Tensor]:
    def change(images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        means = F.avg_pool2d(images, side, ceil_mode=True, count_include_pad=False)
        return F.interpolate(means, scale_factor=side)[:, :, :height, :width]

    return change
