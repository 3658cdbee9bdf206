"""The numbers of a repair as cards and tables, those before beside those after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bezoar.records import (
    AccuracyLost,
    ClassRate,
    ClassSize,
    FlipCheck,
    Mending,
    ModelCheck,
    Rate,
    RepairRecord,
    Skipped,
    TriggerSearch,
)
from bezoar.report.phrases import brief, measured, percent, points, quoted, significant, some_of
from bezoar.report.scan_pictures import Still, still

MOST_ROWS = 120


@dataclass(frozen=True)
class Card:
    """One number before and after, and what it means."""

    title: str
    before: Rate | Skipped
    after: Rate | Skipped
    difference: str
    meaning: str


@dataclass(frozen=True)
class FurtherRow:
    """A further trigger: what it is, the class it leads to, its picture, and how many it turns, in words."""

    description: str
    target: str
    pattern: Still | None
    before: str
    after: str


@dataclass(frozen=True)
class ClassRow:
    """A true class: accuracy before and after, flips before and after, which the target has none of."""

    name: str
    accuracy: tuple[Rate | Skipped, Rate | Skipped]
    flips: tuple[Rate | Skipped | None, Rate | Skipped | None]


@dataclass(frozen=True)
class SizeRow:
    """What leads to a class: sizes of the smallest trigger and the detector's statistics, before and after."""

    name: str
    sizes: tuple[str, str]
    statistics: tuple[str, str]
    stood_out: bool
    stands_out: bool


@dataclass(frozen=True)
class SearchTable:
    """A search by one detector, before and after, and the reasons for sizes that are missing.

    `sized` where it looks for small triggers: another finds none, or all of one size. `told` is what it came to.
    """

    detector: str
    unit: str
    samples: int
    cut: float
    told: str
    sized: bool
    stands_out: bool
    rows: tuple[SizeRow, ...]
    missing: tuple[str, ...]
    left_out: int


@dataclass(frozen=True)
class AttemptRow:
    """One method: whether its model was kept, what it came to, and what it used and cost."""

    method: str
    kept: bool
    skipped: Skipped | None
    outcome: Mending | None
    used: str
    accuracy: Rate | Skipped | None
    flips: Rate | Skipped | None


def number_cards(record: RepairRecord) -> tuple[Card, ...]:
    """Accuracy, flips with the trigger, right answers in spite of it, flips with the control."""
    before, after = record.before, record.after
    flips, rightly, control = zip(*(flip_rates(one) for one in (before, after)), strict=True)
    named = _control_named(after.flips)
    accuracy = _card("Clean accuracy", before.accuracy, after.accuracy, "Held-out clean samples answered rightly.")
    return (
        replace(accuracy, difference=gained(after.lost) or accuracy.difference),
        _card(
            "The trigger works",
            flips[0],
            flips[1],
            "Held-out samples that the model gets right and that go over to the target with the trigger on.",
        ),
        _card(
            "Right in spite of it",
            rightly[0],
            rightly[1],
            "The same samples, answered rightly with the trigger on.",
        ),
        _card("A control works", control[0], control[1], f"The same with {named}, which nobody put into the model."),
    )


def flip_rates(check: ModelCheck) -> tuple[Rate | Skipped, Rate | Skipped, Rate | Skipped]:
    """What the trigger turns, what is right in spite of it, and what its control turns."""
    if isinstance(check.flips, Skipped):
        return check.flips, check.flips, check.flips
    return check.flips.flips, check.flips.rightly, check.flips.control


def gained(lost: AccuracyLost | None) -> str:
    """By how much accuracy rose, and how sure that is; "" where the models were not compared."""
    if lost is None:
        return ""
    return f"{points(-lost.lost)}, give or take {100 * lost.error:.1f}"


def _control_named(flips: FlipCheck | Skipped) -> str:
    return "the trigger turned" if isinstance(flips, Skipped) or not flips.control_kind else flips.control_kind


def _card(title: str, before: Rate | Skipped, after: Rate | Skipped, meaning: str) -> Card:
    before, after = measured(before), measured(after)
    both = isinstance(before, Rate) and isinstance(after, Rate)
    difference = points(after.value - before.value) if both else ""  # type: ignore[union-attr]
    return Card(title, before, after, difference, meaning)


def further_rows(record: RepairRecord) -> tuple[FurtherRow, ...]:
    """The triggers that were taken out with the first."""
    return tuple(
        FurtherRow(
            one.description,
            one.target,
            None if one.pattern is None else still("further.pattern", one.pattern),
            *(share_text(flips if isinstance(flips, Skipped) else flips.flips) for flips in pair),
        )
        for one, *pair in zip(record.further, record.before.further, record.after.further, strict=True)
    )


