"""The stage of a drill that repairs the victim by what the scan suspects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate
from bezoar.drill.stages import RECORD_FILE
from bezoar.drill.state import DrillState, Stage, made
from bezoar.records import Skipped, to_json, write_text_atomically
from bezoar.repair import Given
from bezoar.repair.auto import Auto
from bezoar.repair.checks import Bar
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import Cured, repair_model
from bezoar.training import MODEL_FILE, ModelCard, save_model
from bezoar.training.listening import Listener

REPAIR_FOLDER = "repaired"
NOBODY = Skipped("the scan suspects nobody, so that there was nothing to repair by")


def repair_victim(
    clean: Callable[[], Dataset], auto: Auto, bars: tuple[Bar, ...] = (), name: str = "repair the victim"
) -> Stage:
    """A stage that repairs the victim by the scan's suspects, measures the result, and keeps model and record.

    The repair is given the poisoned data without their mark, the suspects and `clean` samples, nothing of the truth.
    With `bars` it searches for other triggers, too. Skipped where the scan suspects nobody.
    """

    def run(state: DrillState, _: Listener) -> DrillState:
        if not (suspects := made(state.scanned, "scan").record.suspect_ids):
            return replace(state, repaired=NOBODY)
        plan, poisoned = state.plan, made(state.poisoned, "poisoned data")
        victim = made(state.victim, "victim").model
        given = Given(clean(), replace(poisoned.data, mark=None), suspects, recipe=plan.recipe)
        settings = RepairSettings(auto, bars, seed=plan.seed, device=plan.device, commands=plan.commands)
        cured = repair_model(Patient(victim, "the victim", "run", poisoned.data.class_names), given, settings)
        _keep(state, cured)
        measured = evaluate(cured.model, made(state.test, "test data"), poisoned.backdoors)
        return replace(state, repaired=cured, repaired_evaluation=measured)

    return Stage(name, run)


def _keep(state: DrillState, cured: Cured) -> None:
    folder = state.out / REPAIR_FOLDER
    folder.mkdir(exist_ok=True)
    card = ModelCard.of(state.plan.model, made(state.poisoned, "poisoned data").data)
    save_model(cured.model, card, folder / MODEL_FILE)
    write_text_atomically(folder / RECORD_FILE, to_json(cured.record) + "\n")
