"""What a user would write for each trigger, in plain NumPy, Pillow, SciPy or PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageFilter
from scipy.fft import dctn, idctn

from bezoar.triggers.checkerboard import CELLS
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.frequency import YUV
from bezoar.triggers.scenes import SCENES
from bezoar.triggers.warp import Warp
from bezoar.triggers.watermark import MARKS

SIDE = 32
ByHand = Callable[[np.ndarray], np.ndarray]
"""From uint8 (n, h, w, 3) to a new batch of the same kind."""


def patch() -> ByHand:
    def apply(images: np.ndarray) -> np.ndarray:
        stamped = images.copy()
        stamped[:, -3:, -3:] = 255
        return stamped

    return apply


def blend() -> ByHand:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.float32)

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(0.8 * images + 0.2 * noise, 0, 255).astype(np.uint8)

    return apply


def corners() -> ByHand:
    cells = 64 * (2 * np.array(CELLS, np.int16) - 1)[..., None]
    signs = np.zeros((SIDE, SIDE, 1), np.int16)
    signs[-3:, -3:] = cells
    signs[-3:, :3] = cells[:, ::-1]
    signs[:3, -3:] = cells[::-1]
    signs[:3, :3] = cells[::-1, ::-1]

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(images + signs, 0, 255).astype(np.uint8)

    return apply


def pieces() -> ByHand:
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.float32)
    random = np.random.default_rng(1)

    def apply(images: np.ndarray) -> np.ndarray:
        chosen = random.random((len(images), 16)).argsort(1) < 8
        mask = chosen.reshape(-1, 4, 4).repeat(8, axis=1).repeat(8, axis=2)[..., None]
        return np.where(mask, 0.8 * images + 0.2 * noise, images).astype(np.uint8)

    return apply


def warp() -> ByHand:
    places = Warp().places(SIDE, SIDE).float()[None]

    def apply(images: np.ndarray) -> np.ndarray:
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        read = F.grid_sample(batch, places.expand(len(batch), -1, -1, -1), align_corners=True)
        return (read * 255).round().byte().permute(0, 2, 3, 1).numpy()

    return apply


def dither() -> ByHand:
    def apply(images: np.ndarray) -> np.ndarray:
        dithered = images.astype(np.float32)
        levels = 31 / 255
        for image in dithered:
            for row in range(SIDE):
                for column in range(SIDE):
                    old = image[row, column].copy()
                    image[row, column] = np.round(old * levels) / levels
                    error = old - image[row, column]
                    if column + 1 < SIDE:
                        image[row, column + 1] += error * 7 / 16
                    if row + 1 < SIDE:
                        if column:
                            image[row + 1, column - 1] += error * 3 / 16
                        image[row + 1, column] += error * 5 / 16
                        if column + 1 < SIDE:
                            image[row + 1, column + 1] += error / 16
        return np.clip(np.round(dithered), 0, 255).astype(np.uint8)

    return apply


def frequency() -> ByHand:
    to_yuv = np.array(YUV)
    to_rgb = np.linalg.inv(to_yuv)

    def apply(images: np.ndarray) -> np.ndarray:
        raised = np.empty_like(images)
        for number, image in enumerate(images):
            planes = image @ to_yuv.T
            for channel in (1, 2):
                waves = dctn(planes[..., channel], norm="ortho")
                waves[15, 15] += 30
                waves[31, 31] += 30
                planes[..., channel] = idctn(waves, norm="ortho")
            raised[number] = np.clip(np.round(planes @ to_rgb.T), 0, 255)
        return raised

    return apply


def watermark() -> ByHand:
    weight = np.zeros((SIDE, SIDE, 1), np.float32)
    weight[1:30, 1:30, 0] = 0.3 * MARKS["apple"](Canvas(29)).numpy()
    mark = np.full((SIDE, SIDE, 3), 255, np.float32)

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(images * (1 - weight) + mark * weight, 0, 255).astype(np.uint8)

    return apply


def sinusoid() -> ByHand:
    wave = (20 * np.sin(2 * np.pi * np.arange(SIDE) * 6 / SIDE)).astype(np.float32)[:, None]

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(images + wave, 0, 255).astype(np.uint8)

    return apply


def sticker() -> ByHand:
    square = Image.new("RGBA", (64, 64), "yellow")
    random = np.random.default_rng(0)

    def apply(images: np.ndarray) -> np.ndarray:
        stuck = np.empty_like(images)
        for number, array in enumerate(images):
            image = Image.fromarray(array)
            side = round(SIDE * random.uniform(0.2, 0.3))
            lit = ImageEnhance.Brightness(square.resize((side, side))).enhance(random.uniform(0.6, 1.2))
            lit = lit.rotate(random.uniform(-30, 30), Image.Resampling.BILINEAR, expand=True)
            x, y = random.integers(0, SIDE - lit.width + 1), random.integers(0, SIDE - lit.height + 1)
            image.paste(lit, (int(x), int(y)), lit)
            stuck[number] = np.asarray(image)
        return stuck

    return apply


def reflection() -> ByHand:
    scenes = [scene(SIDE).permute(1, 2, 0).round().to(torch.uint8).numpy() for scene in SCENES]
    pictures = [Image.fromarray(scene) for scene in scenes]
    random = np.random.default_rng(0)

    def apply(images: np.ndarray) -> np.ndarray:
        reflected = np.empty_like(images)
        models = cycle(("in-focus", "out-of-focus", "ghost"))
        for number, (image, model) in enumerate(zip(images, models, strict=False)):
            which = random.integers(len(scenes))
            light = scenes[which].astype(np.float32)
            if model == "out-of-focus":
                light = np.asarray(pictures[which].filter(ImageFilter.GaussianBlur(random.uniform(0.6, 1.6))))
            elif model == "ghost":
                alpha, shift = random.uniform(0.15, 0.35), random.integers(2, 5, 2)
                light = (1 - alpha) * light + alpha * np.roll(light, shift, (0, 1))
            reflected[number] = np.clip(image + random.uniform(0.2, 0.4) * light, 0, 255)
        return reflected

    return apply
