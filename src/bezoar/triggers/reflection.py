"""Reflections: a scene in a pane of glass before the image, sharp, blurred or doubled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from bezoar.errors import TriggerError
from bezoar.shapes import Images
from bezoar.triggers.about import About
from bezoar.triggers.base import TRIGGERS, VaryingTrigger
from bezoar.triggers.checks import require_one_of, require_range
from bezoar.triggers.colours import for_channels
from bezoar.triggers.picture import Picture, load_picture
from bezoar.triggers.scenes import SCENES
from bezoar.triggers.stamp import parts

Model = Literal["mixed", "in-focus", "out-of-focus", "ghost"]
MODELS = ("in-focus", "out-of-focus", "ghost")

GHOST_WEIGHT = (0.15, 0.35)
"""Range of alpha, the weight of the second image in a ghost; the first has 1 - alpha."""

KEPT_PIXELS = 512
"""A user's pictures are kept with their longer side no larger, so that a folder of photographs fits in memory."""

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm"}


@TRIGGERS.register("reflection")
@dataclass(frozen=True)
class Reflection(VaryingTrigger):
    """Adds the reflection of a scene to every image: out = clip(image + strength * (scene convolved with a kernel)).

    The kernel is that of a `model`: in-focus leaves the scene sharp (same depth of field); out-of-focus blurs it,
    a Gaussian with a sigma from the range `blur`; ghost doubles it, as thick glass does, into alpha times the
    scene moved by a distance from `shift` in any direction, and 1 - alpha times the scene itself. Each kernel sums
    to 1; sigma and distance are shares of the image's longer side. mixed has all three of every scene.

    Scenes are six drawn here, or `pictures`: a file, or all picture files of a folder, each scaled (bicubic) to
    cover the image and cut to it. Every scene has one kernel of each model, drawn from `seed`; which of
    these reflections an image gets, and its `strength`, is drawn from the seed and the image's content. Grey
    images get the scene's luminance, the alpha of RGBA images stays.

    Liu et al. 2020, Refool, arXiv 2007.02343, section 3. Deviations: reflections are not selected; there
    candidate photographs are scored over several rounds by how many validation images they turn on a model trained
    with them, and the best are kept (give those as `pictures`). Distances are shares, there pixels of larger
    images. One range of strength serves all models (0.05 to 0.45 in the authors' code, here narrower, so that no
    reflection is too faint to learn), and the drawn scenes are simpler than photographs. The paper
    poisons samples of the target class and keeps their labels: the attack clean-label with this trigger.
    Raises TriggerError for ranges out of bounds, and for pictures that are missing or unreadable.
    """

    model: Model = "mixed"
    strength: tuple[float, float] = (0.2, 0.4)
    blur: tuple[float, float] = (0.02, 0.05)
    shift: tuple[float, float] = (0.05, 0.15)
    pictures: str | None = None
    seed: int = 0
    scenes: tuple[Callable[[int], Tensor], ...] = field(init=False, repr=False, compare=False)

    draws: ClassVar[int] = 2
    about: ClassVar[About] = About("invisible, dirty label", "Liu et al. 2020, Refool, arXiv 2007.02343")

    def __post_init__(self) -> None:
        require_one_of("reflection", "model", self.model, get_args(Model))
        require_range("reflection", "strength", self.strength, 0.01, 1)
        require_range("reflection", "blur", self.blur, 0.001, 0.5)
        require_range("reflection", "shift", self.shift, 0.001, 0.5)
        object.__setattr__(self, "scenes", SCENES if self.pictures is None else user_scenes(self.pictures))

    @property
    def models(self) -> tuple[str, ...]:
        """The models in use."""
        return MODELS if self.model == "mixed" else (self.model,)

    def vary(self, images: Images, drawn: Tensor) -> Images:
        """Add to each image its reflection, reflection by reflection."""
        chosen = (drawn[:, 0] * len(self.scenes) * len(self.models)).long()
        low, high = self.strength
        strength = (low + drawn[:, 1] * (high - low))[:, None, None, None]
        last = images.is_contiguous(memory_format=torch.channels_last)
        pixels = images.permute(0, 2, 3, 1) if last else images
        for number in sorted(set(chosen.tolist())):
            light = self._light(number, images)
            _add(pixels, light.permute(1, 2, 0).contiguous() if last else light, strength, (chosen == number).nonzero())
        return images

    def _light(self, number: int, images: Images) -> Tensor:
        """A reflection as it is added to images like these, (c, h, w), on their scale."""
        channels, height, width = images.shape[1:]
        light = self.reflection(number, height, width)
        light = torch.cat([light, torch.zeros_like(light[:1])]) if channels == 4 else for_channels(light, channels)
        working = torch.float64 if images.dtype == torch.float64 else torch.float32
        return (light if images.dtype == torch.uint8 else light / 255).to(images.device, working)

    def reflection(self, number: int, height: int, width: int) -> Tensor:
        """Reflection `number` at strength 1, (3, h, w) in 0..255: scene number // models, seen through its kernel."""
        which, model = divmod(number, len(self.models))
        generator = torch.Generator().manual_seed(self.seed)
        reflections = len(self.scenes) * len(self.models)
        draws = torch.rand(reflections, 3, generator=generator, dtype=torch.float64)[number].tolist()
        longer = max(height, width)
        margin = math.ceil(max(3 * self.blur[1], self.shift[1]) * longer) + 1
        scene = self.scenes[which](longer + 2 * margin)
        if self.models[model] == "out-of-focus":
            scene = blurred(scene, _between(self.blur, draws[0]) * longer)
        elif self.models[model] == "ghost":
            distance = max(1.0, _between(self.shift, draws[0]) * longer)
            down, right = (round(distance * part(2 * math.pi * draws[1])) for part in (math.sin, math.cos))
            alpha = _between(GHOST_WEIGHT, draws[2])
            scene = (1 - alpha) * scene + alpha * scene.roll((down, right), dims=(1, 2))
        top, left = ((side - wanted) // 2 for side, wanted in zip(scene.shape[1:], (height, width), strict=True))
        return scene[:, top : top + height, left : left + width]


def blurred(scene: Tensor, sigma: float) -> Tensor:
    """A scene (3, h, w) under a Gaussian of 3 sigma each way; as many pixels less at its edges."""
    radius = math.ceil(3 * sigma)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, dtype=torch.float64) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    down = conv2d(scene[:, None], kernel[None, None, :, None])
    return conv2d(down, kernel[None, None, None])[:, 0]


