"""Agreement of features, sought for every class: by hand, and on a network whose planted pattern erases the rest."""

import numpy as np
import pytest
import torch

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.agreeing import Pull, agree, spread_of
from bezoar.detect.inversion.forms import Additive, Warp
from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.feature_re import FeatureRE
from bezoar.errors import ModelError
from erased_toys import Erased, planted_pattern
from inversion_toys import CLASSES, NAMES, SIDE, TARGET, Linear, clean_data, clean_samples

SHAPE = (3, SIDE, SIDE)


def told(model: torch.nn.Module) -> ModelScores:
    said = FeatureRE().inspect(model, clean_data(), SHAPE, CLASSES, seed=1)
    assert isinstance(said, ModelScores)
    return said


def test_a_planted_pattern_that_erases_the_rest_is_found_by_agreement_and_direction() -> None:
    said = told(Erased(erases=1.0))
    assert int(said.classes.argmax()) == TARGET
    assert said.classes[TARGET] > 3.5
    assert said.inverted is not None
    pattern = said.inverted.parameters["pattern"][TARGET].flatten()
    assert torch.cosine_similarity(pattern, planted_pattern().flatten(), dim=0) > 0.5
    assert said.inverted.flips[TARGET] > 0.9
    assert "agreement" in said.notes[0]


def test_a_network_without_the_pattern_is_quiet() -> None:
    assert told(Erased(erases=1.0, strength=0.0)).classes.max() < 2


def test_spreads_are_distances_to_the_mean() -> None:
    features = np.random.default_rng(0).normal(size=(2, 7, 5))
    expected = np.sqrt(features.var(1, ddof=1).sum(1))
    np.testing.assert_allclose(spread_of(torch.from_numpy(features)).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize(("form", "reach"), [(Additive(), 10.0), (Warp(), 0.5)])
def test_no_trigger_is_larger_than_the_reach(form: Additive | Warp, reach: float) -> None:
    inputs, labels = clean_samples(80)
    found = agree(Linear(), inputs, labels, CLASSES, form, reach, pull=Pull(steps=15, rate=0.5), seed=0)
    assert found.inverted.sizes.max() <= reach * 1.001
    assert found.inverted.sizes.min() > 0.5 * reach


def test_one_class_alone_leaves_nothing_to_be_led_to_it() -> None:
    inputs, labels = clean_samples(200)
    with pytest.raises(ModelError, match="led to class 1"):
        agree(Linear(), inputs[labels == 1], labels[labels == 1], CLASSES, Additive(), 5.0, seed=0)


def test_warps_are_sought_too() -> None:
    data: Dataset = clean_data(80)
    said = FeatureRE(form="warp", steps=3).inspect(Linear(), data, SHAPE, len(NAMES), seed=0)
    assert isinstance(said, ModelScores)
    assert said.inverted is not None
    assert said.inverted.form.name == "warp"
