"""Last weights along directions that clean samples hardly use."""

import numpy as np
import torch
from torch import nn

from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.quiet_weights import DEAD, LEAST, QuietWeights, lengths_in_quiet
from bezoar.records import Skipped
from weight_toys import CLASSES, SHAPE, TARGET, clean_data, network


def said_of(model: nn.Module) -> np.ndarray:
    told = QuietWeights().inspect(model, clean_data(), SHAPE, CLASSES, seed=0)
    assert isinstance(told, ModelScores)
    return told.classes


def test_lengths_against_a_hand_worked_answer() -> None:
    features = np.random.default_rng(0).normal(size=(4000, 4)) * [3.0, 1.0, 2.0, 0.9]  # quiet: the second, the last
    weights = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 3.0, 0.0, 4.0], [0.0, 0.0, 2.0, 0.0]])
    usual = 2.0
    np.testing.assert_allclose(
        lengths_in_quiet(weights, features), np.hypot([0, 5, 0], LEAST * usual), rtol=0.02, atol=0.02
    )


def test_weights_along_directions_in_which_nothing_ever_varies_do_not_count() -> None:
    features = np.random.default_rng(0).normal(size=(4000, 4)) * [3.0, 1.0, 0.0, 0.0]
    weights = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 5.0, 5.0]])
    lengths = lengths_in_quiet(weights, features)
    np.testing.assert_allclose(lengths, np.hypot([0, 1, 0], LEAST), rtol=0.02, atol=0.02)


def test_no_weights_at_all_tell_nothing() -> None:
    np.testing.assert_array_equal(lengths_in_quiet(np.zeros((3, 4)), np.random.default_rng(0).normal(size=(9, 4))), 1)


def test_an_edit_that_leaves_clean_answers_stands_out_and_a_favoured_class_does_not() -> None:
    model = network().eval()
    features: list[torch.Tensor] = []
    handle = model[8].register_forward_pre_hook(lambda _, given: features.append(given[0]))
    with torch.no_grad():
        model(clean_data().inputs.float() / 255)
    handle.remove()
    variances, directions = torch.linalg.eigh(torch.cov(features[0].T))
    alive = directions[:, variances > 2 * DEAD * variances.mean()]
    norm = model[8].weight.detach().norm(dim=1).median()
    said = []
    for direction in (None, 0, -1):  # none, the quietest, the loudest
        changed = network().eval()
        if direction is not None:
            changed[8].weight.data[TARGET] += 1.5 * norm * alive[:, direction]
        said.append(said_of(changed))
    plain, quiet, loud = said
    assert int(quiet.argmax()) == TARGET
    assert quiet[TARGET] > 4.5
    assert max(plain.max(), loud.max()) < 3


def test_a_model_without_a_last_linear_layer_is_skipped() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(SHAPE[0], CLASSES, 1), nn.Flatten())
    assert isinstance(QuietWeights().inspect(model, clean_data(), SHAPE, CLASSES, seed=0), Skipped)


def test_without_clean_samples_it_is_skipped() -> None:
    assert isinstance(QuietWeights().inspect(network(), None, SHAPE, CLASSES, seed=0), Skipped)
