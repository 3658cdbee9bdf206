"""Loud channels and the classes that they lead to."""

import numpy as np
import torch
from torch import nn

from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.channel_bounds import ChannelBounds
from bezoar.detect.numerics.lipschitz import spreads_above_mean
from bezoar.records import Skipped
from weight_toys import CLASSES, LOUD, SHAPE, TARGET, network, planted


def scores(model: nn.Module, **fields: int) -> np.ndarray:
    said = ChannelBounds(**fields).inspect(model, None, SHAPE, CLASSES, seed=0)
    assert isinstance(said, ModelScores)
    return said.classes


def test_the_class_a_loud_channel_leads_to_has_its_spreads() -> None:
    model = planted()
    kernels = model[3].weight.detach()
    bounds = np.array([np.linalg.norm(one.reshape(16, 9).numpy(), 2) for one in kernels]) / np.sqrt(1 + 1e-5)
    expected = (bounds[LOUD] - bounds.mean()) / bounds.std()
    said = scores(model)
    assert int(said.argmax()) == TARGET
    np.testing.assert_allclose(said[TARGET], expected, rtol=1e-4)
    assert scores(network()).max() < said[TARGET] - 0.5


def test_a_loud_channel_is_followed_to_the_class_it_was_tied_to() -> None:
    for target in range(CLASSES):
        model = planted()
        model[8].weight.data[:, LOUD] = 0.0
        model[8].weight.data[target, LOUD] = 3.0
        assert int(scores(model, followed=1).argmax()) == target


def test_the_scale_of_a_batch_norm_makes_a_channel_loud() -> None:
    model = network()
    model[4].running_var[LOUD] = 0.01
    model[8].weight.data[TARGET, LOUD] = 3.0
    assert int(scores(model).argmax()) == TARGET


def test_without_batch_norm_convolutions_alone_are_judged_and_without_those_nothing() -> None:
    bare = nn.Sequential(*(one for one in planted() if not isinstance(one, nn.BatchNorm2d))).eval()
    assert int(scores(bare).argmax()) == TARGET
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, CLASSES))
    said = ChannelBounds().inspect(flat, None, SHAPE, CLASSES, seed=0)
    assert isinstance(said, Skipped)
    assert "convolution" in said.reason


def test_of_equal_bounds_none_stands_out() -> None:
    assert torch.equal(spreads_above_mean(torch.ones(5)), torch.zeros(5))
    values = torch.tensor([1.0, 2.0, 3.0, 10.0])
    np.testing.assert_allclose(
        spreads_above_mean(values).numpy(), (values.numpy() - 4) / values.numpy().std(), rtol=1e-6
    )
