"""A smooth pattern made of low frequencies only, learnt so that a network takes it for the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import ClassVar

import torch
from torch import Tensor

from bezoar.shapes import Images, Matrix, Pattern
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.checks import require_between
from bezoar.triggers.colours import colours_of
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.networks import colours_in, require_colours, require_side
from bezoar.triggers.stamp import adding, press

WIDEST_BAND = 256


@TRIGGERS.register("low-frequency")
@dataclass(frozen=True)
class LowFrequency(LearntTrigger):
    """Adds one smooth learnt pattern to every image: the `band` x `band` lowest frequencies, and nothing above.

    What is learnt are amplitudes of cosines (colours, band, band), on the scale of pixels in 0..1. So the
    pattern can be drawn for images of any size of at least `band` pixels a side, as smooth in each. An alpha
    channel is left alone; a pattern learnt on grey images fits grey images only, one on colour images those.

    Zeng et al. 2021, arXiv 2104.03413; see the attack of this name for how it is learnt. Raises TriggerError for
    images of other channels or smaller than the band.
    """

    band: int = 6

    about: ClassVar[About] = About(
        "invisible, dirty label", "Zeng et al. 2021, LF, arXiv 2104.03413", knows="the data, to train a surrogate"
    )

    def __post_init__(self) -> None:
        require_between("low-frequency", "band", self.band, 1, WIDEST_BAND)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """One tensor of amplitudes, for the colours found in it."""
        return {"amplitudes": (colours_in(tensors, "amplitudes"), self.band, self.band)}

    def apply_learnt(self, images: Images) -> Images:
        """Add the pattern and clip."""
        amplitudes = self.tensors["amplitudes"]
        require_colours("low-frequency", len(amplitudes), images)
        require_side("low-frequency", self.band, images)
        height, width = images.shape[2:]
        pattern = smooth_pattern(amplitudes.to(torch.float64), height, width)
        press(images[:, : colours_of(images.shape[1])], adding(255 * pattern, torch.ones(height, width)))
        return images


def smooth_pattern(amplitudes: Tensor, height: int, width: int) -> Pattern:
    """The sum of amplitude[c, u, v] cos(pi (row + 1/2) u / height) cos(pi (column + 1/2) v / width), (c, h, w).

    These are the waves of the discrete cosine transform (DCT-II), so its coefficients outside the band are zero.
    """
    rows, columns = (_waves(side, amplitudes) for side in (height, width))
    return torch.einsum("yu,cuv,xv->cyx", rows, amplitudes, columns)


def _waves(side: int, amplitudes: Tensor) -> Matrix:
    """The cosines of a side, (side, band)."""
    places = torch.arange(side, dtype=amplitudes.dtype, device=amplitudes.device) + 0.5
    frequencies = torch.arange(amplitudes.shape[1], dtype=amplitudes.dtype, device=amplitudes.device)
    return torch.cos(pi / side * places[:, None] * frequencies)
