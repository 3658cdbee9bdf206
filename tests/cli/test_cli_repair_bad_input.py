"""Bad input of `bezoar repair`: each slip has its own clear error, no traceback, and no folder half written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bezoar.data import Dataset, write_data
from bezoar.repair import REPAIRS
from bezoar.repair.checks import Bar
from bezoar.training import ModelCard, build_model, save_model

SPEC, NAMES, SIDE = "fast:stem=8,widths=12/16", ("red", "green", "blue"), 16
FACTORY = """
from bezoar.training import build_model
import torch

def network(classes=3):
    return build_model("fast:stem=8,widths=12/16", classes=3, sample=torch.zeros(2, 3, 16, 16, dtype=torch.uint8), seed=0)

def damaged():
    model = network()
    model.head.weight.data[0, 0] = float("inf")
    return model
"""
NEED_NOTHING = ("clp",)


def pictures(names: tuple[str, ...] = NAMES, *, samples: int = 60, side: int = SIDE) -> Dataset:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randint(0, 256, (samples, 3, side, side), generator=generator, dtype=torch.uint8)
    labels = torch.arange(samples) % len(names)
    return Dataset(inputs, labels, names, tuple(f"p{row}" for row in range(samples)), name="pictures")


@pytest.fixture(autouse=True)
def _short_searches(monkeypatch):
    monkeypatch.setattr("bezoar.cli.repair.calibrated_bars", lambda: (Bar("neural-cleanse:steps=5,lessons=60", 3.5),))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model as a run, as weights and as a checkpoint, a module that makes its network, clean data."""
    (tmp_path / "stray_network.py").write_text(FACTORY)
    monkeypatch.syspath_prepend(str(tmp_path))
    write_data(pictures(), tmp_path / "clean.npz")
    write_model(tmp_path, damage=None)
    return tmp_path


def write_model(place: Path, damage: float | None) -> None:
    model = build_model(SPEC, classes=3, sample=pictures().inputs[:2], seed=0)
    if damage is not None:
        model.head.weight.data[0, 0] = damage
    (place / "run").mkdir(exist_ok=True)
    save_model(model, ModelCard(SPEC, NAMES, (3, SIDE, SIDE)), place / "run/model.safetensors")
    weights = {name: one.contiguous() for name, one in model.state_dict().items()}
    save_file(weights, place / "weights.safetensors")
    torch.save(weights, place / "weights.pt")


def refused(bezoar, *arguments: object, code: int = 2) -> str:
    done = bezoar("repair", *arguments, "--out", "m2")
    assert done.code == code, done.err
    assert done.err.startswith("error: ")
    assert not Path("m2").exists()
    assert not list(Path().glob(".m2*"))
    return done.err


OPENED = {
    "a run folder": ("run",),
    "weights": ("weights.safetensors", "--factory", "stray_network:network"),
    "a checkpoint": ("weights.pt", "--factory", "stray_network:network"),
    "a module of one's own": ("stray_network:network",),
}


@pytest.mark.parametrize("model", OPENED.values(), ids=OPENED)
def test_clean_samples_of_more_classes_than_the_model_has(bezoar, place, model):
    write_data(pictures(("red", "green", "blue", "grey")), place / "four.npz")
    said = refused(bezoar, *model, "--clean", "four.npz")
    assert "classes" in said
    assert "4" in said or "grey" in said


def test_clean_samples_of_as_many_other_classes_or_in_another_order(bezoar, place):
    write_data(pictures(("cat", "dog", "elk")), place / "animals.npz")
    said = refused(bezoar, "run", "--clean", "animals.npz")
    assert "red, green, blue" in said
    assert "cat, dog, elk" in said
    write_data(pictures(("blue", "green", "red")), place / "turned.npz")
    assert "blue, green, red" in refused(bezoar, "run", "--clean", "turned.npz")


def test_clean_samples_of_another_size(bezoar, place):
    write_data(pictures(side=24), place / "large.npz")
    said = refused(bezoar, "run", "--clean", "large.npz")
    assert "16" in said
    assert "24" in said


def test_training_data_of_other_classes_than_model_or_clean_samples(bezoar, place):
    write_data(pictures(("cat", "dog", "elk")), place / "animals.npz")
    assert "cat, dog, elk" in refused(bezoar, "run", "--data", "animals.npz", "--method", "clp")
    said = refused(bezoar, "run", "--clean", "clean.npz", "--data", "animals.npz")
    assert "different classes" in said


@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
@pytest.mark.parametrize("model", list(OPENED.values())[:3], ids=list(OPENED)[:3])
def test_weights_that_are_no_numbers(bezoar, place, model, damage):
    write_model(place, damage)
    for method in ("auto", "clp"):
        said = refused(bezoar, *model, "--clean", "clean.npz", "--method", method)
        assert "head.weight" in said
        assert "finite" in said or "NaN" in said


def test_a_model_of_one_s_own_with_weights_that_are_no_numbers(bezoar, place):
    assert "head.weight" in refused(bezoar, "stray_network:damaged", "--clean", "clean.npz")


@pytest.mark.parametrize("method", [name for name in REPAIRS.names() if name not in NEED_NOTHING])
def test_without_clean_samples_each_method_says_what_it_lacks(bezoar, place, method):
    said = refused(bezoar, "run", "--method", method)
    assert "the model could not be repaired" in said
    assert f"{method}: " in said
    assert "--clean" in said


@pytest.mark.parametrize("method", ["ft-sam", "nad", "anp", "i-bau"])
def test_a_handful_of_clean_samples_is_too_few_and_it_is_said(bezoar, place, method):
    write_data(pictures(samples=6), place / "few.npz")
    said = refused(bezoar, "run", "--clean", "few.npz", "--method", method)
    assert "too few" in said


def test_clean_samples_of_one_class_alone_do_not_end_in_a_traceback(bezoar, place):
    data = pictures(samples=90)
    write_data(data.select(data.labels == 1), place / "one.npz")
    done = bezoar("repair", "run", "--clean", "one.npz", "--method", "ft-sam:epochs=1,least_steps=0", "--out", "m2")
    assert done.code == 3, done.err
    assert "Could not be told" in done.out


def test_clean_samples_that_are_no_pictures_or_cannot_be_read(bezoar, place):
    (place / "clean.txt").write_text("no data")
    assert "clean.txt" in refused(bezoar, "run", "--clean", "clean.txt", code=4)
    (place / "broken.npz").write_bytes((place / "clean.npz").read_bytes()[:200])
    assert "broken.npz" in refused(bezoar, "run", "--clean", "broken.npz")


def test_training_data_without_suspects_are_not_learnt_from(bezoar, place):
    write_data(replace(pictures(), name="train"), place / "train.npz")
    said = refused(bezoar, "run", "--data", "train.npz", "--method", "filter-retrain")
    assert "nobody is suspected" in said
