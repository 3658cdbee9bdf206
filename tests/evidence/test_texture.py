from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bezoar.data.dataset import Dataset
from bezoar.evidence.samples.texture import CLIP, TEXTURE, detail, differences, remainders


def pictures(count: int = 30, channels: int = 3, height: int = 16, width: int = 16, seed: int = 0) -> Dataset:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)
    return Dataset(inputs, torch.arange(count) % 2, ("a", "b"), tuple(f"{number:03d}" for number in range(count)))


def gathered(data: Dataset) -> np.ndarray:
    rows = np.full((len(data), TEXTURE.width(data)), np.nan, np.float32)
    for turn, block in TEXTURE.blocks(data):
        rows[turn] = block
    assert np.isfinite(rows).all()
    return rows


def test_differences_by_hand():
    image = torch.tensor([[[[0.0, 1.0, 20.0], [0.0, 1.0, 1.0]]]])
    found = differences(image)[0]
    across, down = found[:17], found[17:]
    # Across: 1, 19, 1, 0. Down: 0, 0, -19.
    assert {number - 8: share for number, share in enumerate(across.tolist()) if share} == {0: 0.25, 1: 0.5, 8: 0.25}
    np.testing.assert_allclose(down[[0, 8]], [1 / 3, 2 / 3], rtol=1e-6)


def test_remainders_by_hand():
    found = remainders(torch.tensor([[[[0.0, 3.0], [4.0, 13.0]]]]))[0]
    assert found[:2].tolist() == [0.5, 0.5]
    assert found[2:6].tolist() == [0.5, 0.25, 0.0, 0.25]
    assert found[6:].tolist() == [0.25, 0, 0, 0.25, 0.25, 0.25, 0, 0]


def test_detail_tells_where_and_not_how_bright():
    images = torch.full((1, 3, 14, 14), 100.0)
    images[0, :, 3, 3] = 180.0
    found = detail(images).view(12, 12)
    assert torch.equal((found == found.max()).nonzero(), torch.tensor([[2, 2]]))
    assert torch.equal(detail(images + 30).view(12, 12), found)


def test_quantised_images_stand_out():
    data = pictures(60)
    quantised = data.inputs.clone()
    quantised[:6] = quantised[:6] // 8 * 8
    rows = gathered(replace(data, inputs=quantised))
    columns = rows.shape[1] - 42
    assert np.abs(rows[:6, columns:]).mean() > 2 * np.abs(rows[6:, columns:]).mean()


def test_columns_are_of_one_scale_for_any_kind_of_picture():
    for data in (pictures(), pictures(channels=1), pictures(channels=4), pictures(height=40, width=6)):
        rows = gathered(data)
        assert np.abs(rows).max() <= CLIP
        assert rows.shape == (len(data), TEXTURE.width(data))
    assert TEXTURE.width(pictures(height=32, width=32)) == 225 + 3 * (34 + 14)
    assert not TEXTURE.applies(pictures(height=3))


def test_the_order_of_rows_does_not_matter(monkeypatch):
    monkeypatch.setattr("bezoar.evidence.samples.texture.SCALE_SAMPLE", 8)
    data = pictures()
    order = np.random.default_rng(0).permutation(len(data))
    np.testing.assert_array_equal(gathered(data.select(order.tolist())), gathered(data)[order])
