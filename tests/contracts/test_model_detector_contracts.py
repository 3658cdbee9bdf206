"""What every registered detector of models must do."""

import numpy as np
import pytest
import torch

import weight_toys
from bezoar.detect import models  # noqa: F401  registers
from bezoar.detect.models.base import MODEL_DETECTORS, ModelDetector, ModelScores
from bezoar.records import Skipped
from inversion_toys import CLASSES, SIDE, TARGET, Linear, clean_data, planted_patch

SHAPE = (3, SIDE, SIDE)
NAMES = MODEL_DETECTORS.names()
PROBING = ("stamp-probing", "wave-probing")
NEED_DATA = (
    "neural-cleanse",
    "added-pattern",
    "warp-inversion",
    "colour-inversion",
    "feature-re",
    "bti-dbf",
    "quiet-weights",
)
WITH_TWIN = ("neural-cleanse", "added-pattern", "warp-inversion", "colour-inversion")
OF_WEIGHTS = ("channel-bounds", "last-layer", "lone-weight")


def detector(name: str, steps: int = 20) -> ModelDetector:
    if name in (*OF_WEIGHTS, *PROBING, "quiet-weights"):
        return MODEL_DETECTORS.create(name)
    return MODEL_DETECTORS.create(f"{name}:steps={steps}" + (",lessons=60" if name in WITH_TWIN else ""))


def samples_of(model: torch.nn.Module, name: str) -> ModelScores | Skipped:
    return detector(name).inspect(model, weight_toys.clean_data(), weight_toys.SHAPE, weight_toys.CLASSES, seed=4)


def test_the_features_of_a_network_leave_it_as_it_was_and_tell_the_same_again() -> None:
    model = weight_toys.network().train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    first, second = (samples_of(model, "quiet-weights") for _ in range(2))
    assert isinstance(first, ModelScores)
    assert isinstance(second, ModelScores)
    np.testing.assert_array_equal(first.classes, second.classes)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert all(one.training for one in model.modules())
    assert all(one.requires_grad and one.grad is None for one in model.parameters())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in (*OF_WEIGHTS, "quiet-weights")])
def test_the_same_seed_gives_the_same_scores_and_the_model_stays(name: str) -> None:
    model, data = Linear().train(), clean_data()
    before = model.weight.detach().clone()
    first, second = (detector(name).inspect(model, data, SHAPE, CLASSES, seed=4) for _ in range(2))
    assert isinstance(first, ModelScores)
    assert isinstance(second, ModelScores)
    np.testing.assert_array_equal(first.classes, second.classes)
    assert first.classes.shape == (CLASSES,)
    assert torch.equal(model.weight, before)
    assert model.training
    assert model.weight.requires_grad
    assert model.weight.grad is None


@pytest.mark.parametrize("name", OF_WEIGHTS)
def test_detectors_of_weights_leave_the_model_and_find_a_planted_class(name: str) -> None:
    model = weight_toys.planted().train()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    first, second = (
        detector(name).inspect(model, given, weight_toys.SHAPE, weight_toys.CLASSES, seed=4)
        for given in (None, clean_data())
    )
    assert isinstance(first, ModelScores)
    assert isinstance(second, ModelScores)
    np.testing.assert_array_equal(first.classes, second.classes)
    assert int(first.classes.argmax()) == weight_toys.TARGET
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert all(one.training for one in model.modules())
    assert all(one.requires_grad and one.grad is None for one in model.parameters())
    assert isinstance(detector(name).inspect(Linear(), None, SHAPE, CLASSES, seed=0), Skipped)


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_are_too_few_to_compare(name: str) -> None:
    assert isinstance(detector(name).inspect(Linear(), clean_data(), SHAPE, 2, seed=0), Skipped)


@pytest.mark.parametrize("name", NEED_DATA)
def test_without_clean_samples_inversions_are_skipped(name: str) -> None:
    for given in (None, clean_data(20)):
        said = detector(name).inspect(Linear(), given, SHAPE, CLASSES, seed=0)
        assert isinstance(said, Skipped)
        assert "clean samples" in said.reason


@pytest.mark.parametrize("name", ["neural-cleanse", "added-pattern", "mm-bd"])
def test_the_target_of_a_planted_backdoor_stands_out(name: str) -> None:
    steps = 150 if name != "mm-bd" else 60
    said = detector(name, steps).inspect(planted_patch(), clean_data(), SHAPE, CLASSES, seed=1)
    quiet = detector(name, steps).inspect(Linear(), clean_data(), SHAPE, CLASSES, seed=1)
    assert isinstance(said, ModelScores)
    assert isinstance(quiet, ModelScores)
    assert int(said.classes.argmax()) == TARGET
    assert said.classes[TARGET] > 3
    assert quiet.classes.max() < 3
