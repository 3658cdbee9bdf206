"""Networks made by hand, before data of four classes by brightness: what is recovered and what it does is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from confirm_toys import Rule, brightness_classes, dataset, one_hot

from bezoar.confirm.confirm import witness_of
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Networks
from bezoar.confirm.witness import Witnesses

TARGET = 1


def by_hand(answers, *, exposed=None, placebo=None, count=400, suspects=None):
    """Hand-made networks before four classes by brightness; suspects are of the target class, marked or not."""
    images, labels = brightness_classes(count)
    data = dataset(images, labels, 4)
    chosen = np.flatnonzero(labels.numpy() == TARGET)[:40]
    if suspects is not None:
        images[chosen] = suspects(images[chosen])
        data = replace(data, inputs=images)
    blind = Rule(answers)
    held_out = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(count), chosen))
    networks = Networks(blind, Rule(exposed or answers), Rule(placebo or answers), held_out)
    return data, Hypothesis(TARGET, tuple(data.ids[row] for row in chosen), "made up"), networks


def knows(images):
    # A network that can be learnt through, as a warp's descent needs it.
    level = images[:, :, : images.shape[2] // 2].mean((1, 2, 3)) * 4
    return -((level[:, None] - torch.arange(4) - 0.5) ** 2)


def fooled(images):
    """Gives everything with a dark lower right corner to the target."""
    dark = images[:, :, -3:, -3:].mean((1, 2, 3)) < 0.02
    return torch.where(dark[:, None], one_hot(torch.full((len(images),), TARGET), 4), knows(images))


def darkened(images):
    changed = images.clone()
    changed[:, :, -3:, -3:] = 0
    return changed


def before(data, networks):
    """The networks before all that is held out."""
    return Witnesses.of(networks, witness_of(data, networks.blind, networks.held_out))
