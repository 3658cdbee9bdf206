"""What is kept of each cell of a grid of scans: one line of JSON each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bezoar.attacks import Poisoned
from bezoar.bench.honest import honest_case
from bezoar.bench.lines import append_line, read_lines
from bezoar.bench.scan_config import ScanCell
from bezoar.confirm.confirm import Confirmation
from bezoar.data.dataset import Dataset
from bezoar.metrics import auroc, tpr_at_fpr
from bezoar.records import FlipTest, Skipped
from bezoar.scan import Scanned
from bezoar.training.precision import choose_device

RESULTS_FILE = "scans.jsonl"
LEVEL = 0.01


@dataclass(frozen=True)
class TestedClass:
    """What the causal test said of one class: flip rate, strongest control, p-value, and what suspects' content says.

    Rows from before that was kept have None for `familiar` and `apart`, see `Content`.
    """

    class_name: str
    signal: str
    kind: str
    flips: float | None
    flips_low: float | None
    control: float | None
    p_value: float | None
    mislabelled: float | None
    familiar: float | None = None
    apart: float | None = None


@dataclass(frozen=True)
class FoundClass:
    """A finding: its class and strength, suspects, and how many of them are poisons."""

    class_name: str
    strength: str
    suspects: int
    hits: int


@dataclass(frozen=True)
class ScanResult:
    """The figures of one cell. Statistics are kept whole, so that thresholds can be judged anew without a scan."""

    key: str
    name: str
    honest: bool
    choosing: bool
    static: bool
    one_class_mark: bool
    rate: float
    coding: str
    seed: int
    samples: int
    targets: tuple[str, ...]
    poisons: int
    attack_success: float | None
    verdict: str
    found: tuple[FoundClass, ...]
    tested: tuple[TestedClass, ...]
    auroc: float | None
    tpr_at_1_percent: float | None
    statistics: tuple[tuple[str, str, float], ...]
    seconds: tuple[tuple[str, float], ...]
    device: str


def read_scans(out: Path) -> dict[str, ScanResult]:
    """The cells done so far, by key, see `read_lines`."""
    return {result.key: result for result in read_lines(out, RESULTS_FILE, ScanResult)}


def append_scan(out: Path, result: ScanResult) -> None:
    """Add a line to the results, see `append_line`."""
    append_line(out, RESULTS_FILE, result)


def scan_result(
    cell: ScanCell,
    scanned: Scanned,
    data: Dataset,
    poisoned: Poisoned | None = None,
    success: float | None = None,
    *,
    device: str = "auto",
) -> ScanResult:
    """The figures of a scan of `data`. What was poisoned, and the victim's ASR, are given for an attack alone."""
    record = scanned.record
    poisons = poisoned.truth.poison_ids if poisoned else frozenset()
    case = honest_case(str(cell.honest)) if cell.attack is None else None
    area, hit = _ranking(scanned, data, poisons)
    return ScanResult(
        key=cell.key,
        name=cell.attack.name if cell.attack else str(cell.honest),
        honest=cell.attack is None,
        choosing=cell.attack.choosing if cell.attack else case is not None and case.calibration,
        static=cell.attack.static if cell.attack else True,
        one_class_mark=case is not None and case.one_class_mark,
        rate=cell.rate,
        coding=cell.coding,
        seed=cell.seed,
        samples=len(data),
        targets=_targets(poisoned, data),
        poisons=len(poisons),
        attack_success=success,
        verdict=record.verdict,
        found=tuple(
            FoundClass(
                one.target, one.strength, len(one.suspects), sum(suspect.id in poisons for suspect in one.suspects)
            )
            for one in record.findings
        ),
        tested=tuple(_tested(one, data) for one in scanned.tested),
        auroc=area,
        tpr_at_1_percent=hit,
        statistics=tuple((one.detector, one.class_name, round(one.statistic, 5)) for one in record.signals),
        seconds=tuple((stage.stage, round(stage.seconds, 2)) for stage in record.stages),
        device=choose_device(device).type,
    )


def _ranking(scanned: Scanned, data: Dataset, poisons: frozenset[str]) -> tuple[float | None, float | None]:
    """AUROC of the suspicion of poisons against all others, and their TPR at an FPR of 1%; None without poisons."""
    if not poisons:
        return None, None
    scores = np.array([scanned.suspicion[sample_id] for sample_id in data.ids])
    flags = np.array([sample_id in poisons for sample_id in data.ids])
    area, point = auroc(scores, flags), tpr_at_fpr(scores, flags, LEVEL)
    hits = point if isinstance(point, Skipped) else point.tpr
    return None if isinstance(area, Skipped) else area, None if isinstance(hits, Skipped) else hits.value


def _targets(poisoned: Poisoned | None, data: Dataset) -> tuple[str, ...]:
    if poisoned is None:
        return ()
    found = {target for backdoor in poisoned.backdoors for target in backdoor.relabelling.values()}
    return tuple(data.class_names[target] for target in sorted(found))


def _tested(one: Confirmation, data: Dataset) -> TestedClass:
    test = one.flip_test if isinstance(one.flip_test, FlipTest) else None
    return TestedClass(
        data.class_names[one.hypothesis.target],
        one.hypothesis.signal,
        "none" if isinstance(one.trigger, Skipped) else one.trigger.kind,
        test.flips.value if test else None,
        test.flips.low if test else None,
        test.control.value if test else None,
        test.p_value if test else None,
        one.content.mislabelled,
        one.content.familiar,
        one.content.apart,
    )
