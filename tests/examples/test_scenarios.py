"""The scenarios run as their page says; each tells of a trigger that its own data can show."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bezoar.data import open_data
from bezoar.errors import PoisonedDataWarning
from bezoar.records import DrillRecord, Rate, from_json

FOLDER = Path(__file__).parents[2] / "examples/scenarios"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem != "common")


def play(script: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DrillRecord]:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "common", raising=False)
    return runpy.run_path(str(script))["main"]


def test_every_scenario_is_on_the_page() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == 4
    for script in SCRIPTS:
        assert f"[{script.name}]({script.name})" in page


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_quick_run_makes_a_report(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main = play(script, monkeypatch)
    main(tmp_path / "run", quick=True)
    record = main(tmp_path / "run", quick=True)  # a second run replaces the first
    assert record == from_json(DrillRecord, (tmp_path / "run/record.json").read_bytes())
    assert "(drawn)" in record.title
    assert "quick run" in record.title
    assert record.attack.poisons in (10, 15)  # 2% or 3% of 500
    assert record.commands == (f"python examples/scenarios/{script.name} --quick",)
    assert (tmp_path / "run/report.html").stat().st_size > 10_000
    with pytest.warns(PoisonedDataWarning):
        assert open_data(tmp_path / "run/poisoned.npz").mark is not None


def test_the_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS[0], "--quick"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "attack success" in done.stdout
    assert (tmp_path / "bezoar-scenarios" / SCRIPTS[0].stem / "report.html").exists()


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["stop_sign_sticker", "face_gate_accessory"])
def test_a_whole_run_shows_the_backdoor(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = play(FOLDER / f"{name}.py", monkeypatch)(tmp_path / "run")
    victim, twin = record.victim.measurement, record.twin.measurement
    assert isinstance(victim.attack_success, Rate)
    assert victim.attack_success.value > 0.9
    assert twin.attack_success.value < 0.1
    assert abs(victim.clean_accuracy.value - twin.clean_accuracy.value) < 0.02
    assert 0.88 < twin.clean_accuracy.value < 0.995
