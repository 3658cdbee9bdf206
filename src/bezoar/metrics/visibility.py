"""How visible a trigger is: PSNR, SSIM and the share of pixels it changes. The only metrics that assume images."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bezoar.errors import EmptyDataError, ShapeError
from bezoar.records import Skipped, Visibility
from bezoar.shapes import FloatImages, Real

PEAK = 255.0
WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * PEAK) ** 2
C2 = (0.03 * PEAK) ** 2
# Values worked on at once: a few maps of this size in float64 stay within a processor's cache.
BATCH_VALUES = 1 << 18


@torch.no_grad()
def visibility(clean: Tensor, triggered: Tensor) -> Visibility:
    """Compare images with the same images triggered: both uint8 (n, c, h, w), on one device.

    PSNR (peak 255, dB) is the mean over the images that changed, Skipped when none did: an unchanged image
    has an infinite one. SSIM is the mean over images and channels, Skipped on images smaller than its
    11x11 window. `pixels_changed` is the share of pixels, over all images, that differ in any channel.
    Raises ShapeError or EmptyDataError.
    """
    _check(clean, triggered)
    n, channels, height, width = clean.shape
    squared_errors, similarities, changed = [], [], 0
    for start in range(0, n, size := max(1, BATCH_VALUES // (channels * height * width))):
        before, after = clean[start : start + size], triggered[start : start + size]
        changed += int((before != after).any(dim=1).sum())
        before, after = before.double(), after.double()
        squared_errors.append((before - after).square().mean(dim=(1, 2, 3)))
        if min(height, width) >= WINDOW:
            similarities.append(ssim(before, after))
    return Visibility(
        psnr=_mean_psnr(torch.cat(squared_errors)),
        ssim=float(torch.cat(similarities).mean()) if similarities else _too_small(height, width),
        pixels_changed=changed / (n * height * width),
        images=n,
    )


def ssim(first: FloatImages, second: FloatImages) -> Real:
    """Structural similarity of each pair of images: float64 (n, c, h, w) in 0..255 to (n,).

    Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 13 (2004): 11x11 Gaussian window of standard deviation 1.5,
    K1 = 0.01, K2 = 0.03, the mean over all positions where the whole window fits, without their optional
    downsampling; here for each channel, then the mean. Pixels at the border lie in few windows, so a mark
    in the corner costs less than the same mark in the middle.
    """
    mean_first, mean_second = _blur(first), _blur(second)
    variance_first = _blur(first * first) - mean_first.square()
    variance_second = _blur(second * second) - mean_second.square()
    covariance = _blur(first * second) - mean_first * mean_second
    luminance = (2 * mean_first * mean_second + C1) / (mean_first.square() + mean_second.square() + C1)
    structure = (2 * covariance + C2) / (variance_first + variance_second + C2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def _blur(images: Tensor) -> Tensor:
    """Gaussian mean at every position where the window fits: (n, c, h, w) to (n, c, h-10, w-10).

    Sums of shifted slices, since float64 convolution on a processor is several times slower.
    """
    height, width = images.shape[-2] - WINDOW + 1, images.shape[-1] - WINDOW + 1
    weights = _gaussian()
    rows = images[..., :height, :] * weights[0]
    for shift in range(1, WINDOW):
        rows += images[..., shift : shift + height, :] * weights[shift]
    blurred = rows[..., :width] * weights[0]
    for shift in range(1, WINDOW):
        blurred += rows[..., shift : shift + width] * weights[shift]
    return blurred


def _gaussian() -> list[float]:
    weights = [math.exp(-((place - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for place in range(WINDOW)]
    return [weight / math.fsum(weights) for weight in weights]


def _mean_psnr(squared_errors: Real) -> float | Skipped:
    changed = squared_errors[squared_errors > 0]
    if not len(changed):
        return Skipped("the trigger changed no image, and the PSNR of identical images is infinite")
    return float((10 * torch.log10(PEAK**2 / changed)).mean())


def _too_small(height: int, width: int) -> Skipped:
    return Skipped(f"images of {height}x{width} are smaller than the {WINDOW}x{WINDOW} window of SSIM")


def _check(clean: Tensor, triggered: Tensor) -> None:
    for name, images in (("clean", clean), ("triggered", triggered)):
        if images.ndim != 4 or images.dtype != torch.uint8:
            raise ShapeError(
                f"{name} images must be uint8 of shape (n, c, h, w)",
                found=f"{images.dtype} {tuple(images.shape)}",
                remedy="Scale floats in 0..1 by 255 and round",
            )
    if clean.shape != triggered.shape:
        raise ShapeError(
            "clean and triggered images differ in shape",
            expected=str(tuple(clean.shape)),
            found=str(tuple(triggered.shape)),
        )
    if clean.numel() == 0:
        raise EmptyDataError("there are no images to compare", remedy="Give at least one image with a pixel")
