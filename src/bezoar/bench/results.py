"""What is kept of a cell: one line in results.jsonl, small enough to be carried about, enough for the table."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bezoar.bench.claims import alone
from bezoar.bench.config import Cell
from bezoar.records import DrillRecord, Measurement, Rate, Saturation, Skipped, from_json, to_json

RESULTS_FILE = "results.jsonl"
POISONING = "poison a copy"


@dataclass(frozen=True)
class CellResult:
    """The figures of one cell; rates in 0..1, PSNR in dB. `key` says which cell it belongs to."""

    key: str
    attack: str
    rate: float | None
    seed: int
    poisons: int
    covers: int
    clean_accuracy: float
    attack_success: float | Skipped
    robust_accuracy: float | Skipped
    twin_clean_accuracy: float | Skipped
    twin_attack_success: float | Skipped
    psnr: float | Skipped
    ssim: float | Skipped
    swallowed: float | Skipped
    seconds_to_poison: float
    seconds_to_train: float | Skipped
    created: str


def cell_result(cell: Cell, record: DrillRecord) -> CellResult:
    """What is kept of a drill's record."""
    victim, visibility = record.victim.measurement, record.visibility
    saturation, training = record.saturation, record.victim.training
    return CellResult(
        key=cell.key,
        attack=cell.attack.name,
        rate=cell.rate,
        seed=cell.seed,
        poisons=record.attack.poisons,
        covers=record.attack.covers,
        clean_accuracy=victim.clean_accuracy.value,
        attack_success=_value(victim.attack_success),
        robust_accuracy=_value(victim.robust_accuracy),
        twin_clean_accuracy=_of_twin(record, lambda twin: twin.clean_accuracy),
        twin_attack_success=_of_twin(record, lambda twin: twin.attack_success),
        psnr=visibility.psnr,
        ssim=visibility.ssim,
        swallowed=saturation.swallowed if isinstance(saturation, Saturation) else saturation,
        seconds_to_poison=sum(time.seconds for time in record.stages if time.stage.endswith(POISONING)),
        seconds_to_train=training if isinstance(training, Skipped) else training.seconds,
        created=record.created,
    )


def read_results(folder: Path) -> dict[str, CellResult]:
    """The cells done so far, by key. A last line that was cut off is ignored; raises RecordError for other damage."""
    path = folder / RESULTS_FILE
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1].splitlines()
    results = (
        from_json(CellResult, line, origin=f"{path}, line {number}") for number, line in enumerate(whole, start=1)
    )
    return {result.key: result for result in results}


def append_result(folder: Path, result: CellResult) -> None:
    """Add a line to the results, on the disk before this returns; it takes the place of one that was cut off."""
    with alone(folder), (folder / RESULTS_FILE).open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(to_json(result, indent=None).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _value(rate: Rate | Skipped) -> float | Skipped:
    return rate.value if isinstance(rate, Rate) else rate


def _of_twin(record: DrillRecord, part: Callable[[Measurement], Rate | Skipped]) -> float | Skipped:
    return record.twin if isinstance(record.twin, Skipped) else _value(part(record.twin.measurement))
