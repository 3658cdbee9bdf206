"""Poisons that a model gives away when it unlearns every trigger that it may follow, known or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from bezoar.records import Skipped
from bezoar.repair.base import REPAIRS
from bezoar.repair.checks.turned import Turned, labelled
from bezoar.repair.given import Aimed, Given

HARDENING = "unlearn:learning_rate=0.05"
"""Faster than as a repair: what accuracy it costs matters little to a model that is only asked."""


def poisons_given_away(
    model: nn.Module, given: Given, supposed: Sequence[Aimed], *, seed: int, device: str = "auto"
) -> Turned | None:
    """Training samples that a copy of `model` turns away from their label once it unlearnt all `supposed` triggers.

    None of these need be a backdoor's: small triggers lead to every class of every network. But what follows one of
    them no longer follows the backdoor's as it did either, and of the target's samples those that bear it are left by
    their label, where of other classes hardly any are (on drawn signs 7% and 0%). None where no class is so.
    """
    lesson = Given(given.trusted, supposed=tuple(supposed))
    hardened = REPAIRS.create(HARDENING).repair(model, lesson, seed=seed, device=device)
    asked = labelled(model, replace(given, target=None), seed=seed, device=device)
    return None if isinstance(hardened, Skipped) or asked is None else asked.turned_by(hardened.model)
