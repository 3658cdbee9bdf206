import math

import numpy as np
import pytest
import torch
from confirm_toys import textures
from scipy.fft import dctn

from bezoar.confirm.recover import pattern as room
from bezoar.confirm.recover.pattern import amplified, recover_pattern, strength
from bezoar.confirm.recover.recovered import Recovered

SIDE = 16


def waves(channels):
    """A pattern of fine waves, up to 20 levels."""
    columns = torch.sin(2 * torch.pi * torch.arange(SIDE) * 6 / SIDE + 0.3)
    return (20 * columns).expand(channels, SIDE, SIDE)


def picture(channels):
    return torch.rand(channels, SIDE, SIDE, generator=torch.Generator().manual_seed(7)) * 255


def as_images(floats):
    return floats.round().clamp(0, 255).to(torch.uint8)


def by_kind(found):
    return {one.kind: one for one in found}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_added_pattern_comes_back_within_three_levels(channels):
    images = textures(400, channels=channels, seed=1)
    suspects = as_images(images.float() + waves(channels))
    suspects[:40] = images[:40]
    found = by_kind(recover_pattern(suspects, textures(1000, channels=channels, seed=2)))["additive"]
    grey = torch.full((1, channels, SIDE, SIDE), 128, dtype=torch.uint8)
    put_on = found(grey)[0].float() - 128
    # A tenth of the suspects is innocent: nine tenths of the pattern are left.
    assert float((put_on - 0.9 * waves(channels)).abs().mean()) < 1.5
    assert float((put_on - 0.9 * waves(channels)).abs().max()) < 6


def test_a_blend_comes_back_with_its_ratio():
    images = textures(400, seed=1)
    suspects = as_images(0.8 * images.float() + 0.2 * picture(3))
    suspects[:40] = images[:40]
    found = by_kind(recover_pattern(suspects, textures(1000, seed=2)))["blend"]
    clean = textures(50, seed=3)
    expected = 0.8 * clean.float() + 0.2 * picture(3)
    assert float((found(clean).float() - expected).abs().mean()) < 4
    assert found.description.startswith("a picture blended in with a ratio of about 0.1")
    assert float(found.picture.float().std()) > 50


def test_what_is_taken_off_again_leaves_what_was_there():
    images = textures(400, seed=1).clamp(40, 215)
    triggered = 0.8 * images.float() + 0.2 * picture(3)
    found = by_kind(recover_pattern(as_images(triggered), textures(1000, seed=2).clamp(40, 215)))
    clean = textures(50, seed=3).clamp(60, 195)
    again = found["blend"].taken_off(found["blend"](clean))
    # Half a level of rounding, enlarged by 1 / 0.8, and that of the result.
    assert int((again.int() - clean.int()).abs().max()) <= 1
    added = found["additive"]
    assert int((added.taken_off(added(clean)).int() - clean.int()).abs().max()) <= 1


def test_innocent_samples_yield_next_to_nothing():
    found = recover_pattern(textures(400, seed=1), textures(1000, seed=2))
    grey = torch.full((1, 3, SIDE, SIDE), 128, dtype=torch.uint8)
    # At 4 standard errors of 768 coefficients hardly one passes by chance: 0.05 are expected.
    assert all(float((one(grey).float() - 128).abs().max()) <= 3 for one in found)


def test_copies_of_one_picture_are_no_pattern():
    copies = textures(1, seed=4).expand(60, -1, -1, -1).float() + torch.randn(60, 3, SIDE, SIDE)
    assert recover_pattern(as_images(copies), textures(1000, seed=2)) == ()


def test_too_few_suspects():
    assert recover_pattern(as_images(textures(11, seed=1).float() + waves(3)), textures(1000, seed=2)) == ()


def test_constant_pixels_leave_everything_finite():
    ordinary, suspects = textures(200, seed=2), textures(60, seed=1)
    ordinary[:, :, 8:], suspects[:, :, 8:] = 0, 0
    suspects = as_images(suspects.float() + waves(3))
    for one in recover_pattern(suspects, ordinary):
        assert torch.isfinite(one.change(ordinary[:5].float())).all()
    assert recover_pattern(torch.zeros_like(suspects), torch.zeros_like(ordinary)) == ()


def test_spectra_are_those_of_scipy_whatever_comes_at_a_time(monkeypatch):
    images = textures(31, seed=5)
    whole = room.spectra(images)
    monkeypatch.setattr(room, "VALUES_AT_A_TIME", 7 * 3 * SIDE * SIDE)
    parts = room.spectra(images)
    spectra = dctn(images.numpy().astype(np.float64), axes=(2, 3), norm="ortho")
    for got in (whole, parts):
        np.testing.assert_allclose(got.mean, spectra.mean(0), atol=1e-2)
        np.testing.assert_allclose(got.variance, spectra.var(0), rtol=1e-3, atol=1e-2)
        assert got.count == 31


def test_an_amplified_pattern_is_so_many_times_as_strong_and_keeps_what_suspects_bear():
    pattern = room._added(np.full((3, 8, 8), 2.0, dtype=np.float32))
    images = torch.full((2, 3, 8, 8), 100.0)
    thrice = amplified(pattern, 3)
    assert torch.allclose(thrice.change(images) - 100, 3 * (pattern.change(images) - 100), atol=1e-4)
    assert thrice.borne is pattern
    assert strength(thrice) == pytest.approx(3 * strength(pattern))
    assert f"up to {strength(thrice):.0f} levels" in thrice.description
    other = Recovered("warp", "made up", lambda images: images, torch.zeros(3, 8, 8, dtype=torch.uint8))
    assert amplified(other, 2) is None
    assert strength(other) == math.inf
