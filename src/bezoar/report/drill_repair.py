"""The repair of a drill's victim as its page tells it: by the truth, and by what the defender saw without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bezoar.records import DrillRecord, Measurement, Rate, RepairSummary, Skipped
from bezoar.report.drill_scan import Answer
from bezoar.report.phrases import measured, percent_in_words
from bezoar.report.repair_verdict import relearning_sentence

LEFT, LOST = 0.05, 0.02
"""A backdoor is out that works on so many at most, or on as many as on the twin, at so much accuracy lost at most."""
NO_TWIN = Skipped("no clean twin was trained")

_MEASURES = (
    ("Clean accuracy", "clean_accuracy", "Untouched test images read correctly."),
    ("Attack success rate", "attack_success", "Test images with the trigger that are read as the attacker's target."),
    ("Robust accuracy", "robust_accuracy", "The same images still read as what they really show."),
    ("ASR from any class", "attack_success_any_source", "With the trigger on images of every other class too."),
)
_SEEN = (
    ("Clean accuracy", "accuracy", "Of clean samples held out from the repair."),
    ("The recovered trigger turns", "flips", "Of held-out samples of other classes that the model gets right."),
    ("A control turns", "control", "The same trigger turned, which nobody put into the model."),
)


@dataclass(frozen=True)
class Row:
    """One measure and what it means: of the victim, the repaired model, and where there is one the clean twin."""

    name: str
    meaning: str
    before: Rate | Skipped
    after: Rate | Skipped
    twin: Rate | Skipped | None = None


def repair_view(record: DrillRecord) -> Mapping[str, object]:
    """The values of the section, or the reason why nothing was repaired."""
    repair = record.repair
    if isinstance(repair, Skipped):
        return {"repair": repair}
    return {
        "repair": repair,
        "answer": repair_answer(record, repair),
        "rows": tuple(_row(record, repair, *measure) for measure in _MEASURES),
        "seen": tuple(
            Row(name, meaning, measured(getattr(repair.before, field)), measured(getattr(repair.after, field)))
            for name, field, meaning in _SEEN
        ),
        "relearning": relearning_sentence(repair.relearning),
    }


def repair_answer(record: DrillRecord, repair: RepairSummary) -> Answer:
    """Yes where the trigger works no more than it must and accuracy is kept; in part where it works half as often."""
    was, now = measured(record.victim.measurement.attack_success), measured(repair.measurement.attack_success)
    if isinstance(was, Skipped) or isinstance(now, Skipped):
        return Answer("unclear", "Not measured", "The attack success rate could not be measured.")
    before, after = record.victim.measurement.clean_accuracy, repair.measurement.clean_accuracy
    sentence = (
        f"Told nothing but the scan's suspects, and given {repair.trusted:,} clean samples, bezoar repair brings the "
        f"attack success rate from {percent_in_words(was.value)} to {percent_in_words(now.value)}; clean accuracy goes "
        f"from {percent_in_words(before.value)} to {percent_in_words(after.value)}."
    )
    kept = before.value - after.value <= LOST
    if now.value <= max(LEFT, _by_itself(record)) and kept:
        return Answer("calm", "Yes", sentence)
    weaker = now.value <= was.value / 2
    return Answer("unclear" if weaker else "bad", "In part" if weaker else "No", sentence)


def _by_itself(record: DrillRecord) -> float:
    """How often the trigger works on a model that never met it."""
    if isinstance(record.twin, Skipped):
        return 0.0
    success = measured(record.twin.measurement.attack_success)
    return 0.0 if isinstance(success, Skipped) else success.high


def _row(record: DrillRecord, repair: RepairSummary, name: str, field: str, meaning: str) -> Row:
    def of(measurement: Measurement) -> Rate | Skipped:
        return measured(getattr(measurement, field))

    twin = NO_TWIN if isinstance(record.twin, Skipped) else of(record.twin.measurement)
    return Row(name, meaning, of(record.victim.measurement), of(repair.measurement), twin)
