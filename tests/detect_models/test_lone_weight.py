"""One weight of the last layer that is larger than training leaves them."""

import numpy as np
import torch

from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.lone_weight import LoneWeight, largest_above_median
from weight_toys import CLASSES, SHAPE, TARGET, network


def test_the_largest_against_a_hand_worked_answer() -> None:
    weights = np.array([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [-1.0, 0.0, np.e], [5.0, 6.0, 7.0]])
    # Largest beyond their rows' medians: 1, 1, e, 1. Their logarithms: 0, 0, 1, 0; no spread, so .25.
    np.testing.assert_allclose(largest_above_median(weights), [0, 0, 4, 0], atol=1e-12)


def test_rows_of_equal_weights_tell_nothing() -> None:
    np.testing.assert_array_equal(largest_above_median(np.ones((5, 4))), np.zeros(5))


def test_scale_and_shift_of_a_row_of_biases_change_nothing() -> None:
    weights = np.random.default_rng(0).normal(size=(6, 40))
    shifted = 3 * weights + np.arange(6)[:, None]
    np.testing.assert_allclose(largest_above_median(shifted), largest_above_median(weights), rtol=1e-9)


def test_a_planted_weight_stands_out_and_a_favoured_class_does_not() -> None:
    said = []
    for change in ("none", "lone", "favoured"):
        model = network()
        if change == "lone":
            model[8].weight.data[TARGET, 3] = 20 * model[8].weight.data.abs().max()
        if change == "favoured":
            model[8].weight.data[TARGET] += 5 * model[8].weight.data.abs().max()
        told = LoneWeight().inspect(model, None, SHAPE, CLASSES, seed=0)
        assert isinstance(told, ModelScores)
        said.append(told.classes)
    none, lone, favoured = said
    assert int(lone.argmax()) == TARGET
    assert lone[TARGET] > 8
    assert max(none.max(), favoured.max()) < 4


def test_the_answer_does_not_depend_on_the_input() -> None:
    model = network()
    one, two = (LoneWeight().inspect(model, None, SHAPE, CLASSES, seed=seed) for seed in (0, 1))
    assert isinstance(one, ModelScores)
    assert isinstance(two, ModelScores)
    assert torch.equal(torch.from_numpy(one.classes), torch.from_numpy(two.classes))
