"""Known answers of the reflection: its three kernels, its scenes and its draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, Reflection
from bezoar.triggers.reflection import PictureScene, blurred
from bezoar.triggers.scenes import SCENES


def save(path, array):
    Image.fromarray(np.asarray(array, dtype=np.uint8)).save(path)
    return str(path)


@pytest.fixture
def flat(tmp_path):
    return save(tmp_path / "flat.png", np.full((10, 14, 3), (100, 40, 200)))


@pytest.fixture
def dot(tmp_path):
    """One white pixel in the middle of 99, black around."""
    picture = np.zeros((99, 99, 3))
    picture[49, 49] = 255
    return save(tmp_path / "dot.png", picture)


def noisy(n=300, c=3, h=16, w=16):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 3, (n, c, h, w), dtype=np.uint8))


@pytest.mark.parametrize("model", ["in-focus", "out-of-focus", "ghost", "mixed"])
def test_a_flat_scene_brightens_evenly_under_every_kernel(model, flat):
    images = torch.full((4, 3, 12, 9), 60, dtype=torch.uint8)
    reflected = Reflection(model=model, pictures=flat, strength=(0.5, 0.5))(images)
    assert (reflected == torch.tensor([110, 80, 160], dtype=torch.uint8)[:, None, None]).all()
    images += 140
    reflected = Reflection(model=model, pictures=flat, strength=(0.5, 0.5))(images)
    assert (reflected == torch.tensor([250, 220, 255], dtype=torch.uint8)[:, None, None]).all()


def test_in_focus_is_the_scene_itself(tmp_path):
    # 32 pixels and a margin of 6 on each side: 44, at which the picture is taken as it is.
    levels = np.random.default_rng(2).integers(0, 256, (44, 44, 3))
    reflection = Reflection(model="in-focus", pictures=save(tmp_path / "scene.png", levels), strength=(0.3, 0.3))
    images = np.random.default_rng(3).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    expected = np.clip(images + 0.3 * levels.transpose(2, 0, 1)[:, 6:38, 6:38], 0, 255)
    reflected = reflection(torch.from_numpy(images)).numpy()
    assert np.abs(reflected - expected).max() <= 0.501
    precise = reflection(torch.from_numpy(images / 255)).numpy()
    assert np.allclose(precise, expected / 255, atol=1e-6)


def test_out_of_focus_is_a_gaussian():
    scene = torch.from_numpy(np.random.default_rng(1).uniform(0, 255, (3, 40, 40)))
    expected = np.stack([gaussian_filter(channel.numpy(), 1.5, truncate=10 / 3, radius=5) for channel in scene])
    assert np.allclose(blurred(scene, 1.5).numpy(), expected[:, 5:-5, 5:-5])
    impulse = torch.zeros(3, 31, 31, dtype=torch.float64)
    impulse[:, 15, 15] = 1
    kernel = blurred(impulse, 2.0)[0]
    assert float(kernel.sum()) == pytest.approx(1)
    places = torch.arange(-9, 10)
    assert float((kernel.sum(dim=0) * places**2).sum()) == pytest.approx(4, rel=0.1)


def test_the_blur_lies_in_its_range(dot):
    reflection = Reflection(model="out-of-focus", pictures=dot, blur=(0.04, 0.04))
    seen = reflection.reflection(0, 60, 60)[0]
    rows = torch.arange(60).double()
    middle = float((seen.sum(dim=1) * rows).sum() / seen.sum())
    spread = math.sqrt(float((seen.sum(dim=1) * (rows - middle) ** 2).sum() / seen.sum()))
    assert spread == pytest.approx(0.04 * 60, rel=0.15)


@pytest.mark.parametrize("seed", range(6))
def test_a_ghost_is_two_images_at_a_distance(seed, dot):
    reflection = Reflection(model="ghost", pictures=dot, shift=(0.2, 0.49), seed=seed)
    side = 63  # with a margin of ceil(0.49 * 63) + 1 = 32 on each side
    seen = reflection.reflection(0, side, side)[0]
    scene = reflection.scenes[0](side + 64)[0]
    first = scene[32 : 32 + side, 32 : 32 + side]
    best = None
    for down in range(-31, 32):
        for right in range(-31, 32):
            if round(0.2 * side) - 1 <= math.hypot(down, right) <= 32:
                second = scene[32 - down : 32 - down + side, 32 - right : 32 - right + side]
                alpha = float(seen[31 + down, 31 + right] / scene[63, 63])
                error = float((seen - (1 - alpha) * first - alpha * second).abs().max())
                best = min(best or (error, alpha), (error, alpha))
    assert best[0] < 1e-6
    assert 0.15 <= best[1] <= 0.35


def test_every_scene_in_every_model_comes_up():
    images = noisy(n=600)
    reflection = Reflection(strength=(0.3, 0.3))
    change = (reflection(images.double() / 255) - images.double() / 255) * 255
    expected = torch.stack([0.3 * reflection.reflection(number, 16, 16) for number in range(3 * len(SCENES))])
    distances = torch.cdist(change.flatten(1), expected.flatten(1))
    assert float(distances.amin(dim=1).max()) < 1e-3
    counts = torch.bincount(distances.argmin(dim=1), minlength=18)
    assert int(counts.min()) > 10
    assert int(counts.max()) < 70


def test_strength_fills_its_range(flat):
    images = noisy(n=400).double() / 255
    change = Reflection(pictures=flat, strength=(0.1, 0.6))(images) - images
    strengths = change[:, 0, 0, 0] * 255 / 100
    assert 0.1 <= float(strengths.min()) < 0.12
    assert 0.58 < float(strengths.max()) <= 0.6
    assert float(strengths.mean()) == pytest.approx(0.35, abs=0.03)


def test_a_folder_of_pictures_by_name(tmp_path):
    for name, level in (("b.PNG", 50), ("a.jpg", 150), ("c.bmp", 250)):
        save(tmp_path / name, np.full((9, 9, 3), level))
    (tmp_path / "notes.txt").write_text("no picture")
    reflection = Reflection(model="in-focus", pictures=str(tmp_path), strength=(1, 1))
    levels = [round(float(reflection.reflection(number, 5, 5).mean())) for number in range(3)]
    assert levels == [150, 50, 250]
    assert set(reflection(noisy() // 2)[:, 0].flatten(1).amax(dim=1).tolist()) <= {150, 151, 50, 51, 250, 251}


def test_a_picture_is_cut_to_the_image_and_lets_light_through(tmp_path):
    picture = np.zeros((10, 30, 4))
    picture[:, 10:20], picture[:, :10, 0] = (90, 90, 90, 255), 255
    path = save(tmp_path / "wide.png", picture)
    seen = Reflection(model="in-focus", pictures=path, blur=(0.001, 0.001), shift=(0.001, 0.001)).reflection(0, 20, 20)
    assert seen.shape == (3, 20, 20)
    assert seen[:, 10, 10].tolist() == [90, 90, 90]
    scene = PictureScene(Reflection(pictures=path).scenes[0].picture)
    assert float(scene.picture.resized(10, 30)[0][0, 5, 2]) == 255
    assert float(scene(10).min()) >= 0


def test_large_pictures_are_kept_smaller(tmp_path):
    path = save(tmp_path / "large.png", np.zeros((300, 1024, 3)))
    assert Reflection(pictures=path).scenes[0].picture.size == (150, 512)


def test_alpha_stays_and_grey_gets_the_luminance(flat):
    images = noisy(n=5, c=4)
    images[:, 3] = 77
    reflected = Reflection()(images)
    assert (reflected[:, 3] == 77).all()
    assert (reflected[:, :3] > images[:, :3]).any()
    grey = Reflection(pictures=flat, strength=(1, 1))(torch.zeros(1, 1, 8, 8, dtype=torch.uint8))
    assert (grey == 76).all()  # 0.299 * 100 + 0.587 * 40 + 0.114 * 200


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("reflection:strength=0.4/0.2", "strength is no range"),
        ("reflection:strength=0/0.2", "strength is no range"),
        ("reflection:blur=0/0.1", "blur is no range"),
        ("reflection:shift=0.1/0.9", "shift is no range"),
        ("reflection:model=mirror", "model"),
        ("reflection:pictures=/nowhere", "no such file"),
    ],
)
def test_bad_fields(spec, message):
    with pytest.raises((TriggerError, SpecError), match=message):
        TRIGGERS.create(spec)


def test_a_folder_without_pictures(tmp_path):
    with pytest.raises(TriggerError, match="no picture in"):
        Reflection(pictures=str(tmp_path))