def class_rows(record: RepairRecord) -> tuple[tuple[ClassRow, ...], int]:
    """Classes in order, at most 120, and how many are left out."""
    before, after = _by_name(record.before.by_class), _by_name(record.after.by_class)
    flips = [
        {} if isinstance(one.flips, Skipped) else _by_name(one.flips.by_source) for one in (record.before, record.after)
    ]
    rows = tuple(
        ClassRow(name, (measured(before[name]), measured(after[name])), (flips[0].get(name), flips[1].get(name)))
        for name in before
        if name in after
    )
    return rows[:MOST_ROWS], max(0, len(rows) - MOST_ROWS)


def _by_name(rates: Sequence[ClassRate]) -> dict[str, Rate | Skipped]:
    return {one.class_name: one.rate for one in rates}


def search_tables(record: RepairRecord) -> tuple[SearchTable, ...]:
    """One table a detector, for those that the repaired model was searched by."""
    before, after = record.before.searches, record.after.searches
    if isinstance(after, Skipped):
        return ()
    earlier = {} if isinstance(before, Skipped) else {one.detector: one for one in before}
    return tuple(_search_table(earlier.get(one.detector), one) for one in after)


def _search_table(before: TriggerSearch | None, after: TriggerSearch) -> SearchTable:
    earlier = {} if before is None else {one.class_name: one for one in before.classes}
    stood_out = () if before is None else before.stands_out
    rows = tuple(
        _size_row(earlier.get(one.class_name), one, one.class_name in stood_out, one.class_name in after.stands_out)
        for one in after.classes
    )
    sizes = [one.size for one in (*earlier.values(), *after.classes)]
    sized = len({_size(one) for one in sizes if not isinstance(one, Skipped)}) > 1
    return SearchTable(
        after.detector,
        after.unit,
        after.samples,
        after.cut,
        _told(after),
        sized,
        bool(after.stands_out),
        rows[:MOST_ROWS],
        _reasons(*sizes) if sized else (),
        len(rows[MOST_ROWS:]),
    )


def _size_row(before: ClassSize | None, after: ClassSize, stood_out: bool, stands_out: bool) -> SizeRow:
    return SizeRow(
        after.class_name,
        ("" if before is None else _size(before.size), _size(after.size)),
        ("" if before is None else f"{before.statistic:z.1f}", f"{after.statistic:z.1f}"),
        stood_out,
        stands_out,
    )


def _told(search: TriggerSearch) -> str:
    if out := [brief(one) for one in search.stands_out]:
        all_new = all(one.new for one in search.classes if one.class_name in search.stands_out)
        new = ", weakly, and did not before the repair" if all_new else ""
        return f"{some_of(out)} {'stands' if len(out) == 1 else 'stand'} out{new}"
    most = max(search.classes, key=lambda one: one.statistic)
    name = quoted(brief(most.class_name))
    return f"nothing stands out; the most is {most.statistic:z.1f} for {name}, the cut {search.cut:g}"


def _reasons(*values: float | Skipped) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value.reason for value in values if isinstance(value, Skipped)))


def _size(size: float | Skipped) -> str:
    return "none" if isinstance(size, Skipped) else significant(size)


def attempt_rows(record: RepairRecord) -> tuple[AttemptRow, ...]:
    """All that was tried, in its order."""
    return tuple(
        AttemptRow(one.method, False, one.outcome, None, "", None, None)
        if isinstance(one.outcome, Skipped)
        else AttemptRow(
            one.method,
            one.method == record.chosen,
            None,
            one.outcome,
            used_in_words(one.outcome),
            one.outcome.check.accuracy,
            one.outcome.check.flips if isinstance(one.outcome.check.flips, Skipped) else one.outcome.check.flips.flips,
        )
        for one in record.attempts
    )


def used_in_words(mending: Mending) -> str:
    """What of all that was given a repair used."""
    counts = (
        (mending.trusted, "trusted samples"),
        (mending.training, "training samples"),
        (mending.suspects, "suspects"),
    )
    parts = [f"{number:,} {name}" for number, name in counts if number]
    parts += [name for used, name in ((mending.trigger, "the trigger"), (mending.target, "its target")) if used]
    return ", ".join(parts) or "no data"


def share_text(rate: Rate | Skipped) -> str:
    """A rate for a terminal, or why there is none."""
    told = measured(rate)
    return f"not measured: {brief(told.reason)}" if isinstance(told, Skipped) else percent(told.value)
