"""The demo's plan is what its commands say, and its stages tell the story in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bezoar.attacks import create_attack
from bezoar.drill.demo import EPOCHS, POISONS, SOURCE, STICKER, TARGET, demo_plan, demo_stages
from bezoar.drill.stages import measure_damage, write_record
from bezoar.drill.state import DrillPlan, DrillState, run_stages
from bezoar.errors import BezoarError
from bezoar.records import DrillRecord, from_json
from bezoar.records.drilling import NOT_REPAIRED, NOT_SCANNED
from bezoar.training import default_recipe
from bezoar.training.listening import Silence


def test_a_stage_without_its_parts_says_so(tmp_path: Path) -> None:
    with pytest.raises(BezoarError, match="no test data yet"):
        run_stages(DrillState(demo_plan(0), tmp_path), (measure_damage(),), Silence())


def test_the_commands_name_the_plan() -> None:
    commands = " ".join(demo_plan(3).commands)
    for part in (
        STICKER,
        SOURCE,
        TARGET,
        f"--count {POISONS}",
        f"--epochs {EPOCHS}",
        "--seed 3",
        "scan poisoned.npz",
        "repair victim",
    ):
        assert part in commands


@pytest.mark.slow
def test_a_short_demo_without_scan_and_repair_makes_a_whole_record_twice_the_same(tmp_path: Path) -> None:
    records = []
    *stages, scan, repair = demo_stages(1)
    assert (scan.name, repair.name) == ("scan the poisoned data", "repair the victim")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plan = DrillPlan(
            title="short",
            attack=create_attack(STICKER, source=(SOURCE,), target=TARGET, count=POISONS, placement="replace"),
            model="fast:stem=12,widths=12/24",
            recipe=default_recipe("fast").with_changes(epochs=2),
            seed=1,
        )
        state = run_stages(DrillState(plan, tmp_path / name), stages, Silence())
        records.append(write_record(state, tmp_path / name))
        assert from_json(DrillRecord, (tmp_path / name / "record.json").read_bytes()) == records[-1]
        assert {path.name for path in (tmp_path / name).iterdir()} == {
            "record.json",
            "model.safetensors",
            "clean-twin.safetensors",
            "poisoned.npz",
            "poisoned.npz.truth.zip",
        }
    first, second = records
    assert first.victim.measurement == second.victim.measurement
    assert first.pairs == second.pairs
    assert (tmp_path / "one/poisoned.npz").read_bytes() == (tmp_path / "two/poisoned.npz").read_bytes()
    assert (tmp_path / "one/model.safetensors").read_bytes() == (tmp_path / "two/model.safetensors").read_bytes()
    assert [stage.stage for stage in first.stages] == [stage.name for stage in stages]
    assert (first.scan, first.repair) == (NOT_SCANNED, NOT_REPAIRED)
    assert first.attack.poisons == POISONS
