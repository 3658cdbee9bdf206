import numpy as np
import pytest
import torch
from confirm_toys import textures

from bezoar.confirm.recover.patch import recover_patch


def stamped(images, rows, colour):
    marked = images.clone()
    marked[:, :, 2:5, 9:12] = torch.tensor(colour, dtype=torch.uint8)[:, None, None]
    marked[rows] = images[rows]
    return marked


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_mask_and_colours_are_exact_with_a_tenth_innocent(channels):
    suspects = stamped(textures(60, channels=channels, seed=1), slice(0, 6), [255, 0, 40, 255][:channels])
    found = recover_patch(suspects, textures(300, channels=channels, seed=2))
    assert found is not None
    assert found.kind == "patch"
    assert found.description == "a patch of 9 pixels within rows 2 to 4, columns 9 to 11"
    clean = textures(20, channels=channels, seed=3)
    assert torch.equal(found(clean), stamped(clean, slice(0, 0), [255, 0, 40, 255][:channels]))
    assert found.picture.shape == clean.shape[1:]


def test_nothing_among_innocent_samples():
    assert recover_patch(textures(60, seed=1), textures(300, seed=2)) is None


def test_a_mark_on_a_plain_background_is_found():
    # As in the corner of drawings, where ordinary samples don't vary at all.
    ordinary = textures(300, channels=1, seed=2)
    suspects = textures(60, channels=1, seed=1)
    for images in (ordinary, suspects):
        images[:, :, 12:, :] = 0
    assert recover_patch(suspects, ordinary) is None
    suspects[:, :, 13:16, 13:16] = 255
    found = recover_patch(suspects, ordinary)
    assert found is not None
    assert found.description == "a patch of 9 pixels within rows 13 to 15, columns 13 to 15"


def test_copies_of_one_picture_are_no_patch():
    copies = textures(1, seed=4).expand(40, -1, -1, -1).contiguous()
    assert recover_patch(copies, textures(300, seed=2)) is None


def test_too_few_suspects():
    suspects = stamped(textures(12, seed=1), slice(0, 0), [255, 0, 40])
    assert recover_patch(suspects, textures(300, seed=2)) is not None
    assert recover_patch(suspects[:11], textures(300, seed=2)) is None


def test_statistics_are_those_of_numpy_whatever_comes_at_a_time(monkeypatch):
    import bezoar.confirm.recover.patch as patch

    images = textures(31, seed=5)
    whole = patch._middle_and_spread(images)
    monkeypatch.setattr(patch, "VALUES_AT_A_TIME", 31 * 50)
    parts = patch._middle_and_spread(images)
    middle = np.median(images.numpy(), axis=0)
    spread = 1.4826 * np.median(np.abs(images.numpy() - middle), axis=0)
    for got in (whole, parts):
        np.testing.assert_allclose(got[0].numpy(), middle)
        np.testing.assert_allclose(got[1].numpy(), spread, rtol=1e-6)
