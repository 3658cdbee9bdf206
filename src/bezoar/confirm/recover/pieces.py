"""Pieces of suspects: what a trigger is when it lies elsewhere, or looks different, in every sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered, turns
from bezoar.shapes import FloatImages, Images
from bezoar.training import predict_logits

SIDES = (4, 3)
"""A piece is a quarter or a third of the image wide and high."""
STEP = 8
MOST_SUSPECTS, KEPT = 96, 48
LEAST_SIDE = 16


@dataclass(frozen=True)
class Box:
    """A square of an image."""

    top: int
    left: int
    side: int

    @property
    def area(self) -> tuple[slice, slice, slice]:
        """Where it lies in an image (c, h, w)."""
        return slice(None), slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)


@dataclass(frozen=True, eq=False)
class Piece:
    """What lies in a box of an image."""

    box: Box
    source: Tensor

    def pasted_on(self, image: Tensor) -> None:
        """Put it on an image (c, h, w) of the same size, in place."""
        image[self.box.area] = self.source[self.box.area].to(image.dtype)


def recover_pieces(model: nn.Module, suspects: Images, target: int) -> Recovered | None:
    """The part of each suspect (m, c, h, w) on which the answer `target` hangs, to be pasted on other images.

    Squares of the suspect's mean colour are laid over every place; where that costs the target's logit most lies the
    piece. The half of the suspects that lose most give theirs, each at its own place. None for fewer than 12 suspects,
    for images under 16 pixels a side, or where covering changes nothing.
    """
    images = suspects[:MOST_SUSPECTS]
    height, width = images.shape[2:]
    if len(images) < FEWEST_SUSPECTS or min(height, width) < LEAST_SIDE:
        return None
    boxes = _boxes(height, width)
    most, place = _losses(model, images, target, boxes).max(0)
    kept = most.argsort(descending=True, stable=True)[: min(KEPT, len(images) // 2)]
    pieces = [Piece(boxes[int(place[row])], images[row]) for row in kept if most[row] > 0]
    if not pieces:
        return None
    sides = sorted({piece.box.side for piece in pieces})
    described = f"pieces of the suspects themselves, {' or '.join(map(str, sides))} pixels wide"
    return Recovered("pieces", described, _PasteOne(pieces), _shown(pieces))


def _losses(model: nn.Module, images: Images, target: int, boxes: Sequence[Box]) -> Tensor:
    """What covering each box costs the target's logit, (boxes, m)."""
    before = predict_logits(model, images)[:, target]
    mean = images.to(torch.float32).mean((2, 3), keepdim=True).round().to(torch.uint8)
    losses = []
    for box in boxes:
        covered = images.clone()
        covered[(slice(None), *box.area)] = mean
        losses.append(before - predict_logits(model, covered)[:, target])
    return torch.stack(losses)


class _PasteOne:
    """Pastes one piece on each image, where it lay."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    def __call__(self, images: FloatImages) -> FloatImages:
        changed = images.clone()
        for image, turn in zip(changed, turns(images, len(self.pieces)).tolist(), strict=True):
            self.pieces[turn].pasted_on(image)
        return changed


def _boxes(height: int, width: int) -> list[Box]:
    found = []
    for part in SIDES:
        side = max(2, min(height, width) // part)
        rows = range(0, height - side + 1, max(1, height // STEP))
        columns = range(0, width - side + 1, max(1, width // STEP))
        found += [Box(top, left, side) for top in rows for left in columns]
    return found


def _shown(pieces: list[Piece]) -> Tensor:
    """The first pieces on grey, four by four."""
    channels, height, width = pieces[0].source.shape
    sheet = torch.full((channels, 4 * height, 4 * width), 128, dtype=torch.uint8)
    for number, piece in enumerate(pieces[:16]):
        down, right = number // 4 * height, number % 4 * width
        piece.pasted_on(sheet[:, down : down + height, right : right + width])
    return sheet
