"""Saturation on real CIFAR-10 airplanes, the case the textbook reports."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bezoar.triggers import TRIGGERS, saturation

AIRPLANE = 0


@pytest.fixture(scope="module")
def airplanes(real_data):
    parquet = pytest.importorskip("pyarrow.parquet")
    (path,) = (real_data / "cifar10").glob("test-*.parquet")
    table = parquet.read_table(path)
    images, labels = (table.column(index).to_pylist() for index in range(2))
    chosen = [image["bytes"] for image, label in zip(images, labels, strict=True) if label == AIRPLANE]
    array = np.stack([np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in chosen])
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def test_adding_cyan_to_airplanes_is_swallowed_and_replacing_is_not(airplanes):
    assert len(airplanes) == 1000
    added = saturation(TRIGGERS.create("patch:mode=add"), airplanes)
    replaced = saturation(TRIGGERS.create("patch:mode=replace"), airplanes)
    print(added, replaced)
    assert added.swallowed > 0.6
    assert added.warns
    assert replaced.swallowed < 0.03
    assert not replaced.warns
