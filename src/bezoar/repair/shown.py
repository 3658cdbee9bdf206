"""A trigger as a record shows it: in words, alone, and on a few samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.records import Picture, Skipped
from bezoar.records.repairing import RepairTrigger
from bezoar.repair.checks.search import Suspected
from bezoar.repair.given import Given, with_trigger

EXAMPLES = 4


def told_of(found: Suspected, class_names: Sequence[str]) -> RepairTrigger:
    """A trigger that was found."""
    shown = None if found.picture is None else picture(found.picture, "The trigger alone")
    target = class_names[found.target]
    return RepairTrigger("recovered", f"{found.description}; {found.found}", target, found.stands_out, shown, ())


def pictured(trigger: RepairTrigger | Skipped, given: Given, held_out: Dataset | None) -> RepairTrigger | Skipped:
    """The trigger that is given with a few held-out samples before and after it was put on."""
    if isinstance(trigger, Skipped) or held_out is None or given.trigger is None or not held_out.is_images:
        return trigger
    others = [row for row, label in enumerate(held_out.labels.tolist()) if label != given.target]
    if not others:
        return trigger
    clean = held_out.select(others[:: max(1, len(others) // EXAMPLES)][:EXAMPLES])
    bearing = with_trigger(clean, given.trigger)
    return replace(trigger, examples=tuple(_pair(clean, bearing, row) for row in range(len(clean))))


def _pair(clean: Dataset, bearing: Dataset, row: int) -> tuple[Picture, Picture]:
    name = clean.class_names[int(clean.labels[row])]
    return picture(clean.inputs[row], f"{name}, clean"), picture(bearing.inputs[row], f"{name}, with the trigger")
