"""How repairs should learn a trigger that was found: as strong as turns most, and with its kin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.repair.checks.kin import kin_of
from bezoar.repair.checks.search import Suspected
from bezoar.repair.checks.strength import as_strong
from bezoar.repair.given import Aimed


def as_learnt(model: nn.Module, data: Dataset, found: Suspected, *, seed: int, device: str = "auto") -> Suspected:
    """A trigger and those further ones that stand out, made as strong as turns most, with their kin supposed."""
    kin = kin_of(model, data, found, seed=seed, device=device)  # of stamps as they were found
    return replace(as_strong(model, data, found, seed=seed, device=device), supposed=kin)


def all_learnt(
    model: nn.Module, data: Dataset, found: Sequence[Suspected], *, seed: int, device: str = "auto"
) -> tuple[Aimed, ...]:
    """Several triggers of a model, with all their kin."""
    if not found:
        return ()
    first = as_learnt(model, data, replace(found[0], further=tuple(found[1:])), seed=seed, device=device)
    return (first.aimed, *(one.aimed for one in first.further), *first.supposed)
