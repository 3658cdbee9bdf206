"""Run a benchmark cell by cell; what is done already is not done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bezoar.attacks import DataAttack
from bezoar.bench.claims import alone, in_turn
from bezoar.bench.config import SURROGATE, BenchConfig, Cell, cells, data_source, read_config, twin_key
from bezoar.bench.results import POISONING, CellResult, append_result, cell_result, read_results
from bezoar.bench.surrogates import ready_surrogates, surrogate_path, with_surrogates
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.drill.stages import (
    RECORD_FILE,
    give_data,
    measure_damage,
    poison,
    train_twin,
    train_victim,
    write_record,
)
from bezoar.drill.state import DrillPlan, DrillState, made, run_stages
from bezoar.errors import AttackError, BezoarError, UsageError
from bezoar.records import TrainingRecord, from_json, to_json, write_text_atomically
from bezoar.training import ModelCard, Trained, load_model, save_model
from bezoar.training.listening import Listener


def run_grid(path: Path, out: Path, listener: Listener) -> tuple[tuple[Cell, CellResult], ...]:
    """Run every cell of the benchmark file `path` that `out`/results.jsonl does not hold yet.

    The clean twin of a seed is trained once and shared by its cells, and so is the surrogate. Stopping loses at
    most one cell. Each cell leaves its whole record in a folder of its key beside its line in the results.
    Several processes may run the same grid into the same `out`: each leaves alone the cells that another one is
    at, waits for them in the end, and takes over those of one that died. Returns all cells. An attack that names
    classes that the data do not have, or poisons nothing, is an AttackError before anything runs. A cell that fails
    keeps none of the others from running; at the end BezoarError names it.
    """
    config = read_config(path)
    out.mkdir(parents=True, exist_ok=True)
    done = read_results(out)
    todo = [cell for cell in cells(config) if cell.key not in done]
    if todo:
        source = data_source(config)
        train_data, test = (
            open_data(source, split=split, size=config.data.size)
            for split in (config.data.train_split, config.data.test_split)
        )
        for cell in todo:
            _require_fit(cell, train_data)
        failures: dict[str, list[str]] = {}
        for cell in in_turn(
            todo,
            listener,
            folder=lambda one: out / one.key,
            label=lambda one: f"{one.label}, seed {one.seed}",
            done=lambda one: one.key in read_results(out),
        ):
            try:
                append_result(out, _run_cell(config, cell, train_data, test, out, path, listener))
            except BezoarError as error:
                failures.setdefault(str(error), []).append(f"{cell.label}, seed {cell.seed}")
        if failures:
            raise BezoarError(
                f"{sum(map(len, failures.values()))} of {len(todo)} cells failed; the others are done",
                found="; ".join(f"{' and '.join(labels)}: {error}" for error, labels in failures.items()),
                remedy="Run it again when that is mended; with --table it shows what is done",
            )
    return finished(path, out)


def _require_fit(cell: Cell, data: Dataset) -> None:
    attack = cell.attack.build(cell.rate)
    if isinstance(attack, DataAttack):
        try:
            attack.require_fit(data)
        except (AttackError, UsageError) as error:
            what = f"the attack {cell.label!r} does not fit the data: {error.what}"
            raise error.told_as(type(error), what) from error


def finished(path: Path, out: Path) -> tuple[tuple[Cell, CellResult], ...]:
    """The cells of the benchmark file `path` that are done so far; nothing is run."""
    done = read_results(out)
    return tuple((cell, done[cell.key]) for cell in cells(read_config(path)) if cell.key in done)


def _run_cell(
    config: BenchConfig, cell: Cell, train_data: Dataset, test: Dataset, out: Path, path: Path, listener: Listener
) -> CellResult:
    folder = out / cell.key
    ready_surrogates(config, cell.attack.surrogates, train_data, out, listener)
    state = DrillState(_plan(config, cell, path, out), folder)
    label = f"{cell.label}, seed {cell.seed}"
    state = run_stages(state, (give_data(lambda: (train_data, test)),), listener)
    twin = out / twin_key(config, cell.seed, cell.attack.tune)
    with alone(twin):
        state = _with_twin(state, twin, cell.seed, listener)
    stages = (
        poison(keep=False, name=f"{label}: {POISONING}"),
        train_victim(f"{label}: train on the poisoned data"),
        measure_damage(f"{label}: measure the damage"),
    )
    return cell_result(cell, write_record(run_stages(state, stages, listener), folder))


def _plan(config: BenchConfig, cell: Cell, path: Path, out: Path) -> DrillPlan:
    return DrillPlan(
        title=f"{config.title}: {cell.label}",
        attack=cell.attack.build(cell.rate, with_surrogates(cell.attack.attack, config, out)),
        model=config.train.model,
        recipe=config.train.full_recipe(),
        seed=cell.seed,
        start=surrogate_path(SURROGATE, config, out) if cell.attack.tune else None,
        tune=cell.attack.tune,
        commands=(f"bezoar bench {path}",),
    )


def _with_twin(state: DrillState, folder: Path, seed: int, listener: Listener) -> DrillState:
    """The clean twin of a seed: read back when it is there, else trained and kept."""
    record, model = folder / RECORD_FILE, folder / "model.safetensors"
    if record.exists():
        training = from_json(TrainingRecord, record.read_bytes(), origin=str(record))
        return replace(state, twin=Trained(load_model(model)[0], training))
    tuned = ", tuned" if state.plan.tune else ""
    state = run_stages(state, (train_twin(f"clean twin{tuned}, seed {seed}"),), listener)
    twin, train = made(state.twin, "clean twin"), made(state.train, "training data")
    save_model(twin.model, ModelCard.of(state.plan.model, train), model)
    write_text_atomically(record, to_json(twin.record))
    return state
