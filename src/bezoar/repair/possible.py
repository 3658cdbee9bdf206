"""Whether any method can be carried out at all, told before minutes are spent on searches."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from bezoar.records import Skipped
from bezoar.repair.auto import Auto
from bezoar.repair.base import ModelRepair
from bezoar.repair.given import Given


def impossible(auto: Auto, given: Given) -> Skipped | None:
    """Why none of the methods can be carried out, whatever a search would find; None where one may be.

    With trusted samples a trigger may yet be recovered, so that lacking one is no reason.
    """
    hoped = given if given.trusted is None else _with_any_trigger(given)
    reasons = []
    for spec, repair in zip(auto.methods, auto.repairs(), strict=True):
        reason = repair.lacks(hoped) if isinstance(repair, ModelRepair) else ""
        if not reason:
            return None
        reasons.append(f"{spec}: {reason}")
    return Skipped("; ".join(reasons))


def _with_any_trigger(given: Given) -> Given:
    return replace(given, trigger=given.trigger or _unchanged, target=0 if given.target is None else given.target)


def _unchanged(batch: Tensor) -> Tensor:
    return batch
