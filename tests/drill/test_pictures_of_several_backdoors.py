"""Pictures of an attack with several backdoors: equal parts, each with the answers under its own trigger."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from PIL import Image

from bezoar.attacks import Backdoor
from bezoar.data import from_arrays
from bezoar.drill.evaluate import Evaluation
from bezoar.drill.pictures import picture_pairs
from bezoar.triggers import Patch


def test_each_pair_names_its_backdoor_and_shows_its_trigger():
    labels = np.arange(30) % 3
    data = from_arrays(np.full((30, 6, 6, 3), 90, dtype=np.uint8), labels, class_names=("a", "b", "c"), name="toy")
    backdoors = (
        Backdoor(Patch(size=2, color="red"), {0: 1, 2: 1}),
        Backdoor(Patch(size=2, color="blue"), {1: 2}),
    )
    certain = torch.eye(3) * 9
    answers = tuple(certain[torch.full((30,), target)] for target in (1, 2))
    evaluation = Evaluation(certain[torch.from_numpy(labels)], answers, ())
    pairs = picture_pairs(data, backdoors, evaluation, count=6, seed=0)
    assert [one.backdoor for one in pairs] == [0, 0, 0, 1, 1, 1]
    assert [one.triggered_prediction for one in pairs] == ["b"] * 3 + ["c"] * 3
    assert all(one.clean_prediction == one.true_class for one in pairs)
    assert {one.true_class for one in pairs[3:]} == {"b"}
    corners = [Image.open(io.BytesIO(base64.b64decode(one.triggered.png))).getpixel((0, 0)) for one in pairs]
    assert corners == [(255, 0, 0)] * 3 + [(0, 0, 255)] * 3
