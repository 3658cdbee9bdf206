"""What an inspection found, handed on to a repair: a target class, and the trigger that was recovered for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bezoar.cli.inspect_folder import is_inspection, read_inspection, read_trigger
from bezoar.cli.scan_folder import is_scan
from bezoar.data import Dataset
from bezoar.drill.bars import calibrated_bars
from bezoar.errors import DataError, ModelError, RecordError, UsageError
from bezoar.records import Skipped
from bezoar.records.inspecting import InspectionRecord, ModelFinding
from bezoar.records.repairing import ClassSize, TriggerSearch
from bezoar.repair.checks import Suspected
from bezoar.repair.checks.search import MOST_FURTHER, NOT_WORKED, Worn
from bezoar.training.digest import weights_digest
from bezoar.training.opening import OpenedModel

NOT_KEPT = Skipped("an inspection keeps no flips of every class")


@dataclass(frozen=True)
class Inspected:
    """An inspection that found something: where it lies, its record, and the place of the finding to repair.

    `alone` where that finding was asked for: else the others are repaired with it.
    """

    place: Path
    record: InspectionRecord
    chosen: int
    alone: bool = False

    @property
    def finding(self) -> ModelFinding:
        """What is to be repaired first of all."""
        return self.record.findings[self.chosen]

    @property
    def others(self) -> tuple[int, ...]:
        """Places of the other findings."""
        return tuple(place for place in range(len(self.record.findings)) if place != self.chosen)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the inspection found beside it that is not repaired, in a sentence."""
        others = [repr(self.record.findings[place].target) for place in self.others]
        if not others or not self.alone:
            return ()
        return (
            f"the inspection found {', '.join(others[:8])} as well; this repair is of {self.finding.target!r} alone: "
            "leave --target out to repair all of them",
        )


def read_findings(place: Path, target: str | None) -> Inspected:
    """The inspection in a folder or file, and its finding for `target`, else its most suspicious one.

    Raises UsageError where there is none, nothing was found, or nothing for the target; RecordError for a record of
    anything else.
    """
    if is_scan(place):
        raise RecordError(
            f"{place} is a scan of data, not an inspection of a model", remedy="Give it as --suspects, beside --data"
        )
    if not place.exists():
        raise UsageError(f"{place} does not exist", expected="a folder of bezoar inspect, or its record.json")
    if not is_inspection(place):
        raise RecordError(f"{place} is no record of an inspection", remedy="Give a folder written by bezoar inspect")
    record = read_inspection(place)
    if not record.findings:
        raise UsageError(
            "the inspection found nothing",
            expected="an inspection with findings",
            found=record.verdict,
            remedy="Leave --findings out",
        )
    targets = [one.target for one in record.findings]
    if target is not None and target not in targets:
        raise UsageError(
            f"the inspection found nothing towards {target!r}",
            expected="one of " + ", ".join(map(repr, targets)),
            remedy="Leave --target out, or --findings",
        )
    return Inspected(place, record, 0 if target is None else targets.index(target), target is not None)


def suspected_by(inspected: Inspected, opened: OpenedModel, data: Dataset) -> Suspected | None:
    """The finding's trigger on samples like `data`, and those of the others; None where the inspection kept none.

    Raises ModelError where the inspection was of another model, DataError where the data have other classes,
    RecordError where its trigger does not fit.
    """
    _require_same_model(inspected, opened)
    if inspected.record.class_names != data.class_names:
        raise DataError(
            f"{data.name} has other classes than the inspection went by",
            expected=", ".join(inspected.record.class_names[:8]),
            found=", ".join(data.class_names[:8]),
            remedy="Give clean samples of the model's own classes, in their order",
        )
    first = _suspected(inspected, inspected.chosen, data)
    if first is None or inspected.alone:
        return first
    others = [_suspected(inspected, place, data) for place in inspected.others]
    further = tuple(one for one in others if one is not None)[:MOST_FURTHER]
    return replace(first, searches=partial(_searches, inspected.record), further=further)


def _suspected(inspected: Inspected, place: int, data: Dataset) -> Suspected | None:
    finding = inspected.record.findings[place]
    target = data.class_index(finding.target)
    trigger = read_trigger(inspected.place, inspected.record, place, data.shape)
    if trigger is None:
        return None
    flips = finding.flip_test
    tried = "" if isinstance(flips, Skipped) else f" and turned {flips.flips.value:.0%} of samples there"
    how = f"found by bezoar inspect with {finding.detector} ({finding.strength}){tried}"
    return Suspected(Worn(trigger), target, True, how, trigger.description, trigger.picture)


def _searches(record: InspectionRecord) -> tuple[TriggerSearch, ...]:
    """What the inspection showed, as a search of the model before its repair; () where its cuts are other ones."""
    samples = 0 if isinstance(record.clean, Skipped) else record.clean.samples
    if record.references is not None or not samples:
        return ()
    cuts = {run.detector: run.cut for run in record.detectors if run.skipped is None and run.cut is not None}
    if {bar.detector for bar in calibrated_bars()} - set(cuts):
        return ()
    return tuple(_search(record, detector, cut, samples) for detector, cut in cuts.items())


def _search(record: InspectionRecord, detector: str, cut: float, samples: int) -> TriggerSearch:
    said = [one for one in record.statistics if one.detector == detector]
    sizes = tuple(
        ClassSize(one.class_name, NOT_WORKED if one.size is None else one.size, one.statistic, NOT_KEPT) for one in said
    )
    out = tuple(one.class_name for one in said if one.statistic > cut)
    return TriggerSearch(detector, next((one.unit for one in said if one.unit), ""), samples, cut, sizes, out)


def _require_same_model(inspected: Inspected, opened: OpenedModel) -> None:
    known = inspected.record.weights
    if known and known == weights_digest(opened.model):
        return
    raise ModelError(
        f"{inspected.place} is an inspection of another model than {opened.name}"
        if known
        else f"{inspected.place} does not say of which weights it is",
        expected="an inspection of this very model",
        found=f"one of {inspected.record.model}",
        remedy="Inspect the model with bezoar inspect, and give that folder",
    )
