"""What share of a trigger was swallowed, on images whose answer is known by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from bezoar.errors import EmptyDataError, SaturationWarning, TriggerError
from bezoar.triggers import Blend, CallableTrigger, Checkerboard, ImageInsert, Patch, saturation, warn_if_saturated


def plain(level, n=4, c=3, h=8, w=8):
    return torch.full((n, c, h, w), level, dtype=torch.uint8)


def share(trigger, images):
    return saturation(trigger, images).swallowed


@pytest.mark.parametrize(("level", "swallowed"), [(0, 0.0), (127, 0.0), (128, 1.0), (255, 1.0)])
def test_adding_white_is_swallowed_past_half_way(level, swallowed):
    assert share(Patch(mode="add", color="white"), plain(level)) == swallowed


@pytest.mark.parametrize(("level", "swallowed"), [(235, 0.0), (246, 1.0)])
def test_a_faint_addition_needs_less_room(level, swallowed):
    assert share(Patch(mode="add", color="white", opacity=0.08), plain(level)) == swallowed  # intends 20.4


def test_only_the_channels_that_the_colour_has_count():
    red = plain(0)
    red[:, 0] = 255
    assert share(Patch(mode="add", color="cyan"), red) == 0
    assert share(Patch(mode="add", color="red"), red) == 1


def test_replacing_is_swallowed_only_by_its_own_colour():
    cyan = plain(0)
    cyan[:, 1:] = 255
    assert share(Patch(color="cyan"), cyan) == 1
    assert share(Patch(color="cyan"), plain(255)) == 0
    assert share(Patch(color="white"), plain(255)) == 1
    assert share(Checkerboard(), plain(255)) == 1
    assert share(Checkerboard(), plain(100)) == 0


def test_a_grey_patch_is_measured_too():
    assert share(Patch(color="gray"), plain(128)) == 1
    assert share(Patch(color="gray"), plain(0)) == 0


def test_shares_are_counted_by_pixel_and_by_image():
    images = plain(0)
    images[0] = 255  # lost whole
    images[1, :, :2, :5] = 255  # 10 of 25 pixels
    found = saturation(Patch(size=5, mode="add", color="white"), images)
    assert found.swallowed == pytest.approx((25 + 10) / 100)
    assert found.images_lost == 0.25
    assert found.images == 4


def test_bright_surroundings_do_not_count():
    images = plain(255)
    images[:, :, :5, :5] = 0
    assert share(Patch(size=5, mode="add", color="white"), images) == 0


@pytest.mark.parametrize("trigger", [Patch(mode="add", color="white"), Patch(), Checkerboard(), Blend(pattern="rings")])
def test_bytes_and_floats_agree(trigger):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 3, 12, 12), dtype=np.uint8))
    assert share(trigger, images.float() / 255) == pytest.approx(share(trigger, images), abs=0.01)


def test_a_random_place_is_followed(tmp_path):
    from PIL import Image

    Image.fromarray(np.full((3, 3, 3), 255, np.uint8)).save(tmp_path / "w.png")
    trigger = ImageInsert(str(tmp_path / "w.png"), random=True, blend=1.0)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (50, 3, 8, 8), dtype=np.uint8))
    assert share(trigger, images) == 0
    assert share(trigger, images + 254) == 1


def added(array):
    out = array.copy()
    out[:, :2, :2] = np.minimum(out[:, :2, :2] + 0.5, 1)
    return out


@pytest.mark.parametrize(("level", "swallowed"), [(0, 0.0), (255, 1.0)])
def test_a_function_is_judged_by_what_it_does_to_plain_images(level, swallowed):
    assert share(CallableTrigger(added), plain(level)) == swallowed


def test_a_random_function_is_followed_by_its_seed():
    def somewhere(array):
        out = array.copy()
        for image, row in zip(out, np.random.randint(0, 8, len(out)), strict=True):
            image[row] = np.minimum(image[row] + 0.5, 1)
        return out

    assert share(CallableTrigger(somewhere), plain(0)) == 0
    assert share(CallableTrigger(somewhere), plain(255)) == 1


def test_a_warp_is_judged_by_its_median_change():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8), dtype=np.uint8))
    images[:5] = 77  # a warp of a plain image cannot be seen
    found = saturation(CallableTrigger(lambda array: np.roll(array, 1, axis=2)), images)
    assert 0.25 <= found.swallowed < 0.5
    assert found.images_lost == 0.25


def test_a_trigger_that_does_nothing_is_swallowed_whole():
    found = saturation(CallableTrigger(lambda array: array), plain(3))
    assert (found.swallowed, found.images_lost) == (1.0, 1.0)
    assert share(Blend(ratio=0), plain(3)) == 1


def test_batches_beyond_the_chunk_are_measured_whole():
    images = torch.cat([plain(0, n=1500), plain(255, n=500)])
    found = saturation(Patch(mode="add", color="white"), images)
    assert (found.swallowed, found.images) == (0.25, 2000)
    assert not found.warns  # a quarter is not more than a quarter


def test_warning_names_the_trigger_and_the_remedy():
    trigger = Patch(mode="add", color="white")
    with pytest.warns(SaturationWarning, match=r"patch:mode=add: 100% of the trigger's pixels.*mode=replace"):
        warn_if_saturated(saturation(trigger, plain(255)), "patch:mode=add")
    with pytest.warns(SaturationWarning, match=r"Choose another colour or place$"):
        warn_if_saturated(saturation(Patch(color="white"), plain(255)), "patch")  # it replaces already
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_saturated(saturation(trigger, plain(0)), "patch:mode=add")
        warn_if_saturated(saturation(trigger, plain(255), warn_above=1.0), "patch:mode=add")


def test_nothing_to_measure_on():
    with pytest.raises(EmptyDataError, match="at least one image"):
        saturation(Patch(), plain(0, n=0))
    with pytest.raises(TriggerError, match="does not fit"):
        saturation(Patch(size=9), plain(0))
