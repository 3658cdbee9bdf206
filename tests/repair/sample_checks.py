"""What is seen of a model, made up."""

from __future__ import annotations

from bezoar.metrics.intervals import accuracy_lost, wilson
from bezoar.records import ClassSize, FlipCheck, ModelCheck, Skipped, TriggerSearch


def check(
    *,
    right: int = 190,
    of: int = 200,
    flips: int = 0,
    asked: int = 100,
    control: int = 0,
    searches: tuple[TriggerSearch, ...] | Skipped = (),
    gone: int = 0,
    come: int = 0,
) -> ModelCheck:
    """A model that is right on so many samples, `gone` and `come` beside another, and of which a trigger turns so many."""
    turned = FlipCheck("way0", wilson(flips, asked), wilson(control, asked), "the trigger mirrored", ())
    return ModelCheck(wilson(right, of), (), turned, searches, accuracy_lost(gone, come, of))


def search(name: str) -> tuple[TriggerSearch, ...]:
    """A search in which one class stands out."""
    return (TriggerSearch("neural-cleanse", "pixels", 100, 3.5, (ClassSize(name, 3.0, 6.0, 0.9),), (name,)),)
