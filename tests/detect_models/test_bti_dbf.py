"""Decoupled features: the mask by hand, the generator's bound, and a planted unit that clean images do not need."""

import pytest
import torch

from bezoar.detect.inversion.decouple import benign_mask
from bezoar.detect.inversion.generator import generated, generator_start
from bezoar.detect.inversion.penultimate import penultimate
from bezoar.detect.models.base import ModelScores
from bezoar.detect.models.bti_dbf import DecoupledBenignFeatures
from erased_toys import Erased
from inversion_toys import CLASSES, SIDE, TARGET, Linear, clean_data, clean_samples

SHAPE = (3, SIDE, SIDE)


def test_the_mask_keeps_the_quarters_and_leaves_the_planted_unit() -> None:
    model, (inputs, labels) = Erased(erases=0.0).requires_grad_(False), clean_samples()
    images = inputs.float() / 255
    split = penultimate(model, images[:1])
    assert split.layer is model.head
    features, logits = split.features(images)
    torch.testing.assert_close(split.answers(features, images[:1]), logits)
    mask = benign_mask(split, features, labels, images[:1], generator=torch.Generator().manual_seed(0))
    assert mask[:CLASSES].min() > 0.2
    assert mask[CLASSES] < 0.05
    assert (split.answers(features * mask, images[:1]).argmax(1) == labels).float().mean() > 0.9


def test_a_planted_unit_is_where_images_are_sent() -> None:
    said = DecoupledBenignFeatures().inspect(Erased(erases=0.0), clean_data(), SHAPE, CLASSES, seed=1)
    assert isinstance(said, ModelScores)
    assert int(said.classes.argmax()) == TARGET
    assert said.classes[TARGET] > 0.7
    assert said.inverted is None
    assert "count as benign" in said.notes[0]


@pytest.mark.parametrize("shape", [(3, 12, 12), (1, 9, 7), (3, 1, 1)])
def test_a_generator_changes_images_within_its_bound_and_learns(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    parameters = {name: one.requires_grad_() for name, one in generator_start(shape[0], 4, generator).items()}
    images = torch.rand(5, *shape, generator=generator) * 0.5 + 0.25
    changed = generated(parameters, images, 8.0)
    change = (changed - images).pow(2).mean((1, 2, 3)).sqrt() * 255
    assert changed.shape == images.shape
    assert change.max() <= 8.001
    changed.sum().backward()  # type: ignore[no-untyped-call]
    assert all(one.grad is not None for one in parameters.values())


def test_features_of_a_model_without_a_linear_layer_are_its_inputs() -> None:
    inputs, _ = clean_samples(8)
    images = inputs.float() / 255
    split = penultimate(Linear().requires_grad_(False), images[:1])
    assert split.layer is None
    features, logits = split.features(images)
    torch.testing.assert_close(features, images)
    torch.testing.assert_close(split.answers(features, images[:1]), logits)
