"""Scan poisoned and honest sets, cell by cell; what is done already is not done again."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from bezoar.attacks import Backdoor, Poisoned
from bezoar.bench.claims import alone, claimed
from bezoar.bench.honest_cases import HONEST_CASES, honest_case
from bezoar.bench.scan_config import ScanBenchConfig, ScanCell, read_scan_config, scan_cells
from bezoar.bench.surrogates import ready_surrogates, with_surrogates
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.drill.state import Listener
from bezoar.errors import BezoarError
from bezoar.metrics import auroc, tpr_at_fpr
from bezoar.records import FlipTest, Skipped, from_json, to_json
from bezoar.scan import Scanned, ScanSettings, scan_all
from bezoar.training import predict_logits, train

RESULTS_FILE = "scans.jsonl"
JPEG = "jpeg-"
TESTED = 2_000


@dataclass(frozen=True)
class TestedClass:
    """What the causal test said of one class: flip rate, strongest control, p-value, share of wrong labels."""

    class_name: str
    signal: str
    kind: str
    flips: float | None
    flips_low: float | None
    control: float | None
    p_value: float | None
    mislabelled: float | None


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


def run_scans(path: Path, out: Path, listener: Listener, *, device: str = "auto") -> tuple[ScanResult, ...]:
    """Run every cell of the benchmark file that `out`/scans.jsonl doesn't hold yet, and give all that are done.

    Several processes may share a grid: each takes cells that no other is at. A cell that fails is told at the end.
    """
    config = read_scan_config(path)
    out.mkdir(parents=True, exist_ok=True)
    todo = [cell for cell in all_cells(config) if cell.key not in read_scans(out)]
    failures: list[str] = []
    if todo:
        source = os.path.expandvars(config.data.source)
        clean = open_data(source, split=config.data.train_split, size=config.data.size)
        test = open_data(source, split=config.data.test_split, size=config.data.size)
        for cell in todo:
            with claimed(out / "claims" / cell.key) as mine:
                if not mine or cell.key in read_scans(out):
                    continue
                listener.begins(cell.label)
                started = time.perf_counter()
                try:
                    if cell.attack is not None:
                        ready_surrogates(config.drills, cell.attack.surrogates, clean, out, listener)
                    _append(out, run_cell(config, cell, clean, test, out, device))
                except BezoarError as error:
                    failures.append(f"{cell.label}: {error}")
                listener.ends(cell.label, time.perf_counter() - started)
    if failures:
        raise BezoarError(
            f"{len(failures)} of {len(todo)} cells failed; the others are done", found="; ".join(failures)
        )
    return tuple(read_scans(out).values())


def all_cells(config: ScanBenchConfig) -> tuple[ScanCell, ...]:
    """The cells of a benchmark, honest cases named."""
    wanted = [
        case.name
        for case in HONEST_CASES
        if config.honest == "all" or (config.honest != "none" and case.calibration == (config.honest == "choosing"))
    ]
    return scan_cells(config, tuple(wanted))


def run_cell(
    config: ScanBenchConfig, cell: ScanCell, clean: Dataset, test: Dataset, out: Path, device: str
) -> ScanResult:
    """Make the set, train a victim on it, and scan it with no knowledge of either."""
    settings = ScanSettings(budget=config.budget, seed=cell.seed, device=device)
    if cell.attack is None:
        case = honest_case(str(cell.honest))
        data = case.build(clean, cell.seed)
        return _result(
            cell, scan_all(data, settings), data, None, None, choosing=case.calibration, mark=case.one_class_mark
        )
    spec = with_surrogates(cell.attack.spec(cell.seed), config.drills, out)
    poisoned = cell.attack.build(cell.rate, cell.seed, spec).poison(clean, seed=cell.seed)
    data = coded(poisoned.data, cell.coding)
    victim = train(
        data, model=config.train.model, recipe=config.train.full_recipe(), seed=cell.seed, device=device
    ).model
    success = attack_success_of(victim, test, poisoned.backdoors, cell.coding)
    # The mark of a drill doesn't name poisons, but a scan shall not even see that there was a drill.
    scanned = scan_all(replace(data, mark=None), settings)
    return _result(cell, scanned, data, poisoned, success, choosing=cell.attack.choosing, mark=False)


def coded(data: Dataset, coding: str) -> Dataset:
    """The data as they are, or with every image coded once as JPEG of the quality in `jpeg-75`."""
    if not coding.startswith(JPEG):
        return data
    inputs = jpeg(data.inputs, int(coding.removeprefix(JPEG)))
    return replace(data, inputs=inputs, encoded=None)


def jpeg(images: Tensor, quality: int) -> Tensor:
    """uint8 images (n, c, h, w) after one coding."""
    out = np.empty((len(images), *images.shape[2:], images.shape[1]), np.uint8)
    for place, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        buffer = io.BytesIO()
        Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality)
        out[place] = np.asarray(Image.open(buffer)).reshape(image.shape)
    return torch.from_numpy(out).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def attack_success_of(victim: nn.Module, test: Dataset, backdoors: Sequence[Backdoor], coding: str) -> float:
    """ASR over all backdoors: triggered test samples of their sources, coded as the data were."""
    hits = trials = 0
    for backdoor in backdoors:
        rows = np.flatnonzero(np.isin(test.labels.numpy(), list(backdoor.relabelling)))[:TESTED]
        wanted = np.array([backdoor.relabelling[label] for label in test.labels.numpy()[rows].tolist()])
        triggered = backdoor.trigger(test.inputs[torch.from_numpy(rows)])
        if coding.startswith(JPEG):
            triggered = jpeg(triggered, int(coding.removeprefix(JPEG)))
        hits += int((predict_logits(victim, triggered).argmax(1).numpy() == wanted).sum())
        trials += len(rows)
    return hits / max(1, trials)


def read_scans(out: Path) -> dict[str, ScanResult]:
    """The cells done so far, by key."""
    path = out / RESULTS_FILE
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    results = (from_json(ScanResult, line, origin=f"{path}, line {place}") for place, line in enumerate(lines, 1))
    return {result.key: result for result in results}


def _append(out: Path, result: ScanResult) -> None:
    with alone(out), (out / RESULTS_FILE).open("a", encoding="utf-8") as file:
        file.write(to_json(result, indent=None) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _result(
    cell: ScanCell,
    scanned: Scanned,
    data: Dataset,
    poisoned: Poisoned | None,
    success: float | None,
    *,
    choosing: bool,
    mark: bool,
) -> ScanResult:
    record = scanned.record
    poisons = poisoned.truth.poison_ids if poisoned else frozenset()
    scores = np.array([scanned.suspicion[sample_id] for sample_id in data.ids])
    flags = np.array([sample_id in poisons for sample_id in data.ids])
    area = auroc(scores, flags) if flags.any() else None
    point = tpr_at_fpr(scores, flags, 0.01) if flags.any() else None
    hit = None if point is None or isinstance(point, Skipped) or isinstance(point.tpr, Skipped) else point.tpr.value
    targets = (
        sorted({target for backdoor in poisoned.backdoors for target in backdoor.relabelling.values()})
        if poisoned
        else []
    )
    return ScanResult(
        key=cell.key,
        name=cell.attack.name if cell.attack else str(cell.honest),
        honest=cell.attack is None,
        choosing=choosing,
        static=cell.attack.static if cell.attack else True,
        one_class_mark=mark,
        rate=cell.rate,
        coding=cell.coding,
        seed=cell.seed,
        samples=len(data),
        targets=tuple(data.class_names[target] for target in targets),
        poisons=len(poisons),
        attack_success=success,
        verdict=record.verdict,
        found=tuple(
            FoundClass(
                one.target, one.strength, len(one.suspects), sum(suspect.id in poisons for suspect in one.suspects)
            )
            for one in record.findings
        ),
        tested=_tested(scanned, data),
        auroc=None if isinstance(area, Skipped) else area,
        tpr_at_1_percent=hit,
        statistics=tuple((one.detector, one.class_name, round(one.statistic, 5)) for one in record.signals),
        seconds=tuple((stage.stage, round(stage.seconds, 2)) for stage in record.stages),
        device="cuda" if torch.cuda.is_available() else "cpu",
    )


def _tested(scanned: Scanned, data: Dataset) -> tuple[TestedClass, ...]:
    rows = []
    for one in scanned.tested:
        test = one.flip_test
        measured = isinstance(test, FlipTest)
        rows.append(
            TestedClass(
                data.class_names[one.hypothesis.target],
                one.hypothesis.signal,
                "none" if isinstance(one.trigger, Skipped) else one.trigger.kind,
                test.flips.value if isinstance(test, FlipTest) else None,
                test.flips.low if isinstance(test, FlipTest) else None,
                test.control.value if isinstance(test, FlipTest) else None,
                test.p_value if isinstance(test, FlipTest) and measured else None,
                one.content.mislabelled,
            )
        )
    return tuple(rows)
