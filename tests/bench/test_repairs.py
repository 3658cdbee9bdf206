"""Repairs of known backdoors: what the file says, one tiny model repaired, kept and not repaired again, the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bezoar.bench.repairs import read_repairs, repair_cases, repaired_cases, repairs_table
from bezoar.bench.repairs.run import Outcome, RepairResult
from bezoar.bench.zoo.build import Built
from bezoar.cli import run
from bezoar.errors import SpecError, UsageError
from bezoar.records import Skipped
from zoo_toys import TINY_MODELS

ROOT = Path(__file__).parents[2]
TINY = (
    """
repairs = true
title = "tiny"
methods = ["fine-tune:epochs=1", "clp", "filter-retrain"]
clean = ["10%", "30"]

"""
    + TINY_MODELS.replace("epochs = 1", "epochs = 6")  # one epoch knows nothing that a repair could keep
    + """
[[group]]
name = "clean twin"
data = "signs"
network = "fast"
seeds = [1]

[[group]]
name = "patch"
data = "signs"
network = "fast"
attack = "patch:size=8,color=magenta"
target = "3"
rate = 0.2
placement = "replace"
seeds = [1, 2]
"""
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def test_the_example_has_what_the_issue_asks_for() -> None:
    config = read_repairs(ROOT / "examples/repairs.toml")
    cases = repair_cases(config)
    assert len({case.key for case in cases}) == len(cases)
    assert {case.samples for case in cases} == {2250, 450, 100}
    assert {case.method for case in cases if case.alone} == {"auto", "unlearn", "adversarial-training"}
    assert {case.subject.group.rate for case in cases} == {0.1, 0.01}
    assert len({case.subject.seed for case in cases}) == 3
    for case in cases:
        case.subject.build_attack()


def test_every_backdoored_model_meets_every_method_and_number_of_samples(tiny: Path) -> None:
    cases = repair_cases(read_repairs(tiny))
    assert len(cases) == 2 * 3 * 2
    assert {(case.clean, case.samples) for case in cases} == {("10%", 40), ("30", 30)}
    assert all(case.subject.is_backdoored for case in cases)


def test_what_learns_from_no_clean_samples_is_measured_once(tiny: Path) -> None:
    tiny.write_text(TINY.replace('clean = ["10%", "30"]', 'clean = ["10%", "30"]\nonce = ["clp"]'))
    cases = repair_cases(read_repairs(tiny))
    assert {case.clean for case in cases if case.method == "clp"} == {"10%"}
    assert {case.clean for case in cases if case.method != "clp"} == {"10%", "30"}


def test_without_a_scan_clean_samples_are_all_there_is(tiny: Path) -> None:
    assert all(case.alone for case in repair_cases(read_repairs(tiny)))
    scanned = TINY.replace('clean = ["10%", "30"]', 'clean = ["10%", "30"]\nscan = "quick"\nalone = ["clp"]')
    tiny.write_text(scanned)
    cases = repair_cases(read_repairs(tiny))
    assert len({case.key for case in cases}) == len(cases) == 2 * 2 * 4
    assert {case.method for case in cases if case.alone} == {"clp"}
    tiny.write_text(scanned.replace('["clp"]', '["clap"]'))
    with pytest.raises(SpecError, match="clap"):
        read_repairs(tiny)


@pytest.mark.parametrize("wrong", ["61", "16%", "0", "-5%", "many", "%"])
def test_clean_samples_that_are_not_there_are_refused(tiny: Path, wrong: str) -> None:
    tiny.write_text(TINY.replace('"30"', f'"{wrong}"'))
    with pytest.raises(UsageError, match="not so many clean samples"):
        read_repairs(tiny)


def test_a_method_that_is_none_is_refused(tiny: Path) -> None:
    tiny.write_text(TINY.replace('"clp"', '"clap"'))
    with pytest.raises(SpecError, match="clap"):
        read_repairs(tiny)


def test_one_command_trains_repairs_and_shows_the_table(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tiny.parent / "repairs"
    command = ["bench", str(tiny), "--out", str(out), "--quiet", "--only", "30 alone: patch, signs, fast, seed 1"]
    assert run(command) == 0
    done = {one.method: one for one in repaired_cases(out).values()}
    assert set(done) == {"fine-tune:epochs=1", "clp", "filter-retrain"}
    tuned = done["fine-tune:epochs=1"]
    assert isinstance(tuned.after, Outcome)
    assert (tuned.samples, tuned.rate, tuned.suspects) == (30, 0.2, 0)
    assert tuned.alone
    assert tuned.twin is not None
    assert tuned.epochs > 0
    assert isinstance(done["filter-retrain"].after, Skipped)
    assert "filter-retrain" in (out / "table.md").read_text()
    capsys.readouterr()
    lines = (out / "repairs.jsonl").read_text()
    assert run(command) == 0
    assert (out / "repairs.jsonl").read_text() == lines
    assert run(["bench", str(tiny), "--out", str(out), "--table", "--quiet"]) == 0
    assert "Not done yet: 9 of the cells." in capsys.readouterr().out


def result(success: float, accuracy: float, robust: float, **changes: object) -> RepairResult:
    built = Built("k", "patch", "patch", "signs", "fast", 1, False, True, 0.9, 1.0, (3,), (0, 1), 80, 1.0)
    given = {
        "key": "k", "built": built, "rate": 0.1, "method": "clp", "clean": "5%", "samples": 20, "suspects": 0,
        "aimed": True, "before": Outcome(0.9, 1.0, 0.0), "after": Outcome(accuracy, success, robust),
        "twin": Outcome(0.9, 0.02, 0.88), "chosen": "clp", "verdict": "works no more", "seconds": 10.0, "epochs": 2.0,
    }  # fmt: skip
    return RepairResult(**{**given, **changes})  # type: ignore[arg-type]


def test_the_table_shows_the_worst_beside_the_mean() -> None:
    rows = [
        result(0.0, 0.9, 0.88),
        result(0.5, 0.8, 0.48, key="l", aimed=False, verdict="still works"),
        result(0, 0, 0, key="m", after=Skipped("nothing to do it with"), aimed=None),
    ]
    table = repairs_table(rows)
    (row,) = [line for line in table.splitlines() if line.startswith("| clp")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["clp", "5%", "yes", "10.0%", "3", "100.0%", "25.0%", "50.0%", "5.0%", "10.0%", "20.0%", "40.0%", "1",
                     "2.0", "10", "1"]  # fmt: skip
    assert "- clp with 5%: patch, ASR 100.0% to 50.0%, accuracy lost 10.0%; the repair says: still works" in table
