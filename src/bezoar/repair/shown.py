"""What a record shows: a trigger in words, alone and on a few samples, and samples that bear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bezoar.data.dataset import Dataset
from bezoar.data.picture import picture
from bezoar.records import Picture, Skipped
from bezoar.records.repairing import RepairTrigger, TurnedSamples
from bezoar.repair.checks.search import Suspected
from bezoar.repair.given import Given, with_trigger

EXAMPLES, EXAMPLES_TURNED = 4, 12


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


def turned_shown(turned: TurnedSamples | None, given: Given) -> TurnedSamples | None:
    """Turned samples with pictures of some, spread over all of them."""
    if turned is None or given.training is None or not given.training.is_images:
        return turned
    chosen = set(turned.ids[:: max(1, len(turned.ids) // EXAMPLES_TURNED)][:EXAMPLES_TURNED])
    rows = [row for row, one in enumerate(given.training.ids) if one in chosen]
    shown = tuple(picture(given.training.inputs[row], f"a training sample called {turned.target}") for row in rows)
    return replace(turned, examples=shown)


def _pair(clean: Dataset, bearing: Dataset, row: int) -> tuple[Picture, Picture]:
    name = clean.class_names[int(clean.labels[row])]
    return picture(clean.inputs[row], f"{name}, clean"), picture(bearing.inputs[row], f"{name}, with the trigger")
