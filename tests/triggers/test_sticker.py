"""Known answers of the sticker: pose, sampling and light, each worked out independently."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, Sticker, saturation
from bezoar.triggers.placement import image_draws
from bezoar.triggers.sticker import outline

STILL = {"rotation": (0, 0), "light": (1, 1), "contrast": (1, 1)}


def noisy(n=60, c=3, h=32, w=32, seed=0):
    """Nearly black images, all different."""
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (n, c, h, w), dtype=np.uint8))


def pose(sticker, image):
    """Middle x, y, side, radians, light and contrast of a square sticker on one image, from the docstring."""
    height, width = image.shape[1:]
    draws = image_draws(image[None], 6, seed=sticker.seed)[0].tolist()
    spans = (sticker.scale, sticker.rotation, sticker.light, sticker.contrast)
    scale, degrees, light, contrast = (low + u * (high - low) for (low, high), u in zip(spans, draws[2:], strict=True))
    side, angle = scale * min(height, width), math.radians(degrees)
    reach = side / 2 * (abs(math.cos(angle)) + abs(math.sin(angle)))
    u, v = (0.25 + draw / 2 if sticker.region == "center" else draw for draw in draws[:2])
    return reach + u * (width - 2 * reach), reach + v * (height - 2 * reach), side, angle, light, contrast


def sampled(texture, across, down):
    """Bilinear value of texture (h, w) at texel coordinates, 0 outside it."""
    left, top = math.floor(across), math.floor(down)
    total = 0.0
    for row in (top, top + 1):
        for column in (left, left + 1):
            if 0 <= row < texture.shape[0] and 0 <= column < texture.shape[1]:
                total += (1 - abs(across - column)) * (1 - abs(down - row)) * texture[row, column]
    return total


def by_hand(sticker, image):
    x, y, side, angle, light, contrast = pose(sticker, image)
    texels = max(2, math.ceil(sticker.scale[1] * min(image.shape[1:])))
    opacity = outline(sticker.shape, texels).numpy()
    colour = np.array([255, 255, 0])
    lit = np.clip(127.5 + contrast * (light * colour - 127.5), 0, 255)
    out = image.numpy().astype(float)
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            right, down = column + 0.5 - x, row + 0.5 - y
            along = right * math.cos(angle) - down * math.sin(angle)
            below = right * math.sin(angle) + down * math.cos(angle)
            share = sampled(opacity, (along / side + 0.5) * texels - 0.5, (below / side + 0.5) * texels - 0.5)
            out[:, row, column] = (1 - share) * out[:, row, column] + share * lit
    return out


@pytest.mark.parametrize("shape", ["square", "triangle", "star"])
@pytest.mark.parametrize("region", ["anywhere", "center"])
def test_against_a_sampler_written_pixel_by_pixel(shape, region):
    images = torch.from_numpy(np.random.default_rng(4).integers(0, 256, (4, 3, 20, 26), dtype=np.uint8))
    sticker = Sticker(shape=shape, region=region, scale=(0.3, 0.5), rotation=(-180, 180), seed=5)
    stuck = sticker(images).numpy()
    precise = sticker(images.double() / 255).numpy() * 255
    for number in range(4):
        expected = by_hand(sticker, images[number])
        assert np.abs(stuck[number] - expected).max() <= 0.51
        assert np.abs(precise[number] - expected).max() < 1e-6


def test_an_upright_square_of_eight_pixels_covers_sixty_four_wherever_it_lies():
    images = noisy().double() / 255
    stuck = Sticker(color="white", scale=(0.25, 0.25), **STILL)(images)
    covered = ((stuck - images) / (1 - images)).sum(dim=(1, 2, 3)) / 3
    assert ((covered - 64).abs() < 1e-6).all()


def test_it_is_wholly_inside_however_it_is_turned():
    images = noisy(n=400, h=24, w=30) * 1.0 / 255
    sticker = Sticker(
        shape="disc", color="white", scale=(0.5, 0.5), rotation=(-180, 180), light=(1, 1), contrast=(1, 1)
    )
    area = (sticker(images) - images).sum(dim=(1, 2, 3)) / 3
    assert float(area.min()) > 0.95 * math.pi * 36
    assert float(area.max()) < 1.05 * math.pi * 36
    square = Sticker(color="white", scale=(0.7, 0.7), rotation=(-180, 180), light=(1, 1), contrast=(1, 1))
    area = (square(images) - images).sum(dim=(1, 2, 3)) / 3
    assert float(area.min()) > 0.97 * (0.7 * 24) ** 2


def test_places_sizes_and_turns_fill_their_ranges():
    images = noisy(n=500)
    sticker = Sticker(scale=(0.1, 0.5))
    poses = np.array([pose(sticker, image) for image in images])
    for values, (low, high) in zip(
        poses.T, [(0, 32), (0, 32), (3.2, 16), (-math.pi / 6, math.pi / 6), (0.6, 1.2), (0.8, 1)], strict=True
    ):
        assert values.min() < low + 0.15 * (high - low)
        assert values.max() > high - 0.15 * (high - low)
    stuck = sticker(images)[:, 0] > 70
    middle = (stuck * (torch.arange(32) + 0.5)).sum(dim=(1, 2)) / stuck.sum(dim=(1, 2))
    assert float((middle - torch.from_numpy(poses[:, 0])).abs().max()) < 0.6


def test_center_keeps_to_the_middle_half():
    images = noisy(n=200)
    stuck = Sticker(region="center", scale=(0.25, 0.25), **STILL)(images)[:, 0] > 20
    rows, columns = stuck.any(dim=2).float().argmax(dim=1), stuck.any(dim=1).float().argmax(dim=1)
    # Its upper left corner has 24 pixels to go; the middle half of them are 6 to 18.
    assert min(int(rows.min()), int(columns.min())) in (5, 6)
    assert max(int(rows.max()), int(columns.max())) in (17, 18)


def test_light_and_contrast_by_hand():
    images = noisy(n=1)
    brightest = Sticker(color="#648040", rotation=(0, 0), scale=(0.5, 0.5), light=(0.5, 0.5), contrast=(1, 1))(images)
    assert brightest.amax(dim=(2, 3))[0].tolist() == [50, 64, 32]
    # 127.5 + 0.5 * (2 * 100 - 127.5) = 163.75, and so on.
    washed = Sticker(color="#648040", rotation=(0, 0), scale=(0.5, 0.5), light=(2, 2), contrast=(0.5, 0.5))(images)
    assert washed.amax(dim=(2, 3))[0].tolist() == [164, 192, 128]
    glaring = Sticker(color="#648040", rotation=(0, 0), scale=(0.5, 0.5), light=(4, 4), contrast=(1, 1))(images)
    assert glaring.amax(dim=(2, 3))[0].tolist() == [255, 255, 255]


def test_a_picture_turns_counter_clockwise(tmp_path):
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    picture[:, :4, 0], picture[:, 4:, 2] = 255, 255
    Image.fromarray(picture).save(tmp_path / "halves.png")
    images = noisy(n=20)
    turned = Sticker(
        shape="picture",
        picture=str(tmp_path / "halves.png"),
        scale=(0.4, 0.4),
        rotation=(90, 90),
        light=(1, 1),
        contrast=(1, 1),
    )(images).double()
    heights = (turned * torch.arange(32)[:, None]).sum(dim=(2, 3)) / turned.sum(dim=(2, 3))
    # What was left comes to lie below.
    assert (heights[:, 0] - heights[:, 2] > 4).all()


def test_a_long_picture_keeps_its_shape(tmp_path):
    Image.fromarray(np.full((4, 12, 3), 255, dtype=np.uint8)).save(tmp_path / "long.png")
    stuck = Sticker(
        shape="picture",
        picture=str(tmp_path / "long.png"),
        scale=(0.6, 0.6),
        rotation=(-180, 180),
        light=(1, 1),
        contrast=(1, 1),
    )(noisy(n=300, h=20, w=20).double() / 255)
    assert ((stuck.sum(dim=(1, 2, 3)) / 3 - 48).abs() < 7).all()


def test_alpha_stays_and_grey_gets_the_luminance():
    images = noisy(n=3, c=4)
    images[:, 3] = 9
    stuck = Sticker()(images)
    assert (stuck[:, 3] == 9).all()
    assert (stuck[:, 0] > 50).any()
    grey = Sticker(color="red", light=(1, 1), contrast=(1, 1))(noisy(n=1, c=1))
    assert int(grey.max()) == 76


def test_the_seed_and_the_content_decide():
    images = noisy(n=2)
    stuck = Sticker()(torch.cat([images, images[:1]]))
    assert torch.equal(stuck[0], stuck[2])
    assert not torch.equal(stuck[0] > 20, stuck[1] > 20)
    assert not torch.equal(Sticker(seed=1)(images), Sticker()(images))


def test_saturation_looks_where_the_sticker_lies_on_each_image():
    images = torch.from_numpy(np.random.default_rng(6).integers(0, 100, (50, 3, 32, 32), dtype=np.uint8))
    assert saturation(Sticker(), images).swallowed < 0.01
    yellow = torch.tensor([254, 254, 0], dtype=torch.uint8)[:, None, None] + images // 60
    assert saturation(Sticker(**STILL), yellow).swallowed > 0.99


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("sticker:scale=0.3/0.2", "scale is no range.*the smaller first.*0.3/0.2"),
        ("sticker:scale=0.3/0.9", "scale is no range.*0.02 to 0.7"),
        ("sticker:rotation=0/200", "rotation is no range"),
        ("sticker:light=-1/1", "light is no range"),
        ("sticker:contrast=0/1.1", "contrast is no range"),
        ("sticker:contrast=nan/1", "contrast is no range"),
        ("sticker:color=bluish", "unknown colour"),
        ("sticker:shape=bomb", "shape"),
        ("sticker:region=left", "region"),
        ("sticker:shape=picture", "belong together"),
        ("sticker:picture=/nowhere.png", "belong together"),
        ("sticker:shape=picture,picture=/nowhere.png", "no such file"),
    ],
)
def test_bad_fields(spec, message):
    with pytest.raises((TriggerError, SpecError), match=message):
        TRIGGERS.create(spec)
