"""The warp against one built and read here pixel by pixel in NumPy, and its noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from bezoar.errors import TriggerError
from bezoar.triggers import TRIGGERS, Warp
from bezoar.triggers.placement import image_draws
from bezoar.triggers.warp import ShiftedSum

CUBIC = -0.75


def images(n=3, channels=3, height=17, width=23, seed=0):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cubic_weight(distance):
    distance = abs(distance)
    if distance <= 1:
        return (CUBIC + 2) * distance**3 - (CUBIC + 3) * distance**2 + 1
    return CUBIC * distance**3 - 5 * CUBIC * distance**2 + 8 * CUBIC * distance - 4 * CUBIC if distance < 2 else 0.0


def enlarged(control, height, width):
    """Bicubic enlargement of (2, k, k), the corners of both on one another."""

    def along(size, length):
        weights = np.zeros((size, length))
        for place in range(size):
            at = place * (length - 1) / (size - 1)
            for tap in range(math.floor(at) - 1, math.floor(at) + 3):
                weights[place, min(max(tap, 0), length - 1)] += cubic_weight(at - tap)
        return weights

    rows, columns = along(height, control.shape[1]), along(width, control.shape[2])
    return np.einsum("ia,cab,jb->cij", rows, control, columns)


def bilinear(picture, row, column):
    top, left = min(math.floor(row), picture.shape[0] - 2), min(math.floor(column), picture.shape[1] - 2)
    down, right = row - top, column - left
    upper = picture[top, left] * (1 - right) + picture[top, left + 1] * right
    lower = picture[top + 1, left] * (1 - right) + picture[top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def warped_by_hand(batch, *, grid, strength, grid_rescale, seed, noise=None):
    n, channels, height, width = batch.shape
    draws = torch.rand(1, 2, grid, grid, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    control = (draws.numpy()[0] - 0.5) * 2
    field = enlarged(control / np.abs(control).mean(), height, width) * strength / height
    result = np.empty(batch.shape)
    for row in range(height):
        for column in range(width):
            x = (-1 + 2 * column / (width - 1) + field[0, row, column]) * grid_rescale
            y = (-1 + 2 * row / (height - 1) + field[1, row, column]) * grid_rescale
            for image in range(n):
                at = np.clip([x, y], -1, 1)
                if noise is not None:
                    at = np.clip(at + (2 * noise[image, row, column] - 1) / height, -1, 1)
                place = (at[1] + 1) / 2 * (height - 1), (at[0] + 1) / 2 * (width - 1)
                for channel in range(channels):
                    result[image, channel, row, column] = bilinear(batch[image, channel].numpy(), *place)
    return torch.from_numpy(result)


@pytest.mark.parametrize(
    ("grid", "strength", "grid_rescale", "seed"),
    [(4, 0.5, 1.0, 0), (8, 0.75, 1.0, 3), (3, 4.0, 0.9, 5), (2, 1, 1.2, 1)],
)
def test_it_is_the_warp_of_the_paper(grid, strength, grid_rescale, seed):
    batch = images(n=2)
    trigger = Warp(grid=grid, strength=strength, grid_rescale=grid_rescale, seed=seed)
    expected = warped_by_hand(batch, grid=grid, strength=strength, grid_rescale=grid_rescale, seed=seed)
    assert torch.allclose(trigger(batch), expected, rtol=0, atol=1e-12)
    assert torch.allclose(trigger(batch.float()).double(), expected, rtol=0, atol=1e-6)


def test_noise_mode_shakes_each_place_by_a_draw_from_the_image():
    batch = images(n=2, height=12, width=12)
    noise = image_draws(batch, 12 * 12 * 2, seed=6).view(2, 12, 12, 2).numpy()
    expected = warped_by_hand(batch, grid=4, strength=0.5, grid_rescale=1.0, seed=6, noise=noise)
    assert torch.allclose(Warp(noise=1, seed=6)(batch), expected, rtol=0, atol=1e-12)


def test_a_ramp_shows_how_far_pixels_move():
    # On a ramp of one level a column, the change of a pixel is the distance it was moved, in columns.
    side = 33
    ramp = (torch.arange(side, dtype=torch.float64) / 255).expand(1, 1, side, side).contiguous()
    trigger = Warp(strength=0.5, seed=2)
    moved = (trigger(ramp) - ramp)[0, 0] * 255
    expected = (trigger.places(side, side)[..., 0] + 1) / 2 * (side - 1) - torch.arange(side)
    assert torch.allclose(moved, expected, atol=1e-12)
    inner = moved[4:-4, 4:-4].abs()
    assert 0.05 < float(inner.mean()) < 0.5
    assert float(inner.max()) < 1


def test_the_sum_of_shifts_reads_what_grid_sample_reads():
    places = Warp(strength=6, seed=8).places(20, 14)
    batch = images(height=20, width=14)
    read = grid_sample(batch, places.expand(3, -1, -1, -1), align_corners=True)
    assert torch.allclose(ShiftedSum(places, 3, torch.float64).read(batch), read, atol=1e-12)


def test_a_plain_image_stays_and_the_rim_stays_inside():
    plain = torch.full((1, 3, 16, 16), 200, dtype=torch.uint8)
    assert torch.equal(Warp(strength=3)(plain), plain)
    assert torch.equal(Warp(noise=3)(plain), plain)
    assert float(Warp(strength=50, seed=1).places(16, 16).abs().max()) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2), (96, 64)])
def test_any_size_will_do(shape):
    batch = images(height=shape[0], width=shape[1])
    assert Warp(strength=2)(batch).shape == batch.shape
    assert Warp(noise=1)(batch).isfinite().all()


def test_seeds_give_other_warps_and_the_opacity_stays():
    batch = images(channels=4)
    assert not torch.equal(Warp(seed=0)(batch), Warp(seed=1)(batch))
    assert torch.equal(Warp(strength=4)(batch)[:, 3], batch[:, 3])
    assert torch.equal(Warp(noise=4)(batch)[:, 3], batch[:, 3])
    assert torch.equal(Warp()(batch)[:, :3], Warp()(batch[:, :3]))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("grid=1", "grid is too small; expected at least 2; found 1"),
        ("strength=-1", "strength is out of range"),
        ("strength=nan", "strength is out of range"),
        ("strength=0", "a strength of 0 moves no pixel"),
        ("grid_rescale=0", "grid_rescale is out of range"),
        ("noise=-1", "noise is out of range"),
        ("seed=-1", "seed is too small"),
    ],
)
def test_bad_fields_are_refused(fields, message):
    with pytest.raises(TriggerError, match=message):
        TRIGGERS.create(f"wanet:{fields}")
