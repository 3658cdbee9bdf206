"""The door itself, safetensors of others, the user's own objects, and what bezoar trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from opening_toys import CLASSES, FACTORY, SHAPE, images, trained
from safetensors.torch import load_file, save_file

from bezoar.errors import ModelError, SpecError, TamperedModelWarning, UsageError
from bezoar.training import MODELS, ModelCard, build_model, load_model, save_model
from bezoar.training.opening import open_model
from bezoar.training.saved import KEY

TINY = "plain"


def written(path: Path, prefix: str = "", **changes: torch.Tensor) -> str:
    weights = {f"{prefix}{name}": value for name, value in (trained().state_dict() | changes).items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, path)
    return str(path)


def opened(place: str, factory: str | None = FACTORY, **options):
    return open_model(place, **{"factory": factory, "class_names": CLASSES, "shape": SHAPE, **options})


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "module._orig_mod.model."])
def test_weights_of_others_with_and_without_a_prefix(prefix, tmp_path):
    found = opened(written(tmp_path / "theirs.safetensors", prefix))
    assert (found.kind, found.name, found.card, found.differentiable) == ("weights", "theirs.safetensors", None, True)
    assert torch.equal(found.model(images()), trained()(images()))
    assert not found.model.training
    assert [repr(prefix) in note for note in found.notes] == ([True] if prefix else [])


def test_a_factory_without_an_argument_needs_no_classes(tmp_path):
    place = written(tmp_path / "theirs.safetensors")
    found = open_model(place, factory="opening_toys:network_of_three")
    assert any("tried on no sample" in note for note in found.notes)
    with pytest.raises(ModelError, match=r"wants the number of classes, which is not known.*Say the classes"):
        open_model(place, factory=FACTORY)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda weights: weights.pop("head.bias"), r"missing head\.bias"),
        (lambda weights: weights.update({"extra": torch.zeros(1)}), "unexpected extra"),
        (lambda weights: weights.update({"head.bias": torch.zeros(7)}), r"misshapen head\.bias of \(7,\) for \(3,\)"),
        (lambda weights: weights.update({f"odd.{n}": torch.zeros(1) for n in range(5)}), r"odd\.2 and 2 more"),
    ],
)
def test_weights_that_do_not_fit_are_named(change, told, tmp_path):
    weights = {f"module.{name}": value for name, value in trained().state_dict().items()}
    plain = {name.removeprefix("module."): value for name, value in weights.items()}
    change(plain)
    save_file({f"module.{name}": value.contiguous() for name, value in plain.items()}, tmp_path / "x.safetensors")
    with pytest.raises(ModelError, match=rf"x\.safetensors don't fit the network of {FACTORY}.*{told}"):
        opened(str(tmp_path / "x.safetensors"))


def test_weights_that_are_no_numbers_are_named(tmp_path):
    bias, variance = trained().state_dict()["head.bias"].clone(), torch.ones(4)
    bias[1], variance[0] = float("nan"), float("inf")
    place = written(tmp_path / "nan.safetensors", **{"head.bias": bias, "norm.running_var": variance})
    with pytest.raises(ModelError, match=r"nan\.safetensors are not all finite.*norm\.running_var, head\.bias"):
        opened(place)


def test_narrow_numbers_are_put_into_wide_ones(tmp_path):
    weights = {name: value.bfloat16() for name, value in trained().state_dict().items()}
    save_file(weights, tmp_path / "narrow.safetensors")
    logits = opened(str(tmp_path / "narrow.safetensors")).model(images())
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, trained()(images()), atol=0.05)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"class_names": ("a", "b"), "factory": "opening_toys:network_of_three"}, "does not fit the data.*2 classes"),
        ({"shape": (1, 8, 8)}, r"theirs\.safetensors cannot be used: the model cannot take these samples"),
        ({"factory": None}, "holds weights and no network"),
    ],
)
def test_a_network_that_does_not_fit_what_is_said(options, told, tmp_path):
    with pytest.raises(ModelError, match=told):
        opened(written(tmp_path / "theirs.safetensors"), **options)


def test_a_factory_that_is_not_there_is_a_slip_of_the_user(tmp_path):
    with pytest.raises(SpecError, match="nothing called"):
        opened(written(tmp_path / "theirs.safetensors"), factory="opening_toys:nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 8, b"\xff" * 64, b"\x10\x00\x00\x00\x00\x00\x00\x00{not json at all", b"{}" * 50]
)
def test_a_damaged_safetensors_file(content, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.safetensors is no safetensors file.*Get the file anew"):
        opened(str(tmp_path / "bad.safetensors"))


def test_a_file_without_tensors(tmp_path):
    save_file({}, tmp_path / "none.safetensors")
    with pytest.raises(ModelError, match="holds no tensors"):
        opened(str(tmp_path / "none.safetensors"))


def test_your_own_object():
    found = open_model("opening_toys:network", class_names=CLASSES, shape=SHAPE)
    assert (found.kind, found.name) == ("own", "opening_toys:network")
    assert not found.model.training
    with pytest.raises(UsageError, match="needs no factory"):
        open_model("opening_toys:network", factory=FACTORY, class_names=CLASSES)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model.h5", "ends in '.h5'"),
        ("model.pt2", "ends in '.pt2'"),
        ("model", "without an ending"),
        ("record.json", "ends in '.json'"),
    ],
)
def test_anything_else_is_refused_by_name(name, told, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=rf"{name} is no model that can be opened; expected a run folder.*{told}"):
        open_model(str(tmp_path / name))


@pytest.mark.parametrize("place", ["nowhere.pt", "no/where", "x" * 5000, "a\0b"])
def test_nothing_there(place):
    with pytest.raises(UsageError, match="does not exist; expected a run folder"):
        open_model(place)


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(ModelError, match=r"is an empty folder; expected a run folder.*Check the path"):
        open_model(str(tmp_path))
    (tmp_path / "model.pt").mkdir()
    with pytest.raises(ModelError, match=r"model\.pt is an empty folder"):
        open_model(str(tmp_path / "model.pt"))
    (tmp_path / "model.pt/notes.txt").touch()
    with pytest.raises(ModelError, match=r"holds no model; .*found notes\.txt\. Check the path"):
        open_model(str(tmp_path / "model.pt"))
    (tmp_path / "model.pt/last.pth").touch()
    with pytest.raises(ModelError, match=r"Name the file of the model itself, as in .*model\.pt/last\.pth"):
        open_model(str(tmp_path / "model.pt"))


# What bezoar trained.


@pytest.fixture
def run_folder(tmp_path):
    model = build_model(TINY, classes=3, sample=torch.zeros(2, *SHAPE, dtype=torch.uint8), seed=0)
    save_model(model, ModelCard(TINY, CLASSES, SHAPE), tmp_path / "model.safetensors")
    return tmp_path


def recarded(folder: Path, **fields: object) -> str:
    """The same file with a card that a stranger changed."""
    tensors = load_file(folder / "model.safetensors")
    card = {"model": TINY, "class_names": CLASSES, "shape": SHAPE, **fields}
    metadata = {KEY: json.dumps({"format": "bezoar-model-1", "card": json.dumps(card)})}
    save_file(tensors, folder / "changed.safetensors", metadata)
    return str(folder / "changed.safetensors")


@pytest.mark.parametrize("spec", MODELS.names())
def test_every_network_of_the_house_is_opened_as_it_was_saved(spec, tmp_path):
    sample = torch.randint(0, 256, (4, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    model = build_model(spec, classes=3, sample=sample, seed=0).eval()
    save_model(model, ModelCard(spec, CLASSES, SHAPE), tmp_path / "model.safetensors")
    found, (plainly, _) = open_model(str(tmp_path)).model, load_model(tmp_path)
    assert torch.equal(found(images()), plainly(images()))
    assert [one.requires_grad for one in found.parameters()] == [one.requires_grad for one in plainly.parameters()]
    assert not found.training


def test_a_run_folder_and_its_file(run_folder):
    for place in (run_folder, run_folder / "model.safetensors"):
        found = open_model(str(place))
        assert found.kind == "run"
        assert found.card == ModelCard(TINY, CLASSES, SHAPE)
        assert found.model(images()).shape == (5, 3)
        assert found.notes == ()


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"class_names": ("a", "b", "c")}, ModelError, "trained for other classes"),
        ({"class_names": tuple(reversed(CLASSES))}, ModelError, "trained for other classes"),
        ({"shape": (3, 9, 9)}, ModelError, "samples of another shape"),
        ({"factory": FACTORY}, UsageError, "needs no factory"),
    ],
)
def test_a_run_that_contradicts_what_is_said(options, kind, told, run_folder):
    with pytest.raises(kind, match=told):
        open_model(str(run_folder), **options)


def test_the_data_are_what_does_not_fit_a_run(run_folder):
    """They were called what was expected, and the model what was found: the user had given the wrong data."""
    with pytest.raises(ModelError) as caught:
        open_model(str(run_folder), class_names=("a", "b"), shape=SHAPE, data="letters/test")
    assert caught.value.expected == f"data of the model's 3 classes: {', '.join(CLASSES)}"
    assert caught.value.found == "2 classes in letters/test: a, b"
    with pytest.raises(ModelError) as caught:
        open_model(str(run_folder), class_names=CLASSES, shape=(3, 9, 9), data="letters/test")
    assert caught.value.expected == f"samples of shape {SHAPE}"
    assert caught.value.found == "(3, 9, 9) in letters/test"


def test_the_mark_of_a_drill_is_told(run_folder):
    with pytest.warns(TamperedModelWarning, match="backdoor on purpose"):
        assert open_model(recarded(run_folder, drill="abc")).card.drill == "abc"


def test_a_card_that_names_code_is_not_followed_unless_the_user_names_it(run_folder, tmp_path):
    for code in ("antigravity:fly", "os:_exit", "posix:_exit:x=1", "opening_toys:network"):
        with pytest.raises(ModelError, match=rf"wants code from outside bezoar to be run; found the network {code}"):
            open_model(recarded(run_folder, model=code))
    save_model(trained(), ModelCard(FACTORY, CLASSES, SHAPE), tmp_path / "own.safetensors")
    found = open_model(str(tmp_path / "own.safetensors"), factory=FACTORY)
    assert found.kind == "run"
    assert torch.equal(found.model(images()), trained()(images()))


def test_a_run_of_an_own_training_function_needs_the_factory(tmp_path):
    save_model(trained(), ModelCard("", CLASSES, SHAPE), tmp_path / "own.safetensors")
    with pytest.raises(ModelError, match="holds weights and no network"):
        open_model(str(tmp_path / "own.safetensors"))
    assert open_model(str(tmp_path / "own.safetensors"), factory=FACTORY).card.class_names == CLASSES


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"class_names": 3}, "no model that bezoar wrote"),
        ({"class_names": [1, 2, 3]}, "no model that bezoar wrote"),
        ({"class_names": ["x"] * 100_001}, "no model that bezoar wrote"),
        ({"shape": [3, 100_000, 100_000]}, "no model that bezoar wrote"),
        ({"shape": [3, -8, 8]}, "no model that bezoar wrote"),
        ({"shape": ["3", 8, 8]}, "no model that bezoar wrote"),
        ({"shape": []}, "no model that bezoar wrote"),
        ({"model": 7}, "no model that bezoar wrote"),
        ({"model": TINY + ":" + "x" * 600}, "no model that bezoar wrote"),
        ({"model": TINY + ":nonsense=3"}, "names a network that cannot be built"),
        ({"model": "fast"}, "does not hold the weights of fast"),
        ({"model": "preact-resnet18:width=100000"}, "does not hold the weights|cannot be built"),
        ({"model": "preact-resnet18:width=99999999999999"}, "does not hold the weights|cannot be built"),
        ({"model": "fast:finest=1", "shape": [3, 1024, 1024]}, "does not hold the weights|cannot be built"),
        ({"model": "fast:stem=1000000000"}, "does not hold the weights|cannot be built"),
        ({"class_names": ["a", "b"]}, "does not hold the weights"),
    ],
)
def test_a_card_that_a_stranger_changed(fields, told, run_folder):
    with pytest.raises(ModelError, match=told):
        open_model(recarded(run_folder, **fields))


@pytest.mark.parametrize("metadata", ["[]", "{", "{}", '{"format": "bezoar-model-1"}', '"x"', "[" * 100_000])
def test_metadata_that_a_stranger_changed(metadata, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "odd.safetensors", {KEY: metadata})
    with pytest.raises(ModelError, match="no model that bezoar wrote"):
        open_model(str(tmp_path / "odd.safetensors"))
