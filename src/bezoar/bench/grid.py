"""Run a benchmark cell by cell; what is done already is not done again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bezoar.attacks import create_attack
from bezoar.bench.config import BenchConfig, Cell, cells, data_source, read_config, twin_key
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
from bezoar.drill.state import DrillPlan, DrillState, Listener, made, run_stages
from bezoar.records import DrillRecord, TrainingRecord, from_json, to_json, write_text_atomically
from bezoar.training import ModelCard, Trained, default_recipe, load_model, save_model


def run_grid(path: Path, out: Path, listener: Listener) -> tuple[tuple[Cell, DrillRecord], ...]:
    """Run every cell of the benchmark file `path` that has no record in `out` yet.

    The clean twin of a seed is trained once and shared by its cells. Stopping loses at most one cell.
    """
    config = read_config(path)
    todo = [cell for cell in cells(config) if not (out / cell.key / RECORD_FILE).exists()]
    if todo:
        source = data_source(config)
        train, test = (
            open_data(source, split=split, size=config.data.size)
            for split in (config.data.train_split, config.data.test_split)
        )
        for cell in todo:
            _run_cell(config, cell, train, test, out, path, listener)
    return tuple((cell, _read(out / cell.key / RECORD_FILE)) for cell in cells(config))


def _run_cell(
    config: BenchConfig, cell: Cell, train: Dataset, test: Dataset, out: Path, path: Path, listener: Listener
) -> None:
    folder = out / cell.key
    folder.mkdir(parents=True, exist_ok=True)
    state = DrillState(_plan(config, cell, path), folder)
    label = f"{cell.attack.name}, seed {cell.seed}"
    state = run_stages(state, (give_data(lambda: (train, test)),), listener)
    state = _with_twin(state, out / twin_key(config, cell.seed), cell.seed, listener)
    stages = (
        poison(keep=False, name=f"{label}: poison a copy"),
        train_victim(f"{label}: train on the poisoned data"),
        measure_damage(f"{label}: measure the damage"),
    )
    write_record(run_stages(state, stages, listener), folder)


def _plan(config: BenchConfig, cell: Cell, path: Path) -> DrillPlan:
    wanted = cell.attack
    return DrillPlan(
        title=f"{config.title}: {wanted.name}",
        attack=create_attack(
            wanted.attack,
            source=wanted.source,
            target=wanted.target,
            rate=wanted.rate,
            count=wanted.count,
            placement=wanted.placement,
            relabel=wanted.relabel,
        ),
        model=config.train.model,
        recipe=default_recipe(config.train.model).with_changes(**config.train.recipe),
        seed=cell.seed,
        commands=(f"bezoar bench {path}",),
    )


def _with_twin(state: DrillState, folder: Path, seed: int, listener: Listener) -> DrillState:
    """The clean twin of a seed: read back when it is there, else trained and kept."""
    record, model = folder / RECORD_FILE, folder / "model.safetensors"
    if record.exists():
        training = from_json(TrainingRecord, record.read_bytes(), origin=str(record))
        return replace(state, twin=Trained(load_model(model)[0], training))
    folder.mkdir(parents=True, exist_ok=True)
    state = run_stages(state, (train_twin(f"clean twin, seed {seed}"),), listener)
    twin, train = made(state.twin, "clean twin"), made(state.train, "training data")
    save_model(twin.model, ModelCard(state.plan.model, train.class_names, train.shape), model)
    write_text_atomically(record, to_json(twin.record))
    return state


def _read(path: Path) -> DrillRecord:
    return from_json(DrillRecord, path.read_bytes(), origin=str(path))
