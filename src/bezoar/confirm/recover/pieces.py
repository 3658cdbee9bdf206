"""Pieces of suspects: what a trigger is when it lies elsewhere, or looks different, in every sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bezoar.confirm.recover.recovered import Recovered
from bezoar.shapes import FloatImages, Images
from bezoar.training import predict_logits

SIDES = (4, 3)
"""A piece is a quarter or a third of the image wide and high."""
STEP = 8
MOST_SUSPECTS, KEPT = 96, 48
LEAST_SIDE = 16


def recover_pieces(model: nn.Module, suspects: Images, target: int) -> Recovered | None:
    """The part of each suspect (m, c, h, w) on which the answer `target` hangs, to be pasted on other images.

    Squares of the suspect's mean colour are laid over every place; where that costs the target's logit most lies the
    piece. The half of the suspects that lose most give theirs, each at its own place. None for images under 16 pixels a
    side, or where covering changes nothing.
    """
    images = suspects[:MOST_SUSPECTS]
    height, width = images.shape[2:]
    if min(height, width) < LEAST_SIDE or not len(images):
        return None
    before = predict_logits(model, images)[:, target]
    boxes = _boxes(height, width)
    mean = images.to(torch.float32).mean((2, 3), keepdim=True).round().to(torch.uint8)
    losses = []
    for top, left, side in boxes:
        covered = images.clone()
        covered[:, :, top : top + side, left : left + side] = mean
        losses.append(before - predict_logits(model, covered)[:, target])
    most, place = torch.stack(losses).max(0)
    kept = most.argsort(descending=True)[: min(KEPT, max(1, len(images) // 2))]
    if float(most[kept].max()) <= 0:
        return None
    pieces = [(boxes[int(place[row])], images[row]) for row in kept]
    described = f"pieces of the suspects themselves, {width // SIDES[0]} to {width // SIDES[-1]} pixels wide"
    return Recovered("pieces", described, _PasteOne(pieces), _shown(pieces))


class _PasteOne:
    """Pastes one piece on each image, in turn, where it lay."""

    def __init__(self, pieces: list[tuple[tuple[int, int, int], Tensor]]) -> None:
        self.pieces = pieces

    def __call__(self, images: FloatImages) -> FloatImages:
        changed = images.clone()
        for row in range(len(changed)):
            (top, left, side), source = self.pieces[row % len(self.pieces)]
            area = (slice(None), slice(top, top + side), slice(left, left + side))
            changed[row][area] = source[area].to(changed.dtype)
        return changed


def _boxes(height: int, width: int) -> list[tuple[int, int, int]]:
    found = []
    for part in SIDES:
        side = max(2, min(height, width) // part)
        rows = range(0, height - side + 1, max(1, height // STEP))
        columns = range(0, width - side + 1, max(1, width // STEP))
        found += [(top, left, side) for top in rows for left in columns]
    return found


def _shown(pieces: list[tuple[tuple[int, int, int], Tensor]]) -> Tensor:
    """The first pieces on grey, four by four."""
    (_, _, _), first = pieces[0]
    sheet = torch.full((first.shape[0], 4 * first.shape[1], 4 * first.shape[2]), 128, dtype=torch.uint8)
    for number, ((top, left, side), source) in enumerate(pieces[:16]):
        down, right = (number // 4) * first.shape[1] + top, (number % 4) * first.shape[2] + left
        sheet[:, down : down + side, right : right + side] = source[:, top : top + side, left : left + side]
    return sheet
