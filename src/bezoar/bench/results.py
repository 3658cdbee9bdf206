"""What is kept of a cell: one line in results.jsonl, small enough to be carried about, enough for the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bezoar.bench.config import Cell
from bezoar.bench.lines import append_line, read_lines
from bezoar.records import DrillRecord, Measurement, Rate, Saturation, Skipped

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
    """The cells done so far, by key, see `read_lines`."""
    return {result.key: result for result in read_lines(folder, RESULTS_FILE, CellResult)}


def append_result(folder: Path, result: CellResult) -> None:
    """Add a line to the results, see `append_line`."""
    append_line(folder, RESULTS_FILE, result)


def _value(rate: Rate | Skipped) -> float | Skipped:
    return rate.value if isinstance(rate, Rate) else rate


def _of_twin(record: DrillRecord, part: Callable[[Measurement], Rate | Skipped]) -> float | Skipped:
    return record.twin if isinstance(record.twin, Skipped) else _value(part(record.twin.measurement))
