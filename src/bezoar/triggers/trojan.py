"""The trojan's mark: a drawn shape whose pixels were learnt to excite a neuron."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS
from bezoar.triggers.colours import colours_of
from bezoar.triggers.corner import Corner, place_of
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.learnt import LearntTrigger, sized
from bezoar.triggers.networks import colours_in, require_colours
from bezoar.triggers.stamp import Stamp, blending, press
from bezoar.triggers.watermark import MARKS, Mark, require_mark, side_of


@TRIGGERS.register("trojan")
@dataclass(frozen=True)
class TrojanMark(LearntTrigger):
    """Lays a drawn mark over the image, as `watermark` does, but with colours that were learnt pixel by pixel.

    The tensor `pattern` is (colours, side, side), and counts within 0..1; where the mark has another size on these
    images it is resized (bilinear). `opacity` is that of the mark in 0..1, `size` its side as a share of the image's
    shorter side; it stands in the middle or in a `corner`. The alpha of RGBA images is left alone.

    Liu et al. 2018, Trojaning Attack on Neural Networks, NDSS; the attack of this name learns the pattern.
    Raises TriggerError for fields out of range and for images of other channels.
    """

    shape: Mark = "apple"
    opacity: float = 0.3
    size: float = 0.9
    corner: Corner = "center"

    about: ClassVar[About] = About(
        "visible, dirty label",
        "Liu et al. 2018, Trojaning Attack on Neural Networks, NDSS",
        knows="the data, to train a surrogate",
    )

    def __post_init__(self) -> None:
        require_mark("trojan", shape=self.shape, corner=self.corner, opacity=self.opacity, size=self.size)

    def expected(self, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
        """One square pattern, of any side and for the colours found in it."""
        pattern = tensors.get("pattern")
        side = pattern.shape[-1] if pattern is not None and pattern.ndim == 3 else 32
        return {"pattern": (colours_in(tensors, "pattern"), side, side)}

    def apply_learnt(self, images: Images) -> Images:
        """Lay the mark over the images."""
        pattern = self.tensors["pattern"].double().clamp(0, 1)
        require_colours("trojan", len(pattern), images)
        press(images[:, : colours_of(images.shape[1])], self.laid(255 * pattern, *images.shape[2:]))
        return images

    def laid(self, pattern: Tensor, height: int, width: int) -> Stamp:
        """The stamp that lays `pattern` (colours, side, side) in 0..255 over images of this height and width."""
        side = side_of(self.size, height, width)
        stamp = blending(sized(pattern, side, side), self.opacity * MARKS[self.shape](Canvas(side)))
        return stamp.at(*place_of(self.corner, height - side, width - side))
