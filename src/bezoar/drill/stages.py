"""The stages of a drill; that of a repair is in `repairing.py`. The guard will join as another of this kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bezoar.attacks import default_truth_path, save_truth
from bezoar.data import write_data
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate
from bezoar.drill.record import Judged, attack_record, drill_record
from bezoar.drill.repaired import repair_summary
from bezoar.drill.scanned import scan_summary
from bezoar.drill.state import DrillState, Stage, made
from bezoar.evidence.probe import ProbeRecipe
from bezoar.records import DrillRecord, Skipped, to_json, write_text_atomically
from bezoar.records.drilling import NOT_SCANNED
from bezoar.scan import ScanSettings, scan_all
from bezoar.training import MODEL_FILE, ModelCard, Progress, Trained, continue_recipe, load_model, save_model, train
from bezoar.training.listening import Listener

RECORD_FILE = "record.json"
POISONED_DATA = "poisoned.npz"
SCAN_FOLDER = "scan"


def give_data(load: Callable[[], tuple[Dataset, Dataset]], name: str = "read the data") -> Stage:
    """A stage that brings training and test data."""

    def run(state: DrillState, _: Listener) -> DrillState:
        train_data, test_data = load()
        return replace(state, train=train_data, test=test_data)

    return Stage(name, run)


def poison(*, keep: bool = True, name: str = "poison a copy") -> Stage:
    """A stage that runs the attack; with `keep` the poisoned data and the sealed truth are written too."""

    def run(state: DrillState, _: Listener) -> DrillState:
        poisoned = state.plan.attack.poison(made(state.train, "training data"), seed=state.plan.seed)
        if keep:
            path = state.out / POISONED_DATA
            save_truth(poisoned, default_truth_path(path))
            write_data(poisoned.data, path)
        return replace(state, poisoned=poisoned)

    return Stage(name, run)


def train_victim(name: str = "train on the poisoned data") -> Stage:
    """A stage that trains the victim and keeps its model."""

    def run(state: DrillState, listener: Listener) -> DrillState:
        victim = _train(state, made(state.poisoned, "poisoned data").data, listener)
        _keep(state, victim, made(state.poisoned, "poisoned data").data, state.out / MODEL_FILE)
        return replace(state, victim=victim)

    return Stage(name, run)


def train_twin(name: str = "train a clean twin") -> Stage:
    """A stage that trains the same model with the same seed on the clean data."""

    def run(state: DrillState, listener: Listener) -> DrillState:
        twin = _train(state, made(state.train, "training data"), listener)
        _keep(state, twin, made(state.train, "training data"), state.out / "clean-twin.safetensors")
        return replace(state, twin=twin)

    return Stage(name, run)


def measure_damage(name: str = "measure the damage") -> Stage:
    """A stage that measures victim and twin on clean and triggered test data."""

    def run(state: DrillState, _: Listener) -> DrillState:
        test = made(state.test, "test data")
        backdoors = made(state.poisoned, "poisoned data").backdoors
        twin = state.twin
        return replace(
            state,
            victim_evaluation=evaluate(made(state.victim, "victim").model, test, backdoors),
            twin_evaluation=None if twin is None else evaluate(twin.model, test, backdoors),
        )

    return Stage(name, run)


def scan_data(probe: ProbeRecipe | None = None, name: str = "scan the poisoned data") -> Stage:
    """A stage that scans the poisoned data as they come, without their mark or the truth, and keeps the scan's record.

    `probe` is how the scan trains its networks.
    """

    def run(state: DrillState, listener: Listener) -> DrillState:
        plan, poisoned = state.plan, made(state.poisoned, "poisoned data")
        settings = ScanSettings(
            seed=plan.seed, device=plan.device, probe=probe or ProbeRecipe(), commands=plan.commands
        )
        scanned = scan_all(replace(poisoned.data, mark=None), settings, listener=_WithinStage(listener))
        folder = state.out / SCAN_FOLDER
        folder.mkdir(exist_ok=True)
        write_text_atomically(folder / RECORD_FILE, to_json(scanned.record) + "\n")
        return replace(state, scanned=scanned)

    return Stage(name, run)


def write_record(state: DrillState, out: Path) -> DrillRecord:
    """The record of a drill whose stages have all run, written to `out`."""
    plan, test, poisoned = state.plan, made(state.test, "test data"), made(state.poisoned, "poisoned data")
    record = drill_record(
        plan.title,
        dataset=made(state.train, "training data").record(),
        test=test,
        attack=attack_record(poisoned.truth, poisoned.backdoors[0].trigger),
        backdoors=poisoned.backdoors,
        victim=Judged(made(state.victim, "victim").record, made(state.victim_evaluation, "measurement")),
        twin=Skipped("no clean twin was trained")
        if state.twin is None
        else Judged(state.twin.record, made(state.twin_evaluation, "measurement of the twin")),
        saturation=poisoned.saturation,
        commands=plan.commands,
        stages=state.times,
        scan=NOT_SCANNED if state.scanned is None else scan_summary(state.scanned, poisoned.truth),
        repair=repair_summary(state.repaired, state.repaired_evaluation),
    )
    write_text_atomically(out / RECORD_FILE, to_json(record) + "\n")
    return record


def _train(state: DrillState, data: Dataset, listener: Listener) -> Trained:
    plan, start, recipe = state.plan, None, state.plan.recipe
    if plan.start is not None:
        start, recipe = load_model(plan.start)[0], continue_recipe(recipe)
    return train(
        data,
        model=plan.model,
        recipe=recipe,
        seed=plan.seed,
        start=start,
        tune=plan.tune,
        device=plan.device,
        progress=listener.trains,
    )


def _keep(state: DrillState, trained: Trained, data: Dataset, path: Path) -> None:
    save_model(trained.model, ModelCard.of(state.plan.model, data), path)


class _WithinStage:
    """Hears the stages of a scan without telling of them: to the drill it is one stage."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def begins(self, stage: str) -> None:
        """Nothing."""

    def trains(self, progress: Progress) -> None:
        """A training step was made."""
        self._listener.trains(progress)

    def ends(self, stage: str, seconds: float) -> None:
        """Nothing."""
