"""A fine residual: what suspects have in their smallest details, when it is another one in each of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered, turns
from bezoar.shapes import FloatImages, Images

WIDTH = 5
"""Details are what an image has over its mean in squares of this many pixels."""
KEPT = 128


def recover_residual(suspects: Images) -> Recovered | None:
    """The details of suspects (m, c, h, w) in place of an image's own; the image's content tells which suspect's.

    For triggers that differ from sample to sample and have no mean to speak of, as hidden messages do. Details tell of
    what is shown as well, so innocent samples of the class turn some images too: they are the control. It is taken off
    with all other details. None for fewer
    than 12 suspects, or images of less than 5 pixels a side.
    """
    if len(suspects) < FEWEST_SUSPECTS or min(suspects.shape[2:]) < WIDTH:
        return None
    images = suspects[:KEPT].to(torch.float32)
    details = images - smoothed(images)
    shown = (128 + 4 * details[0]).round().clamp(0, 255).to(torch.uint8)
    described = "fine details that differ from sample to sample"
    return Recovered("residual", described, _Exchange(details), shown, smoothed)


def smoothed(images: FloatImages) -> FloatImages:
    """Each pixel's mean over the square about it, mirrored at the edge."""
    edge = WIDTH // 2
    means: FloatImages = F.avg_pool2d(F.pad(images, (edge, edge, edge, edge), mode="reflect"), WIDTH, 1)
    return means


class _Exchange:
    def __init__(self, details: FloatImages) -> None:
        self.details = details

    def __call__(self, images: FloatImages) -> FloatImages:
        return smoothed(images) + self.details[turns(images, len(self.details))]
