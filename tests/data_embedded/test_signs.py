"""The drawn road signs: the same by seed, different otherwise, varied, and neither trivial nor hopeless."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

from bezoar.data import embedded
from bezoar.data.dataset import Dataset
from bezoar.data.embedded import EMBEDDED, draw_signs
from bezoar.data.embedded.signs import CAMERAS, SPLIT_SIZES
from bezoar.data.ids import array_ids
from bezoar.errors import UsageError

# Not an independent answer, but a seal: whoever changes the drawing changes this line, knowingly.
DIGEST_OF_60 = "5383ecde9dd1aaa932f9b4ccb7d8a5d7e7c36c25b6b8b6ab1bf5c56c8615ad55"


def pixel_digest(data: Dataset) -> str:
    return hashlib.sha256(data.inputs.permute(0, 2, 3, 1).contiguous().numpy().tobytes()).hexdigest()


@pytest.fixture(scope="module")
def train() -> Dataset:
    return draw_signs(1500, seed=11)


@pytest.fixture(scope="module")
def test() -> Dataset:
    return draw_signs(1000, seed=11, split="test")


def test_form(train):
    assert train.inputs.dtype == torch.uint8
    assert train.inputs.shape == (1500, 3, 32, 32)
    assert train.inputs.is_contiguous(memory_format=torch.channels_last)
    assert train.labels.dtype == torch.int64
    assert train.name == "signs/train"
    assert train.mark is None


def test_class_names_are_words_for_people(train):
    assert train.class_names == (
        "stop",
        "yield",
        "no entry",
        "speed limit 30",
        "speed limit 50",
        "speed limit 80",
        "keep right",
        "priority road",
        "pedestrian crossing",
        "roundabout",
    )


@pytest.mark.parametrize("samples", [1, 9, 10, 257])
def test_classes_are_balanced_for_any_number(samples):
    counts = draw_signs(samples, seed=1).class_counts
    assert sum(counts) == samples
    assert max(counts) - min(counts) <= 1


def test_labels_and_sources_are_shuffled(train):
    assert len(set(train.labels[:50].tolist())) == 10
    assert set(train.sources) == set(CAMERAS)
    share = [train.sources.count(camera) / len(train) for camera in CAMERAS]
    assert min(share) > 0.15
    assert max(share) < 0.25
    by_class = torch.zeros(10, 5)
    for label, source in zip(train.labels.tolist(), train.sources, strict=True):
        by_class[label, CAMERAS.index(source)] += 1
    assert (by_class > 0).all(), "a camera must not give a class away"


def test_same_seed_same_bits():
    first, second = draw_signs(130, seed=5), draw_signs(130, seed=5)
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.labels, second.labels)
    assert first.ids == second.ids
    assert first.sources == second.sources


def test_other_seed_and_split_share_no_picture(train, test):
    other = draw_signs(1500, seed=12)
    assert not set(train.ids) & set(other.ids)
    assert not set(train.ids) & set(test.ids)
    assert not torch.equal(train.labels, other.labels)


def test_no_picture_twice(train):
    assert len({sample_id.split("#")[0] for sample_id in train.ids}) == len(train)


def test_threads_do_not_matter():
    torch.set_num_threads(1)
    alone = draw_signs(120, seed=8)
    torch.set_num_threads(2)
    assert torch.equal(alone.inputs, draw_signs(120, seed=8).inputs)


def test_global_random_state_is_neither_used_nor_moved():
    before_numpy, before_torch = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = draw_signs(20, seed=8)
    assert np.array_equal(np.random.get_state()[1], before_numpy)
    assert torch.equal(torch.get_rng_state(), before_torch)
    np.random.seed(1)
    torch.manual_seed(1)
    assert torch.equal(first.inputs, draw_signs(20, seed=8).inputs)


def test_pinned_pixels():
    """Only operations that IEEE rounds one way are used, so these pixels are the same everywhere."""
    assert pixel_digest(draw_signs(60, seed=2)) == DIGEST_OF_60


def test_vector_instructions_do_not_matter():
    features = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    code = "from test_signs import *; print(pixel_digest(draw_signs(60, seed=2)))"
    environment = os.environ | {
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == DIGEST_OF_60


def test_ids_are_those_of_the_pictures(train):
    assert train.ids == array_ids(train.inputs.permute(0, 2, 3, 1).contiguous().numpy())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: EMBEDDED["signs"]("validation", 0), "no split 'validation'; expected one of train, test"),
        (lambda: draw_signs(5, seed=0, split=""), "no split ''"),
        (lambda: draw_signs(5, seed=-1), "seed cannot be negative"),
        (lambda: draw_signs(0, seed=0), "too few signs"),
    ],
)
def test_wrong_calls_say_what_is_wrong(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_embedded_names_draw_their_split(monkeypatch):
    drawn = []
    monkeypatch.setattr(embedded.signs, "draw_signs", lambda samples, **rest: drawn.append((samples, rest)))
    for split in ("train", "test"):
        EMBEDDED["signs"](split, 3)
    assert drawn == [(SPLIT_SIZES[split], {"seed": 3, "split": split}) for split in ("train", "test")]


def test_pictures_of_a_class_vary_everywhere(train):
    """In each class every pixel's brightness spreads by at least 10% of its range, and so does the whole picture's."""
    for label in range(10):
        grey = train.inputs[train.labels == label].float().mean(dim=1)
        assert grey.std(dim=0).min() > 0.10 * 255
        assert grey.mean(dim=(1, 2)).std() > 0.08 * 255


def test_pictures_use_the_range(train):
    assert 60 < train.inputs.float().mean() < 150
    low, high = np.percentile(train.inputs.numpy(), [2, 98])
    assert low < 40
    assert high > 215


def test_classes_can_be_told_apart_but_not_by_their_mean(train, test):
    """The nearest class mean beats chance (10%) by far and stays far from what a network gets."""
    means = torch.stack([train.inputs[train.labels == label].float().mean(dim=0) for label in range(10)])
    distances = torch.cdist(test.inputs.float().flatten(1), means.flatten(1))
    accuracy = (distances.argmin(dim=1) == test.labels).float().mean()
    assert 0.2 < accuracy < 0.9
