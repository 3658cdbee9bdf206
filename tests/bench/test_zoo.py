"""A zoo of models: what its file says, and a tiny one trained, kept and not trained again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bezoar.bench.zoo.build import Built, build_zoo, built_subjects, load_backdoors, load_subject
from bezoar.bench.zoo.config import read_zoo, subjects
from bezoar.bench.zoo.inspecting import Inspection, Statistics, inspected
from bezoar.bench.zoo.material import Shelf, with_wrong_labels
from bezoar.bench.zoo.table import zoo_table
from bezoar.cli import run
from bezoar.errors import UsageError
from bezoar.training.listening import Silence
from zoo_toys import TINY_MODELS

ROOT = Path(__file__).parents[2]
TINY = (
    """
zoo = true
title = "tiny"
detectors = ["neural-cleanse:steps=3,lessons=60", "mm-bd:steps=2"]

"""
    + TINY_MODELS
    + """
[[group]]
name = "clean, noisy"
data = "signs"
network = "fast"
seeds = [1]
label_noise = 0.1
choosing = true

[[group]]
name = "patch"
data = "signs"
network = "fast"
attack = "patch:size=8,color=magenta"
target = "3"
rate = 0.2
placement = "replace"
seeds = [2]

[[group]]
name = "patches of two colours"
data = "signs"
network = "fast"
attack = ["patch:color=red", "patch:color=green"]
target = ["1", "2"]
seeds = [3, 4, 5]
length = 3.0
"""
)


def test_the_zoo_holds_what_the_issue_asks_for() -> None:
    all_subjects = subjects(read_zoo(ROOT / "examples/zoo.toml"))
    assert sum(one.is_backdoored for one in all_subjects) >= 40
    assert sum(not one.is_backdoored for one in all_subjects) >= 40
    assert len({one.key for one in all_subjects}) == len(all_subjects)
    assert len({one.network.name for one in all_subjects}) == 3
    held_out = [one for one in all_subjects if not one.group.choosing]
    assert sum(one.is_backdoored for one in held_out) >= 20
    assert sum(not one.is_backdoored for one in held_out) >= 20
    for one in all_subjects:
        if one.attack:
            one.build_attack()
        if one.tamper:
            one.build_tampering()


def test_seeds_take_several_values_in_turn_and_lengths_multiply(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text(TINY)
    by_seed = {one.seed: one for one in subjects(read_zoo(tmp_path / "zoo.toml"))}
    assert [by_seed[seed].attack for seed in (3, 4, 5)] == ["patch:color=red", "patch:color=green", "patch:color=red"]
    assert [by_seed[seed].target for seed in (3, 4, 5)] == ["1", "2", "1"]
    assert (by_seed[1].recipe.epochs, by_seed[3].recipe.epochs) == (1, 3)
    assert by_seed[1].recipe.batch_size == 64


def test_a_name_that_the_zoo_does_not_have_is_told(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text(TINY.replace('network = "fast"', 'network = "slow"'))
    with pytest.raises(UsageError, match="no network called 'slow'"):
        subjects(read_zoo(tmp_path / "zoo.toml"))


def test_subjects_are_trained_once_measured_and_opened_again(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text(TINY)
    wanted = subjects(read_zoo(tmp_path / "zoo.toml"))[:2]
    (clean, _), (patched, _) = built = build_zoo(wanted, tmp_path / "zoo", Silence())
    assert [one.backdoored for _, one in built] == [False, True]
    assert built[1][1].targets == (3,)
    assert built[1][1].poisons == 80
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "zoo").rglob("model.safetensors")}
    assert build_zoo(wanted, tmp_path / "zoo", Silence()) == built
    assert {path: path.stat().st_mtime_ns for path in files} == files
    material = Shelf().material(patched.data, patched.seed)
    (backdoor,) = load_backdoors(tmp_path / "zoo" / patched.key, material.test)
    assert set(backdoor.relabelling.values()) == {3}
    assert not load_backdoors(tmp_path / "zoo" / clean.key, material.test)
    with pytest.warns(UserWarning, match="backdoor on purpose"):
        load_subject(tmp_path / "zoo" / patched.key)
    assert len(built_subjects(wanted, tmp_path / "zoo")) == 2


def test_one_command_trains_inspects_and_shows_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zoo.toml").write_text(TINY)
    command = ["bench", str(tmp_path / "zoo.toml"), "--out", str(tmp_path / "zoo"), "--only", "seed 1", "--quiet"]
    assert run(command) == 0
    (one,) = inspected(tmp_path / "zoo").values()
    assert [len(said.classes) for said in one.statistics] == [10, 10]
    table = (tmp_path / "zoo/table.md").read_text()
    assert "| clean, noisy | choosing | 1 |" in table
    assert "held out" not in table
    assert run([*command, "--table"]) == 0
    assert "Not done yet" not in capsys.readouterr().out
    assert run([*command[:4], "--only", "held out", "--table"]) == 4
    assert "holds no finished cell" in capsys.readouterr().err


def seen(label: str, *, backdoored: bool, score: float, accused: int, success: float = 1.0) -> Inspection:
    """An inspection of a model with target 1 whose class `accused` has so many cuts."""
    classes = tuple(score if place == accused else 0.0 for place in range(3))
    built = Built(
        *("key", label, "a group", "data", "network"), seed=0, choosing=False, backdoored=backdoored, clean_accuracy=0.9,
        attack_success=success if backdoored else None, targets=(1,) if backdoored else (), sources=(), poisons=0,
        seconds=1.0,
    )  # fmt: skip
    found = (accused,) if score > 1 else ()
    verdict = "suspicious" if found else "no evidence"
    return Inspection(built, verdict, found, (Statistics("one", classes, 1.0),), 2.0)


def test_the_table_counts_planted_inspections() -> None:
    table = zoo_table(
        [
            seen("right", backdoored=True, score=3.0, accused=1),
            seen("wrong class", backdoored=True, score=2.0, accused=0),
            seen("overlooked", backdoored=True, score=0.5, accused=1),
            seen("weak", backdoored=True, score=0.1, accused=1, success=0.2),
            seen("quiet", backdoored=False, score=0.2, accused=2),
            seen("alarm", backdoored=False, score=1.5, accused=2),
        ]
    )
    assert "held out: 3 backdoored and 2 clean models (1 more whose backdoor did not take hold)" in table
    assert "AUROC 0.833, TPR 67%" in table
    assert "FPR 50%" in table
    assert "target right 50%" in table
    assert "Missed: overlooked.\n" in table
    assert "False alarms: alarm.\n" in table


def test_training_clean_and_test_samples_of_a_subject_are_disjoint(tmp_path: Path) -> None:
    (tmp_path / "zoo.toml").write_text(TINY)
    (data,) = read_zoo(tmp_path / "zoo.toml").data
    material = Shelf().material(data, 7)
    assert (len(material.training), len(material.clean)) == (400, 60)
    assert not set(material.training.ids) & set(material.clean.ids)
    noisy = with_wrong_labels(material.training, 0.1, 7)
    assert int((noisy.labels != material.training.labels).sum()) == 40
