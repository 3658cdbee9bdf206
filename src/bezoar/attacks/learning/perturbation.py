"""Small changes to images, within a ball round the original: its norms, and adversarial steps inside it.

`delta` is a change on the scale 0..1, (n, c, h, w). The ball `linf` holds changes of at most `eps` in every value,
`l2` those whose Euclidean length over the whole image is at most `eps`. The alpha of RGBA images is left alone.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.attacks.fields import TOLERANCE, whole_levels
from bezoar.attacks.learning.batches import colours_alone
from bezoar.shapes import FloatImages, Images, Whole

Norm = Literal["linf", "l2"]


def project(delta: FloatImages, eps: float, norm: Norm) -> FloatImages:
    """The nearest change within the ball."""
    if norm == "linf":
        return delta.clamp(-eps, eps)
    return delta * (eps / _lengths(delta).clamp_min(eps))


def random_change(like: FloatImages, eps: float, norm: Norm, generator: torch.Generator) -> FloatImages:
    """A random change within the ball: uniform in every value for linf, of random direction and length for l2."""
    if norm == "linf":
        return ((torch.rand(like.shape, generator=generator) * 2 - 1) * eps).to(like.device)
    direction = torch.randn(like.shape, generator=generator)
    length = torch.rand((len(like), 1, 1, 1), generator=generator) * eps
    return (direction / _lengths(direction).clamp_min(TOLERANCE) * length).to(like.device)


def ascent(gradient: FloatImages, norm: Norm) -> FloatImages:
    """The change of length 1, in its norm, that raises a loss of this gradient most."""
    if norm == "linf":
        return gradient.sign()
    return gradient / _lengths(gradient).clamp_min(torch.finfo(gradient.dtype).tiny)


def harder(
    model: nn.Module,
    images: FloatImages,
    labels: Whole,
    *,
    eps: float,
    norm: Norm,
    steps: int,
    step_size: float,
    generator: torch.Generator,
) -> FloatImages:
    """Images in 0..1 within the ball round `images` on which the model's loss at `labels` is high.

    Projected gradient ascent with a random start (Madry et al. 2018, arXiv 1706.06083). The model is used in the
    mode it is in, and its parameters get no gradients.
    """
    delta = colours_alone(random_change(images, eps, norm, generator))
    for _ in range(steps):
        candidate = (images + delta).clamp(0, 1)
        delta = project(candidate + step_size * away(model, candidate, labels, norm) - images, eps, norm)
    return (images + delta).clamp(0, 1)


def away(model: nn.Module, images: FloatImages, labels: Whole | None, norm: Norm) -> FloatImages:
    """The change of length 1, in its norm, that raises the model's loss at `labels` most.

    None stands for what the model answers itself. Parameters get no gradients.
    """
    candidate = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model(candidate).float()
        wanted = logits.detach().argmax(1) if labels is None else labels
        loss = F.cross_entropy(logits, wanted, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, candidate)
    return ascent(colours_alone(gradient), norm)


def to_levels(changed: FloatImages, original: Images, eps: float, norm: Norm) -> Images:
    """Changed images in 0..1 as uint8, the change from the uint8 `original` still within the ball.

    Values are rounded to the nearest level; where that would leave the l2 ball, as many changes of the image as
    needed are rounded towards none, those first that lose least by it. Under linf a radius between two levels counts
    as the lower one.
    """
    base = original.to(changed.device, torch.float32)
    change = changed * 255 - base
    if norm == "linf":
        most = whole_levels(eps)
        levels = change.round().clamp(-most, most)
    else:
        levels = _rounded_within(change, eps * 255)
    return (base + levels).clamp(0, 255).to(torch.uint8).to(original.device)


def _rounded_within(change: Tensor, most: float) -> Tensor:
    """Changes of at most the length `most`, as whole numbers and still no longer than that."""
    flat = change.flatten(1)
    rounded, towards_none = flat.round(), flat.trunc()
    # Sums of squares in float64, where those of whole numbers are exact.
    savings = rounded.double().square() - towards_none.double().square()
    excess = rounded.double().square().sum(1, keepdim=True) - most**2
    order = (flat - towards_none).abs().argsort(dim=1, stable=True)
    saved = savings.gather(1, order)
    needed = torch.empty_like(order, dtype=torch.bool).scatter_(1, order, saved.cumsum(1) - saved < excess)
    return torch.where(needed, towards_none, rounded).reshape(change.shape)


def _lengths(delta: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(delta, dim=(1, 2, 3), keepdim=True)
    return lengths
