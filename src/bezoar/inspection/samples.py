"""What an inspection asks models with: clean samples in two parts, and the kind of sample a model takes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError
from bezoar.training.opening import OpenedModel

FITTED = 0.75
"""Of the clean samples this share is for finding triggers, the others for trying them."""


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
    """Clean samples to find triggers on, and others to try them on."""
    parts = clean.split({"fit": FITTED, "held out": 1 - FITTED}, seed=seed)
    return parts["fit"], parts["held out"]


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
