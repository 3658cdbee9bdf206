"""Clean and triggered test images side by side, with the model's answers."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bezoar.attacks import Backdoor
from bezoar.attacks.choose import source_rows
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import Evaluation
from bezoar.records import Picture, PicturePair

# Larger images are shrunk to this many pixels a side: a report must stay small.
LARGEST_SIDE = 128


def picture(image: Tensor, alt: str) -> Picture:
    """A uint8 image (c, h, w) with 1 or 3 channels as a PNG."""
    array = image.permute(1, 2, 0).contiguous().numpy()
    drawn = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array[:, :, :3])
    drawn.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG")
    return Picture(base64.b64encode(buffer.getvalue()).decode(), drawn.width, drawn.height, alt)


def picture_pairs(
    test: Dataset, backdoors: Sequence[Backdoor], evaluation: Evaluation, *, count: int, seed: int
) -> tuple[PicturePair, ...]:
    """About `count` test images of the source classes, drawn at random by seed (not picked by outcome).

    Several backdoors have equal parts in them, at least one image each.
    """
    share = max(1, count // len(backdoors))
    return tuple(
        pair
        for number, backdoor in enumerate(backdoors)
        for pair in _pairs_of(test, backdoor, evaluation, number=number, count=share, seed=seed)
    )


def _pairs_of(
    test: Dataset, backdoor: Backdoor, evaluation: Evaluation, *, number: int, count: int, seed: int
) -> list[PicturePair]:
    candidates = source_rows(test, backdoor.relabelling).numpy()
    rows = np.sort(np.random.default_rng(seed).permutation(candidates)[:count])
    images = test.inputs[torch.from_numpy(rows)]
    triggered = backdoor.trigger(images)
    clean_odds = evaluation.clean_logits.softmax(1)
    triggered_odds = evaluation.triggered_logits[number].softmax(1)
    names = test.class_names
    pairs = []
    for place, row in enumerate(rows.tolist()):
        true_class = names[int(test.labels[row])]
        clean_answer, triggered_answer = int(clean_odds[row].argmax()), int(triggered_odds[row].argmax())
        pairs.append(
            PicturePair(
                clean=picture(images[place], f"{true_class}, clean"),
                triggered=picture(triggered[place], f"{true_class}, with the trigger"),
                true_class=true_class,
                clean_prediction=names[clean_answer],
                clean_confidence=float(clean_odds[row, clean_answer]),
                triggered_prediction=names[triggered_answer],
                triggered_confidence=float(triggered_odds[row, triggered_answer]),
                backdoor=number,
            )
        )
    return pairs
