from __future__ import annotations

import hashlib

import numpy as np
import torch
from PIL import Image

from bezoar.data import open_data, write_folder, write_npz


def test_cifar10_as_it_lies(real_data, tmp_path):
    data = open_data(real_data / "cifar10", split="test")
    assert data.shape == (3, 32, 32)
    assert data.class_counts == (1000,) * 10
    assert data.class_names[:3] == ("airplane", "automobile", "bird")
    assert data.name == "cifar10/test"
    sample_id = data.ids[4321]
    short, _, path = sample_id.partition(":")
    suffix, content = data.encoded.encoded(sample_id)
    assert suffix == ".jpg"
    assert hashlib.sha256(content).hexdigest()[:16] == short
    # The path, which the reader does not use for the label, names the class as well.
    assert path.split("/")[0] == data.class_names[int(data.labels[4321])]
    (tmp_path / "x.jpg").write_bytes(content)
    np.testing.assert_array_equal(
        data.inputs[4321].permute(1, 2, 0).numpy(), np.asarray(Image.open(tmp_path / "x.jpg"))
    )

    part = data.select(range(0, 10_000, 50))
    write_folder(part, tmp_path / "folder")
    again = open_data(tmp_path / "folder")
    assert again.digest() == part.digest()
    assert torch.equal(again.inputs, part.inputs)
    write_npz(again, tmp_path / "set.npz")
    assert open_data(tmp_path / "set.npz").digest() == part.digest()
