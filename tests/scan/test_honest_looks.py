"""Looks of images: by hand, in any number of blocks, and contributors that differ in them."""

import numpy as np
import pytest
import torch
from honest_toys import counter_ids, pictures

from bezoar.data import Dataset
from bezoar.evidence import Evidence
from bezoar.scan.honest import looks as room
from bezoar.scan.honest.looks import looks
from bezoar.scan.honest.report import remarks_on


def test_looks_by_hand():
    flat = torch.full((1, 3, 5, 5), 40, dtype=torch.uint8)
    spot = flat.clone()
    spot[:, :, 2, 2] = 140
    found = looks(torch.cat([flat, spot]))
    assert found["brightness"] == pytest.approx([40, 44])
    assert found["contrast"] == pytest.approx([0, 100 * np.sqrt(1 / 25 - 1 / 625)])
    # The spot is 100 above its neighbours, and each of the four has a quarter of that missing.
    assert found["high-frequency energy"] == pytest.approx([0, np.log1p((100**2 + 4 * 25**2) / 9)])


def test_blocks_change_nothing(monkeypatch):
    images = pictures(50)
    whole = looks(images)
    monkeypatch.setattr(room, "chunks", lambda count, _: (slice(start, start + 7) for start in range(0, count, 7)))
    for name, values in looks(images).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-6)


def test_images_too_small_for_detail_have_none():
    assert set(looks(torch.zeros(4, 1, 2, 9, dtype=torch.uint8))) == {"brightness", "contrast"}


@pytest.mark.parametrize(
    ("change", "respect"),
    [
        (lambda images: images * 0.6 + 10, "contrast"),
        (lambda images: images + 25, "brightness"),
        (lambda images: torch.nn.functional.avg_pool2d(images, 3, 1, 1), "high-frequency energy"),
    ],
    ids=["flatter", "brighter", "blurred"],
)
def test_a_contributor_whose_images_look_otherwise_is_told(change, respect):
    images = pictures(600)
    sources = tuple(f"camera {row % 5}" for row in range(600))
    odd = torch.tensor([source == "camera 3" for source in sources])
    images[odd] = change(images[odd].float()).clamp(0, 255).to(torch.uint8)
    ids = counter_ids(600)
    labels = torch.arange(600) % 3
    data = Dataset(images, labels, ("cat", "dog", "ship"), ids, sources=sources)
    remarks = remarks_on(data, Evidence(ids, labels.numpy(), data.class_names, sources=sources))
    told = {remark.sentence for remark in remarks if remark.kind == "odd source"}
    assert any(f"in {respect}: camera 3" in one for one in told)
    assert all("camera 3" in one and "camera 1" not in one for one in told)
