"""Waves: plain gratings added to a whole image, of which there are few enough to try them all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bezoar.detect.inversion.form import Parameters

AMPLITUDE = 40 / 255
"""As strong as those of the paper on SIG are at their strongest."""
HIGHEST = 8.0
"""Waves over an image. Of finer ones networks without a backdoor make natural textures: fur, scales, water."""
PHASES = (0.0, 0.25)


@dataclass(frozen=True)
class Wave:
    """A sinusoid with `down` waves over the rows and `across` over the columns, begun at `phase` (parts of a wave)."""

    down: int
    across: int
    phase: float
    amplitude: float = AMPLITUDE

    @property
    def frequency(self) -> float:
        """Waves over a side, whichever way they go."""
        return math.hypot(self.down, self.across)

    def put_on(self, images: Tensor) -> Tensor:
        """Float images (n, c, h, w) in 0..1 with the wave added, clipped."""
        return (images + self._pattern(*images.shape[2:])).clamp(0, 1)

    def as_additive(self, shape: tuple[int, ...]) -> Parameters:
        """The same as parameters of one pattern, see `inversion/forms/additive.py`."""
        return {"pattern": self._pattern(*shape[1:]).expand(1, *shape).clone()}

    def _pattern(self, height: int, width: int) -> Tensor:
        rows, columns = torch.arange(height)[:, None] / height, torch.arange(width)[None] / width
        return self.amplitude * torch.sin(2 * math.pi * (self.down * rows + self.across * columns + self.phase))


def every_wave(highest: float = HIGHEST) -> tuple[Wave, ...]:
    """Waves of every direction and of all whole frequencies up to `highest`, each in both phases."""
    most = int(highest)
    return tuple(
        Wave(down, across, phase)
        for down in range(most + 1)
        for across in range(-most, most + 1)
        if (down > 0 or across > 0) and math.hypot(down, across) <= highest
        for phase in PHASES
    )
