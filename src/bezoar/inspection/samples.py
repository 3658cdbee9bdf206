"""What an inspection asks models with: clean samples in two parts, and the kind of sample a model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from bezoar.data.dataset import Dataset
from bezoar.errors import DataError, ModelError
from bezoar.training.opening import OpenedModel

FITTED = 0.75
"""Of the clean samples this share is for finding triggers, the others for trying them."""
FEWEST, FEWEST_OF_A_CLASS = 54, 3
"""Three quarters of so many are the 40 that detectors need; of fewer of a class none is left to try triggers on."""


@dataclass(frozen=True)
class Kind:
    """Class names in order, and the shape (c, h, w) of a sample."""

    class_names: tuple[str, ...]
    shape: tuple[int, ...]


def kind_of(
    opened: OpenedModel, clean: Dataset | None, names: tuple[str, ...] = (), shape: tuple[int, ...] = ()
) -> Kind:
    """From clean samples, the model's card, or what was said. Raises ModelError where nothing tells."""
    if clean is not None:
        return Kind(clean.class_names, clean.shape)
    if opened.card is not None:
        return Kind(opened.card.class_names, opened.card.shape)
    if not names or not shape:
        raise ModelError(
            f"nothing tells which classes {opened.name} has, or of what shape its samples are",
            expected="clean samples, or class names and a shape",
            remedy="Give clean data, or class_names and shape",
        )
    return Kind(names, shape)


def in_parts(clean: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Clean samples to find triggers on, and others to try them on, of every class that has 3 at least.

    Where no class has, of all together. Raises DataError where that leaves too few to find anything.
    """
    if max(clean.class_counts) >= FEWEST_OF_A_CLASS:
        parts = clean.split({"fit": FITTED, "held out": 1 - FITTED}, seed=seed)
        return parts["fit"], parts["held out"]
    _require_enough(clean)
    rows = np.random.default_rng(seed).permutation(len(clean))
    fitted = round(FITTED * len(clean))
    fit, held_out = (np.sort(part).tolist() for part in (rows[:fitted], rows[fitted:]))
    return replace(clean.select(fit), name=f"{clean.name}/fit"), replace(
        clean.select(held_out), name=f"{clean.name}/held out"
    )


def _require_enough(clean: Dataset) -> None:
    if len(clean) >= FEWEST:
        return
    raise DataError(
        f"the clean samples {clean.name} are too few to inspect a model with",
        expected=f"at least {FEWEST}, better a few hundred: triggers are found on three quarters of them, where most "
        "detectors need 40, and tried on the others",
        found=f"{len(clean)}, no more than {max(clean.class_counts)} of a class",
        remedy="Give more clean samples of the model's classes",
    )


def relabelled(clean: Dataset | None, kind: Kind) -> Dataset | None:
    """The samples of classes that a model of this kind has by the same names, under its labels; None without any."""
    if clean is None or clean.shape != kind.shape:
        return None
    if clean.class_names == kind.class_names:
        return clean
    labels = {name: label for label, name in enumerate(kind.class_names)}
    own = torch.tensor([labels.get(name, -1) for name in clean.class_names])[clean.labels]
    if not bool((own >= 0).any()):
        return None
    shared = clean.select(own >= 0)
    return replace(shared, labels=own[own >= 0], class_names=kind.class_names)
