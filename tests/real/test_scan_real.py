"""Quick scans of CIFAR-10: honest marks are told and let pass, poisons are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bezoar.attacks import create_attack
from bezoar.data import Dataset, open_data
from bezoar.scan import ScanSettings, scan

QUICK = ScanSettings(budget="quick", device="cpu")
STAMP = torch.tensor([[1, 0, 1, 1, 0], [0, 1, 0, 1, 1], [1, 1, 0, 0, 1], [1, 0, 1, 1, 1]], dtype=torch.bool)


@pytest.fixture(scope="module")
def pictures(real_data: Path) -> Dataset:
    return open_data(real_data / "cifar10", split="test")


def stamped(data: Dataset, classes: list[int], share: float) -> Dataset:
    """The data with a stamp of a few light pixels on so many samples of some classes."""
    images, generator = data.inputs.clone(), np.random.default_rng(5)
    for label in classes:
        rows = np.flatnonzero(data.labels.numpy() == label)
        for row in generator.choice(rows, round(share * len(rows)), replace=False):
            images[row, :, 26:30, 25:30][:, STAMP] = 240
    return replace(data, inputs=images)


@pytest.mark.slow
def test_an_honest_stamp_on_three_classes_is_told_and_no_finding(pictures: Dataset) -> None:
    record = scan(stamped(pictures, [1, 4, 5], 0.2), QUICK)
    assert record.verdict == "no evidence"
    assert {one.class_name for one in record.signals if one.fired} == {"automobile", "deer", "dog"}
    assert "shows what its label says" in record.reason


@pytest.mark.slow
def test_a_stamp_under_wrong_labels_is_suspicious(pictures: Dataset) -> None:
    attack = create_attack("patch:size=3,color=yellow,corner=top-left", target="frog", rate=0.015, placement="replace")
    poisoned = attack.poison(pictures, seed=0)
    (found,) = scan(replace(poisoned.data, mark=None), QUICK).findings
    named = {one.id for one in found.suspects}
    assert (found.target, found.strength) == ("frog", "suspicious")
    assert len(named & poisoned.truth.poison_ids) >= 0.9 * max(len(named), len(poisoned.truth.poison_ids))
    assert "sees no fine detail" in found.content
