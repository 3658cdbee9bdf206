"""A data set without the suspects of a scan, or the samples that a repair turned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from bezoar.data.dataset import Dataset
from bezoar.data.memory import allocate, chunks
from bezoar.errors import DataError, UsageError, did_you_mean
from bezoar.records import Finding, ScanRecord
from bezoar.records.repairing import TurnedSamples
from bezoar.records.scanning import Strength
from bezoar.scan.honest.words import counted

STRENGTHS: tuple[Strength, ...] = ("confirmed", "suspicious")
"""The strongest first."""
BRIEF = 12


@dataclass(frozen=True)
class LeftOut:
    """A sample that was left out: id, label, contributor, and the finding that names it with its score there."""

    id: str
    label: str
    source: str | None
    score: float
    finding: str
    target: str
    strength: Strength


REPAIR = "repair"
"""The finding that names what a repair turned."""
NOTHING_FOUND = "That a scan finds nothing doesn't show that data are clean; a larger --budget sees more"


def without_suspects(
    data: Dataset, record: ScanRecord, *, strengths: Sequence[Strength] = STRENGTHS, targets: Sequence[str] = ()
) -> tuple[Dataset, tuple[LeftOut, ...]]:
    """`data` without the suspects of a scan of the same data, in the same order, and what was left out.

    Findings count that are of one of `strengths` and, where `targets` are given, have one of these as their target
    class or as (the beginning of) their fingerprint. A suspect of several findings goes by the strongest, then by its
    highest score. The list is in order of ids. Raises DataError where the scan was of other data, names no suspect, or
    leaves nothing; UsageError for a target that no finding has.
    """
    require_same_data(data, record)
    chosen = findings_named(record, targets)
    named = _strongest([finding for finding in chosen if finding.strength in strengths])
    if not named:
        raise DataError(
            "there is nothing to leave out",
            expected=f"a finding that is {' or '.join(strengths)} and names suspects",
            found=f"{counted(len(chosen), 'finding')}, verdict {record.verdict}",
            remedy="Choose other findings, or a lower --min-strength" if chosen else NOTHING_FOUND,
        )
    if len(named) == len(data):
        raise DataError("every sample is a suspect", remedy="Choose fewer findings with --finding or --min-strength")
    return _without(data, named)


def without_turned(data: Dataset, turned: TurnedSamples) -> tuple[Dataset, tuple[LeftOut, ...]]:
    """`data` without the samples that a repair turned, as `without_suspects` gives it. Their score is their chance.

    Raises DataError where the repair was of other data.
    """
    named = frozenset(turned.ids)
    rows = {sample_id: row for row, sample_id in enumerate(data.ids) if sample_id in named}
    labels = {data.class_names[int(data.labels[row])] for row in rows.values()}
    if len(rows) < len(named) or labels - {turned.target}:
        raise DataError(
            "the repair was of other data",
            expected=f"data with {counted(len(named), 'sample')} of class {turned.target!r} that it turned",
            found=f"{data.name}, {counted(len(rows), 'such id')}",
            remedy="Give the data that were given to the repair, read by the same options (such as --split)",
        )
    if len(rows) == len(data):
        raise DataError("every sample was turned", remedy="Scan the data")
    return _without(data, {one: _turned(data, row, turned) for one, row in rows.items()})


def _turned(data: Dataset, row: int, turned: TurnedSamples) -> LeftOut:
    source = None if data.sources is None else data.sources[row]
    return LeftOut(data.ids[row], turned.target, source, turned.chance, REPAIR, turned.target, "suspicious")


def _without(data: Dataset, named: Mapping[str, LeftOut]) -> tuple[Dataset, tuple[LeftOut, ...]]:
    kept = [row for row, sample_id in enumerate(data.ids) if sample_id not in named]
    return _selected(data, kept), tuple(named[sample_id] for sample_id in sorted(named))


def _selected(data: Dataset, rows: Sequence[int]) -> Dataset:
    """`data.select(rows)`; images go where there is room for them, in memory or in a scratch file."""
    if not data.is_images:
        return data.select(rows)
    index = torch.tensor(rows, dtype=torch.int64)
    inputs = allocate(len(rows), *data.inputs.shape[1:])
    for part in chunks(len(rows), data.inputs[0].numel()):
        inputs[part] = data.inputs[index[part]]
    return replace(
        data,
        inputs=inputs,
        labels=data.labels[index],
        ids=tuple(data.ids[row] for row in rows),
        sources=None if data.sources is None else tuple(data.sources[row] for row in rows),
    )


def require_same_data(data: Dataset, record: ScanRecord) -> None:
    """Raise DataError when the scan was of other data: by the digest over classes, ids and labels."""
    digest, scanned = data.digest(), record.dataset
    if digest != scanned.digest:
        raise DataError(
            "the findings are of other data",
            expected=f"{scanned.name}, {scanned.samples:,} samples, digest {scanned.digest[:BRIEF]}",
            found=f"{data.name}, {len(data):,} samples, digest {digest[:BRIEF]}",
            remedy="Give the data that were scanned, read by the same options (such as --split), or scan these",
        )


def findings_named(record: ScanRecord, targets: Sequence[str]) -> tuple[Finding, ...]:
    """The findings with one of `targets` as their target class or as the beginning of their fingerprint; all for none.

    Raises UsageError for a name that is no finding's.
    """
    for name in targets:
        if not any(_is_called(finding, name) for finding in record.findings):
            known = [word for finding in record.findings for word in (finding.target, finding.fingerprint[:BRIEF])]
            raise UsageError(
                f"no finding is called {name!r}",
                expected=f"one of {', '.join(known)}" if known else "a record with findings",
                remedy=did_you_mean(name, known),
            )
    return tuple(one for one in record.findings if not targets or any(_is_called(one, name) for name in targets))


def _is_called(finding: Finding, name: str) -> bool:
    return finding.target == name or (name != "" and finding.fingerprint.startswith(name))


def _strongest(findings: Sequence[Finding]) -> dict[str, LeftOut]:
    """Suspects by id, each by the finding that says most of it."""
    named: dict[str, LeftOut] = {}
    for finding in findings:
        for one in finding.suspects:
            new = LeftOut(
                one.id, one.label, one.source, one.score, finding.fingerprint, finding.target, finding.strength
            )
            if one.id not in named or _weight(new) > _weight(named[one.id]):
                named[one.id] = new
    return named


def _weight(one: LeftOut) -> tuple[int, float]:
    return -STRENGTHS.index(one.strength), one.score
