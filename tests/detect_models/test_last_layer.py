"""Mean weights of classes in the last layer."""

import numpy as np
import torch
from torch import nn

from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.last_layer import LastLayer, means_above_median
from bezoar.records import Skipped
from weight_toys import CLASSES, SHAPE, TARGET, network


def test_means_against_a_hand_worked_answer() -> None:
    weights = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0], [3.0, 5.0], [9.0, 11.0]])
    # Means 1, 2, 3, 4, 10; median 3; median absolute deviation 1.
    np.testing.assert_allclose(means_above_median(weights), np.array([-2, -1, 0, 1, 7]) / 1.4826)


def test_means_closer_together_than_chance_do_not_stand_out() -> None:
    weights = np.tile([[-1.0, 1.0]], (5, 2))
    weights[3] += 0.01
    # Deviation within rows 1, of four weights: by chance 0.5, of which a quarter.
    np.testing.assert_allclose(means_above_median(weights), [0, 0, 0, 0.01 / 0.125, 0])
    np.testing.assert_array_equal(means_above_median(np.ones((4, 3))), np.zeros(4))


def test_what_is_added_to_all_classes_alike_changes_nothing() -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(6, 40))
    shifted = weights + 0.3
    np.testing.assert_allclose(means_above_median(shifted), means_above_median(weights), rtol=1e-9)


def test_a_favoured_class_stands_out_in_a_linear_layer_and_in_a_convolution() -> None:
    model = network()
    model[8].weight.data[TARGET] += 0.5
    last = nn.Conv2d(16, CLASSES, 1, bias=False)
    last.weight.data = model[8].weight.data[:, :, None, None].clone()
    convolved = nn.Sequential(*model[:7], last, nn.Flatten()).eval()
    for one in (model, convolved):
        said = LastLayer().inspect(one, None, SHAPE, CLASSES, seed=0)
        assert isinstance(said, ModelScores)
        assert int(said.classes.argmax()) == TARGET
        assert said.classes[TARGET] > 4


def test_a_network_whose_last_layer_is_none_of_that_size_is_skipped() -> None:
    class Halves(nn.Module):
        """Twelve numbers of which six are answered."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(192, 2 * CLASSES)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layer(images.flatten(1))[:, :CLASSES]

    said = LastLayer().inspect(Halves(), None, SHAPE, CLASSES, seed=0)
    assert isinstance(said, Skipped)
    assert "6 classes" in said.reason
