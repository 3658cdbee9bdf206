"""The noise of Narcissus, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, NarcissusNoise


def noise(strength=3.0, channels=3):
    pattern = torch.zeros(channels, 2, 2)
    pattern[0, 0, 0], pattern[1, 0, 1], pattern[2, 1, 1] = 10, -7, 16
    return NarcissusNoise(strength=strength).with_tensors({"pattern": pattern})


@pytest.mark.parametrize(("strength", "expected"), [(1.0, (110, 93, 116)), (3.0, (130, 79, 148)), (20, (255, 0, 255))])
def test_pixels_by_hand(strength, expected):
    grey = torch.full((1, 3, 2, 2), 100, dtype=torch.uint8)
    stamped = noise(strength)(grey)[0]
    assert (int(stamped[0, 0, 0]), int(stamped[1, 0, 1]), int(stamped[2, 1, 1])) == expected
    assert int((stamped != 100).sum()) == 3


def test_floats_are_the_same_picture():
    grey = torch.full((2, 3, 2, 2), 100, dtype=torch.uint8)
    assert torch.allclose(noise()(grey.float() / 255) * 255, noise()(grey).float(), atol=1e-3)


def test_an_alpha_channel_is_left_alone():
    images = torch.full((1, 4, 2, 2), 100, dtype=torch.uint8)
    assert (noise()(images)[:, 3] == 100).all()
    assert torch.equal(noise()(images)[:, :3], noise()(images[:, :3]))


def test_grey_images_get_the_luminance():
    # ITU-R 601: 0.299 * 10, 0.587 * -7 and 0.114 * 16, to whole levels, three times.
    stamped = noise()(torch.full((1, 1, 2, 2), 100, dtype=torch.uint8))[0, 0]
    assert stamped.tolist() == [[109, 88], [100, 106]]


def test_a_grey_noise_lies_on_every_colour():
    grey = NarcissusNoise(strength=1).with_tensors({"pattern": torch.full((1, 2, 2), 5.0)})
    for channels in (1, 3):
        assert (grey(torch.full((1, channels, 2, 2), 100, dtype=torch.uint8)) == 105).all()
    assert grey(torch.full((1, 4, 2, 2), 100, dtype=torch.uint8))[0, :, 0, 0].tolist() == [105, 105, 105, 100]


def test_on_another_size_the_noise_is_resized():
    flat = NarcissusNoise(strength=1).with_tensors({"pattern": torch.full((3, 2, 2), 5.0)})
    assert (flat(torch.full((1, 3, 5, 7), 100, dtype=torch.uint8)) == 105).all()
    halves = NarcissusNoise(strength=1).with_tensors({"pattern": torch.tensor([[[0.0, 8.0]]]).expand(3, 2, 2)})
    row = halves(torch.zeros(1, 3, 2, 4, dtype=torch.uint8))[0, 0, 0]
    assert row.tolist() == [0, 2, 6, 8]


def test_other_channels_are_refused():
    with pytest.raises(TriggerError, match="learnt for images with other channels"):
        noise()(torch.zeros(1, 2, 2, 2))


def test_nothing_learnt_and_wrong_tensors_are_refused():
    with pytest.raises(TriggerError, match="narcissus has not learnt anything yet"):
        TRIGGERS.create("narcissus")(torch.zeros(1, 3, 2, 2))
    for wrong in ({}, {"pattern": torch.zeros(2, 2)}, {"noise": torch.zeros(3, 2, 2)}):
        with pytest.raises(TriggerError, match="do not belong"):
            NarcissusNoise().with_tensors(wrong)


@pytest.mark.parametrize("strength", [-1, 256, float("nan")])
def test_bad_strengths_are_refused(strength):
    with pytest.raises(TriggerError, match="strength is out of range"):
        NarcissusNoise(strength=strength)
