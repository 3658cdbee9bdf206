"""Clean and triggered test images side by side, with the model's answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bezoar.attacks import Backdoor
from bezoar.attacks.choose import source_rows
from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.drill.evaluate import Evaluation
from bezoar.records import PicturePair


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
