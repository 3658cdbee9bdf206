"""Our triggers against the perturbation functions of ART 1.20.1, the real package, run unchanged."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.triggers import TRIGGERS, CallableTrigger, Checkerboard, ImageInsert, SinglePixel

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.attacks.poisoning import PoisoningAttackBackdoor
    from art.attacks.poisoning.perturbations import add_pattern_bd, add_single_bd, insert_image

ART = "art.attacks.poisoning.perturbations"
QUANTISING = 2 / 255  # ART goes through 8-bit pictures twice


def arrays(n=5, c=3, h=20, w=24):
    return np.random.default_rng(c).integers(0, 256, (n, h, w, c), dtype=np.uint8)


def nchw(array):
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def nhwc(batch):
    return batch.permute(0, 2, 3, 1).numpy()


@pytest.fixture
def picture(tmp_path):
    def save(mode="RGBA", height=6, width=9):
        depth = {"RGBA": 4, "RGB": 3, "L": 1, "LA": 2}[mode]
        values = np.random.default_rng(depth).integers(0, 256, (height, width, depth), dtype=np.uint8)
        path = tmp_path / f"{mode}.png"
        Image.fromarray(values[..., 0] if depth == 1 else values).save(path)
        return str(path)

    return save


@pytest.mark.parametrize("distance", [1, 2, 7, 18])
@pytest.mark.parametrize("value", [0, 1, 200, 255])
@pytest.mark.parametrize(("kind", "peer"), [(SinglePixel, add_single_bd), (Checkerboard, add_pattern_bd)])
def test_pixel_and_checkerboard_are_exactly_arts(kind, peer, distance, value):
    array = arrays()
    assert np.array_equal(nhwc(kind(distance, value)(nchw(array))), peer(array, distance=distance, pixel_value=value))
    floats = (array / 255).astype(np.float32)
    expected = peer(floats, distance=distance, pixel_value=np.float32(value) / np.float32(255))
    assert np.array_equal(nhwc(kind(distance, value)(nchw(floats))), expected)


@pytest.mark.parametrize(
    "fields",
    [
        {"x_shift": 3, "y_shift": 5},
        {"x_shift": 15, "y_shift": 14, "blend": 1.0},
        {"blend": 0.3},
        {"size": (13, 8), "x_shift": 2, "blend": 1.0},
        {"size": (3, 5), "y_shift": 17, "blend": 0.6},
        {"size": (20, 24)},
    ],
)
@pytest.mark.parametrize("form", ["RGBA", "RGB", "L", "LA"])
@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1)])
def test_insert_is_arts_within_its_quantising(picture, fields, form, mode, channels):
    path = picture(form)
    floats = (arrays(c=channels) / 255).astype(np.float32)
    ours = nhwc(ImageInsert(path, mode=mode, **fields)(nchw(floats)))
    theirs = insert_image(floats.copy(), backdoor_path=path, random=False, mode=mode, **({"blend": 0.8} | fields))
    height, width = fields.get("size", (6, 9))
    inside = np.zeros(floats.shape, bool)
    inside[:, fields.get("y_shift", 0) :, fields.get("x_shift", 0) :][:, :height, :width] = True
    assert np.abs(ours - theirs)[inside].max() <= QUANTISING
    assert np.array_equal(ours[~inside], floats[~inside])
    assert np.abs(ours - floats)[inside].max() > 0.1  # the comparison is of something


def test_insert_at_a_random_place_is_arts_at_that_place(picture):
    path = picture("RGB")
    floats = (arrays(n=30) / 255).astype(np.float32)
    ours = nhwc(ImageInsert(path, random=True, seed=8, blend=1.0)(nchw(floats)))
    for image, original in zip(ours, floats, strict=True):
        rows, columns = np.nonzero((image != original).any(axis=-1))
        theirs = insert_image(
            original[None].copy(),
            backdoor_path=path,
            random=False,
            mode="RGB",
            blend=1.0,
            x_shift=int(columns.min()),
            y_shift=int(rows.min()),
        )
        assert np.abs(image - theirs[0]).max() <= QUANTISING


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "peer",
    [
        add_single_bd,
        add_pattern_bd,
        functools.partial(add_single_bd, distance=5, pixel_value=0.5),
        functools.partial(add_pattern_bd, distance=3),
    ],
)
def test_perturbations_run_unchanged(peer, channels):
    array = arrays(c=channels)
    floats = (array / 255).astype(np.float32)
    expected = peer(floats.copy())
    trigger = CallableTrigger(peer)
    assert np.array_equal(nhwc(trigger(nchw(floats))), expected)
    assert np.array_equal(nhwc(trigger(nchw(array))), np.round(expected * 255).astype(np.uint8))
    assert torch.equal(TRIGGERS.create(TRIGGERS.spec_of(trigger))(nchw(array)), trigger(nchw(array)))


def test_perturbations_run_on_uint8_when_asked():
    array = arrays()
    trigger = TRIGGERS.create(f"callable:function={ART}.add_pattern_bd,arguments=pixel_value=255,pixels=uint8")
    assert np.array_equal(nhwc(trigger(nchw(array))), add_pattern_bd(array, pixel_value=255))
    assert np.array_equal(nhwc(trigger(nchw(array))), nhwc(Checkerboard()(nchw(array))))


@pytest.mark.parametrize("random", [False, True])
def test_insert_image_runs_unchanged_and_reproducibly(picture, random):
    path = picture()
    array = arrays()
    peer = functools.partial(insert_image, backdoor_path=path, size=(4, 7), mode="RGB", blend=0.6, random=random)
    trigger = CallableTrigger(peer, seed=3)
    before = np.random.get_state()[1].copy()
    first, second = trigger(nchw(array)), trigger(nchw(array))
    assert torch.equal(first, second)
    assert np.array_equal(np.random.get_state()[1], before)  # the global generator is put back
    assert TRIGGERS.create(TRIGGERS.spec_of(trigger)) == trigger
    np.random.seed(3)
    expected = peer((array / 255).astype(np.float32))
    assert np.array_equal(nhwc(first), np.round(expected * 255).astype(np.uint8))


def test_the_perturbation_of_an_art_attack():
    attack = PoisoningAttackBackdoor(functools.partial(add_pattern_bd, distance=4))
    floats = (arrays() / 255).astype(np.float32)
    expected, _ = attack.poison(floats.copy(), y=np.eye(5))
    assert np.array_equal(nhwc(CallableTrigger(attack.perturbation)(nchw(floats))), expected)
    assert np.array_equal(nhwc(CallableTrigger(lambda x: attack.poison(x, y=np.eye(5))[0])(nchw(floats))), expected)
    assert np.array_equal(nhwc(Checkerboard(distance=4)(nchw(floats))), expected)