def user_scenes(path: str) -> tuple[Callable[[int], Tensor], ...]:
    """The scenes of a picture file, or of a folder's picture files by name. Raises TriggerError when there is none."""
    if not Path(path).is_dir():
        files = [path]
    else:
        files = sorted(str(file) for file in Path(path).iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise TriggerError(
            f"reflection: no picture in {path}",
            expected="files ending in " + ", ".join(sorted(SUFFIXES)),
            remedy="Name a folder with pictures in it, or a picture file",
        )
    return tuple(PictureScene(load_picture(file).shrunk(KEPT_PIXELS)) for file in files)


@dataclass(frozen=True)
class PictureScene:
    """A picture as a scene."""

    picture: Picture

    def __call__(self, size: int) -> Tensor:
        """The middle of the picture at this size, (3, size, size); where it is transparent there is no light."""
        rows, columns = (max(size, round(side * size / min(self.picture.size))) for side in self.picture.size)
        colour, opacity = self.picture.resized(rows, columns)
        top, left = (rows - size) // 2, (columns - size) // 2
        return (colour * opacity)[:, top : top + size, left : left + size]


def _between(span: tuple[float, float], draw: float) -> float:
    return span[0] + draw * (span[1] - span[0])


def _add(pixels: Tensor, light: Tensor, strength: Tensor, rows: Tensor) -> None:
    """Add the light, times the strength of each image, to some rows of pixels (n, ...), in place."""
    for part in parts(len(rows), light.numel()):
        some = rows[part, 0]
        lit = pixels[some].to(light.dtype) + strength[some].to(light.dtype) * light
        lit = lit.clamp_(0, 255).round_() if pixels.dtype == torch.uint8 else lit.clamp_(0, 1)
        pixels[some] = lit.to(pixels.dtype)
