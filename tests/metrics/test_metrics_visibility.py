from __future__ import annotations

import importlib
import math

import pytest
import torch

from bezoar.errors import EmptyDataError, ShapeError
from bezoar.metrics.visibility import visibility
from bezoar.records import Skipped


def random_images(n: int, height: int = 16, width: int = 20, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=generator)


def test_one_changed_pixel_by_hand():
    clean = torch.zeros(2, 3, 20, 20, dtype=torch.uint8)
    triggered = clean.clone()
    triggered[:, 0, 19, 19] = 255
    measured = visibility(clean, triggered)
    # One value in 1200 is off by the whole peak: the mean squared error is 255^2 / 1200.
    assert measured.psnr == pytest.approx(10 * math.log10(1200))
    assert measured.pixels_changed == 1 / 400
    assert measured.images == 2


def test_psnr_is_a_mean_over_images_and_not_of_pooled_errors():
    clean = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
    triggered = torch.stack([torch.full((1, 16, 16), 1), torch.full((1, 16, 16), 10)]).to(torch.uint8)
    # 48.13 dB for an error of 1 everywhere, 28.13 for 10.
    assert visibility(clean, triggered).psnr == pytest.approx((48.1308 + 28.1308) / 2, abs=1e-4)


def test_ssim_of_two_plain_grounds_by_hand():
    clean = torch.full((1, 1, 16, 16), 100, dtype=torch.uint8)
    triggered = torch.full((1, 1, 16, 16), 150, dtype=torch.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert visibility(clean, triggered).ssim == pytest.approx(expected, abs=1e-9)


def test_identical_images_have_no_psnr_and_never_an_infinite_one():
    measured = visibility(random_images(3), random_images(3))
    assert isinstance(measured.psnr, Skipped)
    assert "identical" in measured.psnr.reason
    assert (measured.ssim, measured.pixels_changed) == (pytest.approx(1.0), 0.0)


def test_one_swallowed_trigger_does_not_spoil_the_mean():
    clean = random_images(3)
    triggered = clean.clone()
    triggered[1:, :, :3, :3] ^= 255
    assert visibility(clean, triggered).psnr == pytest.approx(visibility(clean[1:], triggered[1:]).psnr)
    assert visibility(clean, triggered).pixels_changed == pytest.approx(2 / 3 * 9 / 320)


def test_uint8_differences_do_not_wrap():
    dark, bright = torch.zeros(1, 3, 12, 12, dtype=torch.uint8), torch.full((1, 3, 12, 12), 255, dtype=torch.uint8)
    assert visibility(dark, bright).psnr == visibility(bright, dark).psnr == 0.0


@pytest.mark.parametrize(("height", "width", "measured"), [(10, 40, False), (40, 10, False), (11, 11, True)])
def test_images_smaller_than_the_window_have_no_ssim(height, width, measured):
    clean = random_images(2, height, width)
    result = visibility(clean, 255 - clean)
    assert isinstance(result.ssim, float) == measured
    if not measured:
        assert result.ssim == Skipped(f"images of {height}x{width} are smaller than the 11x11 window of SSIM")


def test_the_size_of_a_batch_does_not_matter(monkeypatch):
    clean = random_images(7)
    triggered = clean.clone()
    triggered[:, :, :5, :5] = 255
    whole = visibility(clean, triggered)
    monkeypatch.setattr(importlib.import_module("bezoar.metrics.visibility"), "BATCH_VALUES", 2 * 3 * 16 * 20)
    batched = visibility(clean, triggered)
    assert (batched.psnr, batched.ssim) == (pytest.approx(whole.psnr), pytest.approx(whole.ssim))
    assert (batched.pixels_changed, batched.images) == (whole.pixels_changed, 7)


def test_channels_last_grey_and_untouched_input():
    clean = random_images(4).contiguous(memory_format=torch.channels_last)
    triggered = (255 - clean).contiguous(memory_format=torch.channels_last)
    before = clean.clone()
    rows, last = visibility(clean.contiguous(), triggered.contiguous()), visibility(clean, triggered)
    assert (last.psnr, last.ssim) == (pytest.approx(rows.psnr), pytest.approx(rows.ssim))
    assert torch.equal(clean, before)
    assert visibility(clean[:, :1], triggered[:, :1]).pixels_changed == 1.0


def test_images_that_do_not_fit_get_a_clear_error():
    images = random_images(2)
    with pytest.raises(
        ShapeError, match=r"triggered images must be uint8 of shape \(n, c, h, w\); found torch.float32"
    ):
        visibility(images, images / 255)
    with pytest.raises(ShapeError, match=r"clean images must be uint8.*found torch.uint8 \(3, 16, 20\)"):
        visibility(images[0], images[0])
    with pytest.raises(ShapeError, match="differ in shape"):
        visibility(images, images[:1])
    with pytest.raises(EmptyDataError, match="no images to compare"):
        visibility(images[:0], images[:0])
