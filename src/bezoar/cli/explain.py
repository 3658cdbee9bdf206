"""`bezoar scan --explain ID`: what a scan knows of one sample."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from rich.markup import escape

from bezoar.cli.console import say
from bezoar.data import Dataset
from bezoar.errors import UsageError, did_you_mean
from bezoar.records import ClassSignal, DetectorRun, Finding, ScanRecord, Suspect, Verdict
from bezoar.records.scanning import Strength
from bezoar.report.phrases import brief, p_value, percent, quoted, sentence, significant, visible

MOST_LISTED = 12


@dataclass(frozen=True)
class Place:
    """A sample's place in a finding: `rank` is 1 for the most suspicious of `suspects`."""

    fingerprint: str
    target: str
    strength: Strength
    reason: str
    content: str
    rank: int
    suspects: int
    suspect: Suspect


@dataclass(frozen=True)
class Explanation:
    """What a scan says of one sample: its places in findings, remarks that name it, and what is said of its class.

    `odd` says why it is no suspect though it is among the odd samples of a class that stands out.

    A scan keeps the scores of suspects only, so nothing more can be told of a sample that is none.
    """

    id: str
    label: str
    source: str | None
    verdict: Verdict
    budget: str
    created: str
    findings: tuple[Place, ...]
    remarks: tuple[str, ...]
    class_signals: tuple[ClassSignal, ...]
    skipped: tuple[DetectorRun, ...]
    odd: tuple[str, ...] = ()
    kind: Literal["explanation"] = "explanation"


def explain(data: Dataset, record: ScanRecord, wanted: str) -> Explanation:
    """What `record`, a scan of `data`, says of the sample `wanted` (see `sample_called`)."""
    sample_id = sample_called(data.ids, wanted)
    row = data.ids.index(sample_id)
    label = data.class_names[int(data.labels[row])]
    return Explanation(
        sample_id,
        label,
        None if data.sources is None else data.sources[row],
        record.verdict,
        record.budget,
        record.created,
        tuple(place for finding in record.findings if (place := _place(finding, sample_id)) is not None),
        tuple(one.sentence for one in record.remarks if any(sample_id in group for group in one.examples)),
        tuple(sorted((one for one in record.signals if one.class_name == label), key=lambda one: one.p_value)),
        tuple(run for run in record.detectors if run.skipped is not None),
        tuple(one.why for one in record.odd if sample_id in one.samples),
    )


def sample_called(ids: tuple[str, ...], wanted: str) -> str:
    """The one id that is `wanted`, or has it as its path or file name, or begins or ends so; else UsageError.

    `wanted` may be a path as it is typed, through the folder of the data. Where samples have no paths, as in arrays,
    `row 17` or 17 is the 18th.
    """
    row = _row(wanted)
    if row is not None and row < len(ids) and not any(":" in sample_id for sample_id in ids):
        return ids[row]
    for fits in (_is, _names_path, _is_one_end, _is_below):
        found = [sample_id for sample_id in ids if wanted and fits(sample_id, wanted)]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(sorted(found)[:MOST_LISTED])
            raise UsageError(
                f"{len(found):,} samples are called {wanted!r}",
                expected="an id, or one end of it that no other has",
                found=listed + (" and more" if len(found) > MOST_LISTED else ""),
                remedy="Give more of it",
            )
    raise UsageError(
        f"no sample is called {wanted!r}",
        expected=f"an id such as {ids[0]}, or one end of it, such as a file name, or the row of an array",
        remedy=did_you_mean(wanted, [sample_id.rpartition(":")[2] for sample_id in ids]),
    )


def _is(sample_id: str, wanted: str) -> bool:
    return sample_id == wanted


def _names_path(sample_id: str, wanted: str) -> bool:
    """Whether `wanted` is the path in an id, or the last parts of it."""
    path = sample_id.partition(":")[2]
    return path == wanted or path.endswith(f"/{wanted}")


def _is_one_end(sample_id: str, wanted: str) -> bool:
    return sample_id.startswith(wanted) or sample_id.endswith(wanted)


def _is_below(sample_id: str, wanted: str) -> bool:
    """Whether `wanted` is the path in an id, with the folder of the data before it."""
    path = sample_id.partition(":")[2]
    return bool(path) and PurePath(wanted).as_posix().endswith(f"/{path}")


def _row(wanted: str) -> int | None:
    number = wanted.removeprefix("row").strip()
    return int(number) if number.isascii() and number.isdigit() else None


def _place(finding: Finding, sample_id: str) -> Place | None:
    ranked = sorted(finding.suspects, key=lambda suspect: -suspect.score)
    for rank, suspect in enumerate(ranked, start=1):
        if suspect.id == sample_id:
            return Place(
                finding.fingerprint,
                finding.target,
                finding.strength,
                finding.reason,
                finding.content,
                rank,
                len(ranked),
                suspect,
            )
    return None


def say_explanation(told: Explanation) -> None:
    """The explanation in lines for a terminal."""
    for line in explanation_lines(told):
        say(line)


def explanation_lines(told: Explanation) -> Iterator[str]:
    """Lines of rich markup."""
    source = f", from {_safe(quoted(told.source))}" if told.source else ""
    yield f"[bold]{_safe(told.id)}[/]: label {_safe(quoted(told.label))}{source}"
    for place in told.findings:
        yield from _place_lines(place)
    if not told.findings:
        yield "not among the suspects of any finding; a scan keeps the scores of suspects only"
    for why in told.odd:
        yield f"among the odd samples of its class, which stands out, but {_safe(sentence(why))}"
    for remark in told.remarks:
        yield f"no poison, but worth knowing: {_safe(sentence(remark))}"
    yield from _class_lines(told)
    yield f"[dim]by the {told.budget} scan of {_safe(told.created)}, verdict {told.verdict}[/]"


def _place_lines(place: Place) -> Iterator[str]:
    suspect = place.suspect
    yield (
        f"suspect {place.rank:,} of {place.suspects:,} of the finding towards {_safe(quoted(place.target))} "
        f"({place.strength}): chance {percent(suspect.score)}"
    )
    for detector, share in sorted(suspect.evidence, key=lambda pair: -pair[1]):
        yield f"  {_safe(brief(detector, 60))}: above {percent(share)} of its class"
    if suspect.looks_like is not None:
        yield f"  looks like {_safe(quoted(suspect.looks_like))} to a model without the trigger"
    if suspect.neighbour is not None:
        yield f"  nearest sample that is no suspect: {_safe(suspect.neighbour)}"
    yield f"  the finding: {_safe(sentence(place.reason))}"


def _class_lines(told: Explanation) -> Iterator[str]:
    yield f"what the detectors say of class {_safe(quoted(told.label))}:"
    for signal in told.class_signals:
        fired = "stands out" if signal.fired else "does not stand out"
        yield (
            f"  {_safe(brief(signal.detector, 60))}: {fired} "
            f"(statistic {significant(signal.statistic)}, p {p_value(signal.p_adjusted)} over all of the scan)"
        )
    for run in told.skipped:
        reason = run.skipped.reason if run.skipped is not None else ""
        yield f"  {_safe(brief(run.detector, 60))}: did not run: {_safe(sentence(reason))}"
    if not told.class_signals and not told.skipped:
        yield "  nothing"


def _safe(text: str) -> str:
    return escape(visible(text))
