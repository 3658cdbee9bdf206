"""The verdict and sections of an inspection's report, in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bezoar.records import DatasetRecord, Rate, RecoveredTrigger, Skipped, Verdict
from bezoar.records.inspecting import InspectionRecord, ModelFinding
from bezoar.report.classes import counts_by_class
from bezoar.report.inspection_classes import class_tables
from bezoar.report.phrases import brief, counts, measured, percent_in_words, quoted, sentence, some_of
from bezoar.report.scan_finding import KINDS, Flips, catalogued, flips_of
from bezoar.report.scan_pictures import Still, fitting, still
from bezoar.report.section import Headline, Section
from bezoar.report.standards import frameworks_for

View = Mapping[str, object]

MOST_FINDINGS, MOST_EXAMPLES, MOST_REFERENCES = 10, 6, 100
MOST_BYTES = 1_500_000

_LEVELS: dict[Verdict, tuple[str, str]] = {
    "confirmed": ("bad", "Backdoor confirmed"),
    "suspicious": ("unclear", "Suspicious"),
    "no evidence": ("calm", "No evidence found"),
    "inconclusive": ("unclear", "Inconclusive"),
}
NOT_CLEAN = (
    "That does not show that there is none: a backdoor whose trigger has none of the forms looked for is not seen."
)


@dataclass(frozen=True)
class Told:
    """A finding in full."""

    number: int
    finding: ModelFinding
    kind: str
    pattern: Still | None
    examples: tuple[tuple[Still, Still], ...]
    flips: Flips | Skipped
    catalogue: tuple[tuple[str, str, str], ...]


def inspection_headline(record: InspectionRecord) -> Headline:
    """What the inspection came to. That a model is clean is never said."""
    level, label = _LEVELS[record.verdict]
    parts = (
        record.reason,
        NOT_CLEAN if record.verdict == "no evidence" else "",
        f"Cuts: {record.cuts_from}" if record.cuts_from else "",
        f"False alarms: {record.false_alarm}",
    )
    return Headline(
        level,
        label,
        _sentence(record),
        " ".join(sentence(one[:1].upper() + one[1:]) for one in parts if one),
        tuple(_cautions(record)),
    )


def _sentence(record: InspectionRecord) -> str:
    targets = list(dict.fromkeys(brief(one.target) for one in record.findings))
    towards = f" towards {quoted(targets[0]) if len(targets) == 1 else some_of(targets)}" if targets else ""
    if record.verdict == "confirmed":
        first = next(one for one in record.findings if one.strength == "confirmed")
        return f"This model carries a backdoor{towards}: {trigger_in_words(first)}."
    if record.verdict == "suspicious":
        return f"This model may carry a backdoor{towards}; it is not proven."
    if record.verdict == "no evidence":
        return "No evidence of a backdoor was found in this model."
    return "Whether this model carries a backdoor could not be told."


def trigger_in_words(finding: ModelFinding) -> str:
    """How many clean samples go over with the recovered trigger, and with the strongest control."""
    test = finding.flip_test
    if isinstance(test, Skipped):
        return f"its trigger was not tried ({test.reason.rstrip('.')})"
    flips, control = measured(test.flips), measured(test.control)
    if isinstance(flips, Skipped):
        return f"its trigger was not tried ({flips.reason.rstrip('.')})"
    beside = percent_in_words(control.value) if isinstance(control, Rate) else "a number not measured"
    return (
        f"{percent_in_words(flips.value)} of clean samples go over to it when the recovered trigger is put on them, "
        f"{beside} with the strongest control"
    )


def accuracy_in_words(accuracy: Rate) -> str:
    """How many clean samples the model answers right."""
    return f"{percent_in_words(accuracy.value)} answered right by the model ({counts(accuracy)})"


def _cautions(record: InspectionRecord) -> Iterator[str]:
    skipped = [run for run in record.detectors if run.skipped is not None]
    if skipped:
        whole = f"{len(record.detectors)} detector{'' if len(record.detectors) == 1 else 's'}"
        yield f"{len(skipped)} of {whole} did not run; why, the report says under Detectors."
    if isinstance(record.clean, Skipped):
        yield "No clean samples were given: only detectors that need none could run, and no trigger could be tried."
    yield from map(sentence, record.notes[:8])


def _findings(record: InspectionRecord) -> View:
    full = record.findings[:MOST_FINDINGS]
    share = MOST_BYTES // max(1, len(full))
    told = tuple(_told(number, one, share) for number, one in enumerate(full, start=1))
    return {"told": told, "left_out": len(record.findings) - len(full)}


def _told(number: int, finding: ModelFinding, most_bytes: int) -> Told:
    trigger = finding.trigger if isinstance(finding.trigger, RecoveredTrigger) else None
    pattern = trigger.pattern if trigger and trigger.pattern and len(trigger.pattern.png) < most_bytes else None
    examples = fitting(trigger.examples[:MOST_EXAMPLES] if trigger else (), most_bytes)
    return Told(
        number,
        finding,
        KINDS[trigger.kind] if trigger else "",
        still("trigger.pattern", pattern) if pattern else None,
        tuple((still("trigger.examples", before), still("trigger.examples", after)) for before, after in examples),
        finding.flip_test if isinstance(finding.flip_test, Skipped) else flips_of(finding.flip_test),
        tuple(map(catalogued, finding.atlas)),
    )


def _references(record: InspectionRecord) -> View | None:
    """The models that the cuts rest on; left out where they come with bezoar."""
    if record.references is None:
        return None
    return {"references": record.references, "used": record.references.used[:MOST_REFERENCES]}


def _detectors(record: InspectionRecord) -> View:
    return {
        "runs": record.detectors,
        "ran": sum(run.skipped is None for run in record.detectors),
        "total": sum(run.seconds for run in record.detectors),
    }


def _data(record: InspectionRecord) -> View | None:
    if not isinstance(record.clean, DatasetRecord):
        return None
    return {
        "accuracy": record.accuracy,
        "sets": [("Clean samples", record.clean, *counts_by_class(record.clean))],
        "unknown": (),
    }


def _standards(record: InspectionRecord) -> View:
    return {"frameworks": frameworks_for(record.kind)}


def _reproduce(record: InspectionRecord) -> View:
    return {"commands": record.commands, "versions": record.versions}


SECTIONS = (
    Section("findings", "What was found", "inspection_findings.html", _findings),
    Section("classes", "Class by class", "inspection_classes.html", class_tables),
    Section("detectors", "Detectors", "inspection_detectors.html", _detectors),
    Section("references", "References", "inspection_references.html", _references),
    Section("data", "The data", "inspection_data.html", _data),
    Section("standards", "Public catalogues", "standards.html", _standards),
    Section("reproduce", "Do it again", "reproduce.html", _reproduce),
)
