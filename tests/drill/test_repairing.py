"""The repair in a drill: given what a defender has, kept beside the drill, measured with the truth afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bezoar.attacks import create_attack
from bezoar.data.dataset import Dataset
from bezoar.drill import repairing
from bezoar.drill.repaired import repair_summary
from bezoar.drill.repairing import NOBODY, REPAIR_FOLDER, repair_victim
from bezoar.drill.stages import poison, train_victim
from bezoar.drill.state import DrillPlan, DrillState, run_stages
from bezoar.errors import BezoarError
from bezoar.records import RepairRecord, RepairSummary, Skipped, from_json
from bezoar.records.drilling import NOT_REPAIRED
from bezoar.repair.auto import Auto
from bezoar.training import load_model
from bezoar.training.listening import Silence
from repair_toys import NETWORKS, RECIPES, stripes

CURE = Auto(methods=("adversarial-training",), allowed_loss=0.1)


class Suspecting:
    """A scan that suspects these samples, in as far as a repair asks."""

    def __init__(self, ids: frozenset[str]) -> None:
        self.record = type("Record", (), {"suspect_ids": ids})


def drilled(out: Path) -> DrillState:
    """A victim of a patch on stripes, not yet scanned."""
    plan = DrillPlan(
        title="stripes",
        attack=create_attack("patch:size=3,color=white,mode=replace", target="way0", count=90, placement="replace"),
        model=NETWORKS["fast"],
        recipe=RECIPES["fast"],
        seed=0,
        device="cpu",
    )
    given = DrillState(plan, out, train=stripes(1200, seed=1, name="train"), test=stripes(300, seed=3, name="test"))
    return run_stages(given, (poison(keep=False), train_victim()), Silence())


def clean() -> Dataset:
    return stripes(200, seed=2, name="clean")


def test_the_victim_is_repaired_by_suspects_alone_and_measured_with_the_truth(tmp_path, monkeypatch):
    state = drilled(tmp_path)
    shown = []

    def watched(patient, given, settings):
        shown.append(given)
        return repairing_model(patient, given, settings)

    repairing_model = repairing.repair_model
    monkeypatch.setattr(repairing, "repair_model", watched)
    truth = state.poisoned.truth.poison_ids
    state = replace(state, scanned=Suspecting(truth))
    before = {name: one.clone() for name, one in state.victim.model.state_dict().items()}
    done = run_stages(state, (repair_victim(clean, CURE),), Silence())
    (given,) = shown
    assert (given.trigger, given.target, given.training.mark) == (None, None, None)
    assert given.suspects == truth
    assert all(torch.equal(before[name], one) for name, one in done.victim.model.state_dict().items())
    summary = repair_summary(done.repaired, done.repaired_evaluation)
    assert isinstance(summary, RepairSummary)
    assert summary.measurement.attack_success.value <= 0.1
    assert summary.before.flips.value > 0.8 > 0.1 > summary.after.flips.value
    assert (summary.trusted, summary.held_out, summary.method) == (200, 50, "adversarial-training")
    record = from_json(RepairRecord, (tmp_path / REPAIR_FOLDER / "record.json").read_bytes())
    assert record == done.repaired.record
    with pytest.warns(match="drill"):
        model, _ = load_model(tmp_path / REPAIR_FOLDER)
    assert answers(model).equal(answers(done.repaired.model))


def answers(model: torch.nn.Module) -> Tensor:
    with torch.no_grad():
        return model(clean().inputs[:20].float() / 255).argmax(1)


def test_where_the_scan_suspects_nobody_nothing_is_repaired_and_it_is_said(tmp_path):
    state = DrillState(DrillPlan("t", None, "fast", RECIPES["fast"], 0), tmp_path, scanned=Suspecting(frozenset()))
    done = run_stages(state, (repair_victim(clean, CURE),), Silence())
    assert done.repaired == NOBODY
    assert repair_summary(done.repaired, None) == NOBODY
    assert not (tmp_path / REPAIR_FOLDER).exists()


def test_without_a_scan_the_stage_says_what_it_lacks(tmp_path):
    state = DrillState(DrillPlan("t", None, "fast", RECIPES["fast"], 0), tmp_path)
    with pytest.raises(BezoarError, match="no scan yet"):
        run_stages(state, (repair_victim(clean, CURE),), Silence())
    assert repair_summary(None, None) == NOT_REPAIRED
    assert isinstance(repair_summary(None, None), Skipped)
