"""What a repair made of a drill's victim, for its record: what the defender sees, and what the truth measures."""

from __future__ import annotations

from bezoar.drill.evaluate import Evaluation
from bezoar.records import DefenderView, ModelCheck, RepairSummary, Skipped
from bezoar.records.drilling import NOT_REPAIRED
from bezoar.repair.story import Cured


def repair_summary(repaired: Cured | Skipped | None, evaluation: Evaluation | None) -> RepairSummary | Skipped:
    """The repair of a drill, `evaluation` being that of the repaired model on the drill's test data."""
    if repaired is None or isinstance(repaired, Skipped):
        return repaired or NOT_REPAIRED
    if evaluation is None:
        return Skipped("the repaired model was not measured")
    record = repaired.record
    return RepairSummary(
        verdict=record.verdict,
        sentence=record.sentence,
        method=record.chosen,
        suspects=record.given.suspects,
        trusted=record.given.learnt_from + record.given.held_out,
        held_out=record.given.held_out,
        before=_view(record.before),
        after=_view(record.after),
        relearning=record.relearning,
        measurement=evaluation.measurement,
    )


def _view(check: ModelCheck) -> DefenderView:
    flips = check.flips
    if isinstance(flips, Skipped):
        return DefenderView(check.accuracy, flips, flips)
    return DefenderView(check.accuracy, flips.flips, flips.control)
