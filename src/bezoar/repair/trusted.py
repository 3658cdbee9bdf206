"""The trusted samples that most repairs can't do without."""

from __future__ import annotations

from bezoar.data.dataset import Dataset
from bezoar.repair.base import Work
from bezoar.repair.given import FEWEST, Given


def too_few_trusted(given: Given, fewest: int = FEWEST) -> str:
    """Why there are too few trusted samples; empty where there are enough."""
    if given.trusted is None:
        return "no trusted samples were given, and it learns from those alone"
    if len(given.trusted) < fewest:
        return f"{len(given.trusted)} trusted samples are too few: it needs {fewest}"
    return ""


def trusted_of(work: Work) -> Dataset:
    """The trusted samples of a repair that lacks none."""
    assert work.given.trusted is not None, "a repair that needs trusted samples must say what it lacks"
    return work.given.trusted
