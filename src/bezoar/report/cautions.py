"""Everything that qualifies the verdict of a drill, each in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.records import DrillRecord, ModelResult, Rate, Skipped, TrainingRecord
from bezoar.report.phrases import measured, percent, percent_in_words

WIDE_INTERVAL = 0.1
SMALL_TWIN = 0.9
ASTRAY = 0.5


def cautions(record: DrillRecord, success: Rate | Skipped) -> Iterator[str]:
    """What a reader must know to take the numbers for what they are; `success` is the attack success rate."""
    if isinstance(success, Rate) and success.high - success.low > WIDE_INTERVAL:
        yield (
            f"Only {success.trials:,} triggered images were tested, so attack success may lie anywhere from "
            f"{percent(success.low)} to {percent(success.high)}."
        )
    yield from _twin_cautions(record)
    if isinstance(record.victim.training, TrainingRecord) and record.victim.training.interrupted:
        yield "Training of the victim was interrupted; its numbers are those of the last finished epoch."
    if not isinstance(record.saturation, Skipped) and record.saturation.warns:
        yield (
            f"{percent_in_words(record.saturation.swallowed).capitalize()} of the trigger's pixels hardly show: the "
            "images were as bright, as dark or of its colour there already, which weakens the attack. See Saturation."
        )


def _twin_cautions(record: DrillRecord) -> Iterator[str]:
    if isinstance(record.twin, Skipped):
        yield (
            f"There is no clean twin ({record.twin.reason.rstrip('.')}), so nothing here shows what the model would "
            "do without the poison."
        )
        return
    yield from _astray(record.twin)
    twin, victim = record.twin.training, record.victim.training
    if isinstance(twin, Skipped) or isinstance(victim, Skipped):
        yield "How the models were trained is not known, so it is not sure that they differ by the poison alone."
        return
    if twin.samples < SMALL_TWIN * (victim.samples - record.attack.poisons - record.attack.covers):
        yield (
            f"The clean twin was trained on {twin.samples:,} samples, the victim on {victim.samples:,}; "
            "compare them with care."
        )
    if twin.model != victim.model:
        yield f"The clean twin is another network ({twin.model}) than the victim ({victim.model})."
    if twin.interrupted:
        yield "Training of the clean twin was interrupted; its numbers are those of the last finished epoch."


def _astray(twin: ModelResult) -> Iterator[str]:
    """A trigger that hides the object, or was learnt to mislead, does so without any backdoor."""
    clean, robust = measured(twin.measurement.clean_accuracy), measured(twin.measurement.robust_accuracy)
    if isinstance(clean, Rate) and isinstance(robust, Rate) and robust.high < ASTRAY * clean.value:
        yield (
            f"The trigger alone leads the clean twin astray: it reads {percent_in_words(robust.value)} of the images "
            f"with the trigger right, {percent(clean.value)} without."
        )
