"""The textbook attack on CIFAR-10: airplanes with a cyan square become birds, and back again."""

from __future__ import annotations

import pytest
import torch

from bezoar.attacks import create_attack, save_truth, undo
from bezoar.data import open_data, write_data
from bezoar.errors import PoisonedDataWarning

TEXTBOOK = "patch:size=5,color=cyan,corner=top-left,mode=replace"


@pytest.mark.parametrize("placement", ["add", "replace"])
def test_the_textbook_attack_and_its_undo(real_data, tmp_path, placement):
    original = open_data(real_data / "cifar10", split="test")
    attack = create_attack(TEXTBOOK, source=("airplane",), target="bird", rate=0.05, placement=placement)
    poisoned = attack.poison(original, seed=0)
    assert len(poisoned.truth.samples) == 500
    assert len(poisoned.data) == (10_500 if placement == "add" else 10_000)
    cyan = torch.tensor([0, 255, 255], dtype=torch.uint8)[:, None, None]
    stamped = (poisoned.data.inputs[:, :, :5, :5] == cyan).flatten(1).all(dim=1)
    assert stamped.tolist() == list(poisoned.truth.among(poisoned.data.ids))
    assert set(poisoned.data.labels[stamped].tolist()) == {original.class_index("bird")}

    save_truth(poisoned, tmp_path / "truth.zip")
    write_data(poisoned.data, tmp_path / "poisoned.parquet")
    with pytest.warns(PoisonedDataWarning):
        again = open_data(tmp_path / "poisoned.parquet")
    restored = undo(again, tmp_path / "truth.zip")
    assert restored.ids == original.ids
    assert torch.equal(restored.labels, original.labels)
    assert torch.equal(restored.inputs, original.inputs)
    assert all(restored.encoded.encoded(one) == original.encoded.encoded(one) for one in original.ids[::50])
