"""The attacker's model: trained here, read from a run, or brought along."""

from __future__ import annotations

import pytest
import torch
from drill_toys import CLASSES, picture_set

from bezoar.attacks.learning.surrogate import surrogate_model
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


def test_another_shape_is_refused(tmp_path):
    model = build_model(SMALL, classes=4, sample=picture_set().inputs, seed=3).eval()
    save_model(model, ModelCard(SMALL, (*CLASSES, "dog"), (3, 6, 6)), tmp_path / "model.safetensors")
    with pytest.raises((AttackError, ModelError), match="fit"):
        surrogate(str(tmp_path))
