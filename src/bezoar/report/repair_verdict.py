"""The verdict of a repair in one plain sentence, and what a reader must know to take it for what it is."""

from __future__ import annotations

from collections.abc import Iterator

from bezoar.records import Mending, Rate, Relearning, RepairRecord, RepairVerdict, Skipped
from bezoar.records.repairing import TurnedSamples
from bezoar.report.phrases import measured, percent, points, sentence
from bezoar.report.repair_tables import gained
from bezoar.report.section import Headline

MOST_NOTES = 8

_LEVELS: dict[RepairVerdict, tuple[str, str]] = {
    "works no more": ("calm", "Nothing found any more"),
    "signs are left": ("bad", "Signs of a backdoor are left"),
    "still works": ("bad", "The backdoor still works"),
    "could not be told": ("unclear", "Could not be told"),
}
_NOT_CLEAN = (
    "That does not show that nothing is left: a backdoor with a trigger that nobody knows, and that this search does "
    "not see, leaves no trace here."
)


def repair_headline(record: RepairRecord) -> Headline:
    """What the repair came to. That a model is free of backdoors is never said."""
    level, label = _LEVELS[record.verdict]
    if record.verdict == "works no more" and isinstance(record.after.searches, Skipped):
        label = "The trigger no longer works"
    parts = [
        f"The model kept is that of {record.chosen}: {record.rule}",
        _accuracy(record),
        _NOT_CLEAN if record.verdict in ("works no more", "could not be told") else "",
    ]
    explanation = " ".join(sentence(part) for part in parts if part)
    return Headline(level, label, record.sentence, explanation, tuple(_cautions(record)))


def relearning_sentence(test: Relearning | Skipped) -> str:
    """What a relearning test says, in a sentence."""
    if isinstance(test, Skipped):
        return f"The relearning test was not made: {sentence(test.reason)}"
    said = (
        f"{test.stamped} poisoned samples and {test.steps} steps of learning bring the trigger from "
        f"{percent(test.before.value)} to {percent(test.after.value)} of the others; a trigger that was never in the "
        f"model comes from {percent(test.control_before.value)} to {percent(test.control_after.value)} the same way"
    )
    meaning = "so the trigger is learnt no faster than another"
    if test.returns:
        meaning = "so the backdoor lies dormant"
    elif test.before.low > test.control_before.high:
        meaning = "but the trigger was not gone before, so that this says little"
    return f"{said}, {meaning}."


def turned_sentence(turned: TurnedSamples) -> str:
    """How many training samples a repair turned away from their label, beside what is usual."""
    return (
        f"Of {turned.of:,} training samples under the label {turned.target!r} that nobody suspected, a first repair "
        f"all but excludes that label for {len(turned.ids):,} ({percent(turned.share)}); of those of other classes it "
        f"excludes theirs for {percent(turned.elsewhere)}"
    )


def chosen_attempt(record: RepairRecord) -> Mending | None:
    """What came of the method whose model was kept."""
    return next(
        (
            one.outcome
            for one in record.attempts
            if one.method == record.chosen and not isinstance(one.outcome, Skipped)
        ),
        None,
    )


def _accuracy(record: RepairRecord) -> str:
    before, after = measured(record.before.accuracy), measured(record.after.accuracy)
    if not isinstance(before, Rate) or not isinstance(after, Rate):
        return ""
    change = gained(record.after.lost) or points(after.value - before.value)
    return (
        f"Clean accuracy went from {percent(before.value)} to {percent(after.value)} ({change}) on {after.trials:,} "
        "samples that it did not learn from"
    )


def _cautions(record: RepairRecord) -> Iterator[str]:
    if not isinstance(record.relearning, Skipped) and record.relearning.returns:
        yield f"The backdoor comes back at once: {relearning_sentence(record.relearning)}"
    kept = chosen_attempt(record)
    if kept is not None and kept.why:
        yield sentence(f"What speaks against the model kept: {kept.why}")
    if record.given.held_out < 100:
        yield sentence(record.given.coarse[:1].upper() + record.given.coarse[1:])
    yield from map(sentence, record.notes[:MOST_NOTES])
    if len(record.notes) > MOST_NOTES:
        yield f"{len(record.notes) - MOST_NOTES} more notes are in record.json."
