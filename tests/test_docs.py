"""The documents tell the truth: their commands run, their code runs, every verb and method is named."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import bezoar
from bezoar.attacks import ATTACKS, create_attack
from bezoar.cli.options import Data
from bezoar.cli.verbs import VERBS
from bezoar.data import from_arrays
from bezoar.data.embedded import EMBEDDED
from bezoar.training import MODELS
from bezoar.triggers import TRIGGERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def run_in_a_shell(commands: str, place: Path) -> None:
    folder = Path(sys.executable).parent
    shell = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=place,
        env=shell,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(tmp_path: Path) -> None:
    run_in_a_shell(blocks(README, "bash")[0], tmp_path)
    assert (tmp_path / "victim/evaluation/report.html").exists()
    assert (tmp_path / "restored.npz").exists()


def test_the_trigger_of_the_readme_works_as_written(tmp_path: Path) -> None:
    (tmp_path / "stripe.py").write_text(blocks(README, "python")[0])
    run_in_a_shell(blocks(README, "bash")[1], tmp_path)
    assert (tmp_path / "striped.npz").exists()


@pytest.mark.slow
def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    _, code = blocks(README, "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    accuracy, success = map(float, done.stdout.split())
    assert accuracy > 0.6
    assert 0 <= success <= 1


@pytest.mark.slow
def test_the_python_page_runs_as_one_script(tmp_path: Path) -> None:
    code = "\n".join(blocks((ROOT / "docs/python.md").read_text(encoding="utf-8"), "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("<Dataset")
    assert lines[1] == "30 poisons; the first was stop"
    assert lines[2].endswith("(3, 32, 32) True")
    assert len(lines) == 3 + 6


@pytest.mark.nightly
def test_the_hidden_trigger_of_the_documents_works_as_they_say(tmp_path: Path) -> None:
    run_in_a_shell(blocks((ROOT / "docs/attacks.md").read_text(encoding="utf-8"), "bash")[0], tmp_path)
    record = json.loads((tmp_path / "victim/evaluation/record.json").read_text())
    victim, twin = (record[role]["measurement"]["attack_success"] for role in ("victim", "twin"))
    assert victim["successes"] > 0.9 * victim["trials"]
    assert twin["successes"] < 0.1 * twin["trials"]


@pytest.fixture
def written() -> Iterator[None]:
    """Run the methods written in CONTRIBUTING.md, and forget them afterwards."""
    before = [(registry, dict(registry._classes)) for registry in (TRIGGERS, ATTACKS)]
    codes = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    names = [f"contributing_{number}" for number in range(len(codes))]
    try:
        for name, code in zip(names, codes, strict=True):
            sys.modules[name] = type(sys)(name)
            exec(code, sys.modules[name].__dict__)
        yield
    finally:
        for registry, classes in before:
            registry._classes.clear()
            registry._classes.update(classes)
        for name in names:
            sys.modules.pop(name, None)


@pytest.mark.usefixtures("written")
def test_the_trigger_of_contributing_works() -> None:
    stamped = TRIGGERS.create("line:row=2,value=51")(torch.zeros(1, 3, 4, 4, dtype=torch.uint8))
    assert stamped[0, :, 2].eq(51).all()
    assert stamped.sum() == 51 * 3 * 4


@pytest.mark.usefixtures("written")
def test_the_attack_of_contributing_works() -> None:
    data = from_arrays(np.zeros((40, 4, 4, 3), dtype=np.uint8), np.arange(40) % 2, class_names=("a", "b"))
    attack = create_attack("mirrored", trigger="line:row=2,value=51", target="b", count=10)
    roles = [one.role for one in attack.poison(data, seed=0).truth.samples]
    assert sorted(roles) == ["cover"] * 10 + ["poison"] * 10


def test_every_verb_is_in_the_readme() -> None:
    for verb in VERBS:
        assert f"bezoar {verb}" in README or f"`{verb}`" in README, verb


def test_every_embedded_set_is_in_the_documents_and_in_the_help() -> None:
    for page in (README, (ROOT / "docs/data.md").read_text(encoding="utf-8")):
        for name in EMBEDDED:
            assert f"`{name}`" in page, name
    (argument,) = (part for part in Data.__metadata__ if part.metavar == "DATA")
    assert all(name in argument.help for name in EMBEDDED)


def test_every_public_name_can_be_had() -> None:
    for name in bezoar.__all__:
        assert getattr(bezoar, name) is not None


def test_every_link_leads_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_no_page_names_a_method_that_is_not_there() -> None:
    text = README + "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    for name in re.findall(r"--attack ([\w-]+):", text):
        assert name in TRIGGERS.names() or name in ATTACKS.names() or name == "stripe"
    for name in re.findall(r"--model ([\w-]+)\b(?![.\w])", text):
        assert name in MODELS.names() or name in ("package", "victim", "RUN")


def test_names_at_a_prompt_are_the_public_ones() -> None:
    assert {name for name in dir(bezoar) if not name.startswith("__")} == set(bezoar.__all__)


def test_data_and_poisons_at_a_prompt_are_a_line_not_a_flood() -> None:
    data = from_arrays(np.zeros((400, 4, 4, 3), dtype=np.uint8), np.arange(400) % 2, class_names=("a", "b"))
    assert repr(data) == "<Dataset 'arrays': 400 samples (3x4x4) of 2 classes>"
    poisoned = create_attack("patch:size=2", target="b", count=100).poison(data, seed=0)
    assert len(repr(poisoned)) < 3000
