"""The attacker's model: trained here, read from a run, or brought along."""

from __future__ import annotations

import importlib

import pytest
import torch
from drill_toys import CLASSES, picture_set

from bezoar.attacks.learning.surrogate import architecture_of, is_brought_along, surrogate_model
from bezoar.errors import AttackError, ModelError
from bezoar.training import ModelCard, build_model, save_model

SMALL = "fast:stem=4,widths=4/8"
OWN = """
import torch
right = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 6 * 6, 3))
wrong = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 6 * 6, 4))
def factory(classes):
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 6 * 6, classes))
"""


def surrogate(model, heard=lambda what, done, total: None, seed=0):
    return surrogate_model(picture_set(), model, epochs=2, seed=seed, device="cpu", progress=heard)


def test_an_architecture_is_trained_from_the_seed_alone():
    heard = []
    torch.manual_seed(0)
    first = surrogate(SMALL, lambda *step: heard.append(step))
    torch.manual_seed(1)
    again, other = surrogate(SMALL), surrogate(SMALL, seed=1)
    batch = torch.rand(4, 3, 6, 6)
    assert torch.equal(first(batch), again(batch))
    assert not torch.equal(first(batch), other(batch))
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    assert heard
    assert heard[-1] == ("train a surrogate", 120, 120)


def test_a_run_is_read_and_not_trained_again(tmp_path):
    model = build_model(SMALL, classes=3, sample=picture_set().inputs, seed=3).eval()
    save_model(model, ModelCard(SMALL, CLASSES, (3, 6, 6)), tmp_path / "model.safetensors")
    batch = torch.rand(4, 3, 6, 6)
    for place in (tmp_path, tmp_path / "model.safetensors"):
        assert torch.equal(surrogate(str(place))(batch), model(batch))


def test_a_users_own_module_or_factory(tmp_path, monkeypatch):
    (tmp_path / "own_surrogates.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert surrogate("own_surrogates:right")(torch.rand(2, 3, 6, 6)).shape == (2, 3)
    assert surrogate("own_surrogates:factory")(torch.rand(2, 3, 6, 6)).shape == (2, 3)
    with pytest.raises(AttackError, match="does not fit the data"):
        surrogate("own_surrogates:wrong")


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ((*CLASSES, "dog"), (3, 6, 6)),
        (CLASSES[::-1], (3, 6, 6)),
        (("cow", "dog", "hen"), (3, 6, 6)),
        (CLASSES, (3, 8, 8)),
    ],
)
def test_a_run_on_other_data_is_refused(tmp_path, names, shape):
    sample = torch.zeros((2, *shape), dtype=torch.uint8)
    model = build_model(SMALL, classes=len(names), sample=sample, seed=3).eval()
    save_model(model, ModelCard(SMALL, names, shape), tmp_path / "model.safetensors")
    with pytest.raises(AttackError, match=r"was trained on other data; expected classes .*images \(3, 6, 6\); found"):
        surrogate(str(tmp_path))


def test_a_users_own_module_stays_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "lent_surrogates.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("lent_surrogates").right.train()
    own[1].bias.requires_grad_(False)
    found = surrogate("lent_surrogates:right")
    assert found is not own
    assert not found.training
    assert own.training
    assert [parameter.requires_grad for parameter in own.parameters()] == [True, False]


def test_a_function_without_arguments_gives_a_trained_module(tmp_path, monkeypatch):
    (tmp_path / "lazy_surrogates.py").write_text(
        OWN + "def lazy():\n    return right\ndef broken():\n    return 1 / 0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    batch = torch.rand(2, 3, 6, 6)
    assert torch.equal(surrogate("lazy_surrogates:lazy")(batch), surrogate("lazy_surrogates:right")(batch))
    with pytest.raises(ModelError, match=r"lazy_surrogates:broken failed.*ZeroDivisionError"):
        surrogate("lazy_surrogates:broken")


def test_a_folder_called_like_an_architecture_is_not_taken_for_it(tmp_path, monkeypatch):
    model = build_model(SMALL, classes=3, sample=picture_set().inputs, seed=3).eval()
    (tmp_path / "fast").mkdir()
    save_model(model, ModelCard(SMALL, CLASSES, (3, 6, 6)), tmp_path / "fast" / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    assert not is_brought_along("fast")
    assert architecture_of("fast") == "fast"
    assert is_brought_along("./fast")
    batch = torch.rand(4, 3, 6, 6)
    assert torch.equal(surrogate("./fast")(batch), model(batch))
    assert surrogate(SMALL)(batch).shape == (4, 3)
