"""Known answers of the watermark."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.errors import SpecError, TriggerError
from bezoar.triggers import TRIGGERS, Watermark
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.watermark import MARKS


def plain(level, n=1, c=3, h=32, w=32):
    return torch.full((n, c, h, w), level, dtype=torch.uint8)


@pytest.fixture
def wide(tmp_path):
    """Red, 8 wide and 4 high, its right half transparent."""
    picture = np.zeros((4, 8, 4), dtype=np.uint8)
    picture[..., 0], picture[:, :4, 3] = 200, 255
    path = tmp_path / "wide.png"
    Image.fromarray(picture).save(path)
    return str(path)


def test_mixes_the_colour_in():
    # The shield's rim covers this pixel whole: 0.75 * 100 + 0.25 * 255 = 138.75.
    marked = Watermark(shape="shield", opacity=0.25, size=1)(plain(100, h=100, w=100))
    assert marked[0, :, 8, 50].tolist() == [139, 139, 139]
    # Outside the rim, and between rim and letters, nothing changes.
    assert marked[0, :, 1, 1].tolist() == [100, 100, 100]
    assert marked[0, :, 16, 50].tolist() == [100, 100, 100]
    coloured = Watermark(shape="shield", color="#ff0080", opacity=1, size=1)(plain(100, h=100, w=100))
    assert coloured[0, :, 8, 50].tolist() == [255, 0, 128]


@pytest.mark.parametrize("shape", MARKS)
def test_the_whole_image_against_the_formula(shape):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 24, 20), dtype=np.uint8))
    weight = np.zeros((24, 20))
    weight[3:21, 1:19] = 0.4 * MARKS[shape](Canvas(18)).numpy()
    expected = np.rint((1 - weight) * images.numpy() + weight * np.array([0, 0, 255])[:, None, None])
    marked = Watermark(shape=shape, color="blue", opacity=0.4, size=0.9)(images).numpy()
    assert np.abs(marked - expected).max() <= 1
    assert (marked == expected).mean() > 0.999


@pytest.mark.parametrize("shape", MARKS)
def test_marks_are_drawn_alike_at_every_size(shape):
    fine, coarse = MARKS[shape](Canvas(64)), MARKS[shape](Canvas(32))
    halved = torch.nn.functional.avg_pool2d(fine[None], 2)[0]
    assert float((halved - coarse).abs().mean()) < 0.02
    assert 0.15 < float(coarse.mean()) < 0.6
    assert ((coarse > 0.02) & (coarse < 0.98)).any()


@pytest.mark.parametrize(
    ("corner", "rows", "columns"),
    [
        ("center", (10, 30), (20, 40)),
        ("top-left", (0, 20), (0, 20)),
        ("top-right", (0, 20), (40, 60)),
        ("bottom-left", (20, 40), (0, 20)),
        ("bottom-right", (20, 40), (40, 60)),
    ],
)
def test_stands_in_its_corner(corner, rows, columns):
    changed = (Watermark(shape="shield", size=0.5, corner=corner)(plain(0, h=40, w=60)) > 0).any(dim=1)[0].nonzero()
    (top, left), (bottom, right) = changed.amin(dim=0).tolist(), changed.amax(dim=0).tolist()
    assert rows[0] <= top <= rows[0] + 2
    assert rows[1] - 3 <= bottom < rows[1]
    assert columns[0] <= left <= columns[0] + 2
    assert columns[1] - 3 <= right < columns[1]


def test_a_picture_keeps_its_shape_and_transparency(wide):
    marked = Watermark(picture=wide, size=0.5, opacity=0.5)(plain(100, h=16, w=16))
    assert marked[0, :, 7, 5].tolist() == [150, 50, 50]
    changed = (marked != 100).any(dim=1)[0].nonzero()
    assert changed.amin(dim=0).tolist() == [6, 4]
    assert changed.amax(dim=0).tolist() == [9, 7]


def test_alpha_stays_and_grey_gets_the_luminance():
    images = plain(100, c=4)
    images[:, 3] = 60
    marked = Watermark(opacity=1)(images)
    assert torch.equal(marked[:, 3], images[:, 3])
    assert torch.equal(marked[:, :3], Watermark(opacity=1)(images[:, :3]))
    assert int(Watermark(color="red", opacity=1)(plain(0, c=1)).max()) == 76  # 0.299 * 255
    assert torch.equal(Watermark()(plain(0, c=5))[0, 4], Watermark()(plain(0, c=1))[0, 0])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("watermark:opacity=1.5", "opacity is out of range"),
        ("watermark:size=0", "size is out of range"),
        ("watermark:size=nan", "size is out of range"),
        ("watermark:color=bluish", "unknown colour"),
        ("watermark:picture=/nowhere.png", "no such file"),
        ("watermark:picture=/nowhere.png,shape=shield", "shape and colours of its own"),
        ("watermark:shape=pear", "shape"),
        ("watermark:corner=left", "corner"),
    ],
)
def test_bad_fields(spec, message):
    with pytest.raises((TriggerError, SpecError), match=message):
        TRIGGERS.create(spec)


def test_a_coloured_mark_does_not_fit_five_channels():
    with pytest.raises(TriggerError, match="does not fit the images' channels"):
        Watermark(color="red")(plain(0, c=5))
