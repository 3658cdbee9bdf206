"""Scan poisoned and honest sets, cell by cell; what is done already is not done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bezoar.attacks import Backdoor
from bezoar.bench.claims import in_turn
from bezoar.bench.config import data_source
from bezoar.bench.honest import HONEST_CASES, honest_case
from bezoar.bench.scan_coding import coded, coded_images
from bezoar.bench.scan_config import ScanBenchConfig, ScanCell, read_scan_config, scan_cells
from bezoar.bench.scan_results import ScanResult, append_scan, read_scans, scan_result
from bezoar.bench.surrogates import ready_surrogates, with_surrogates
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.errors import BezoarError, UsageError
from bezoar.scan import ScanSettings, scan_all
from bezoar.training import predict_logits, train
from bezoar.training.listening import Listener

CLAIMS = "claims"
TESTED = 2_000


def run_scans(
    path: Path, out: Path, listener: Listener, *, device: str = "auto", only: str = ""
) -> tuple[ScanResult, ...]:
    """Run every cell of the benchmark file that `out`/scans.jsonl doesn't hold yet, and give all that are done.

    Of the cells only those whose label contains `only`. Several processes may share a grid: each leaves alone the cells
    that another one is at, waits for them in the end, and takes over those of one that died. A cell that fails keeps
    none of the others from running; at the end BezoarError names it. Raises UsageError for a faulty file and where no
    label contains `only`.
    """
    config = read_scan_config(path)
    cells = chosen_cells(config, only)
    out.mkdir(parents=True, exist_ok=True)
    done = read_scans(out)
    todo = [cell for cell in cells if cell.key not in done]
    if todo:
        source = data_source(config.drills)
        clean, test = (
            open_data(source, split=split, size=config.data.size)
            for split in (config.data.train_split, config.data.test_split)
        )
        failures = _Grid(config, clean, test, out, listener, device).run(todo)
        if failures:
            raise BezoarError(
                f"{len(failures)} of {len(todo)} cells failed; the others are done",
                found="; ".join(failures),
                remedy="Run it again when that is mended; with --table it shows what is done",
            )
    return finished_scans(path, out, only=only)


def finished_scans(path: Path, out: Path, *, only: str = "") -> tuple[ScanResult, ...]:
    """The cells of the benchmark file that are done so far, in its order; nothing is run."""
    done = read_scans(out)
    return tuple(done[cell.key] for cell in chosen_cells(read_scan_config(path), only) if cell.key in done)


def chosen_cells(config: ScanBenchConfig, only: str = "") -> tuple[ScanCell, ...]:
    """The cells whose label contains `only`. Raises UsageError where there are none."""
    cells = all_cells(config)
    chosen = tuple(cell for cell in cells if only in cell.label)
    if not chosen:
        raise UsageError(
            f"no cell of the benchmark is called {only!r}" if only else "the benchmark holds no cells",
            expected="a part of a label such as " + " or ".join(repr(cell.label) for cell in cells[-1:]),
        )
    return chosen


@dataclass(frozen=True, eq=False)
class _Grid:
    """What all cells of a run share."""

    config: ScanBenchConfig
    clean: Dataset
    test: Dataset
    out: Path
    listener: Listener
    device: str

    def run(self, todo: Sequence[ScanCell]) -> list[str]:
        """Run every cell that no other process does. Returns failures."""
        failures = []
        for cell in in_turn(
            todo,
            self.listener,
            folder=lambda one: self.out / CLAIMS / one.key,
            label=lambda one: one.label,
            done=lambda one: one.key in read_scans(self.out),
        ):
            try:
                append_scan(self.out, self._scanned(cell))
            except BezoarError as error:
                failures.append(f"{cell.label}: {error}")
        return failures

    def _scanned(self, cell: ScanCell) -> ScanResult:
        if cell.attack is not None:
            ready_surrogates(self.config.drills, cell.attack.surrogates, self.clean, self.out, self.listener)
        return run_cell(self.config, cell, self.clean, self.test, self.out, self.device)


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
    """Make the set, train a victim on it, and scan it with no knowledge of either.

    `out` holds the surrogates that the attack needs. Raises as attacks, training and scanning do.
    """
    settings = ScanSettings(budget=config.budget, seed=cell.seed, device=device)
    if cell.attack is None:
        data = honest_case(str(cell.honest)).build(clean, cell.seed)
        return scan_result(cell, scan_all(data, settings), data, device=device)
    spec = with_surrogates(cell.attack.spec(cell.seed), config.drills, out)
    poisoned = cell.attack.build(cell.rate, cell.seed, spec).poison(clean, seed=cell.seed)
    data = coded(poisoned.data, cell.coding)
    recipe = config.train.full_recipe()
    victim = train(data, model=config.train.model, recipe=recipe, seed=cell.seed, device=device).model
    success = attack_success_of(victim, test, poisoned.backdoors, cell.coding)
    # The mark of a drill doesn't name poisons, but a scan shall not even see that there was a drill.
    scanned = scan_all(replace(data, mark=None), settings)
    return scan_result(cell, scanned, data, poisoned, success, device=device)


def attack_success_of(victim: nn.Module, test: Dataset, backdoors: Sequence[Backdoor], coding: str) -> float | None:
    """ASR over all backdoors: triggered test samples of their sources, at most 2,000 each, coded as the data were.

    None where the test data hold no sample of any source.
    """
    hits = trials = 0
    labels = test.labels.numpy()
    for backdoor in backdoors:
        rows = np.flatnonzero(np.isin(labels, list(backdoor.relabelling)))[:TESTED]
        if not len(rows):
            continue
        wanted = np.array([backdoor.relabelling[label] for label in labels[rows].tolist()])
        triggered = coded_images(backdoor.trigger(test.inputs[torch.from_numpy(rows)]), coding)
        hits += int((predict_logits(victim, triggered).argmax(1).numpy() == wanted).sum())
        trials += len(rows)
    return hits / trials if trials else None
