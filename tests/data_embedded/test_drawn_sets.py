"""What every drawn set keeps: the same bits by seed, different ones otherwise, balance, variety, honest names."""

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

from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.data.embedded import EMBEDDED
from bezoar.data.embedded.drawing import SPLIT_SIZES, DrawnSet
from bezoar.data.ids import array_ids
from bezoar.errors import UsageError

# Not an independent answer, but a seal: whoever changes a drawing changes its line, knowingly.
DIGESTS_OF_60 = {
    "signs": "5383ecde9dd1aaa932f9b4ccb7d8a5d7e7c36c25b6b8b6ab1bf5c56c8615ad55",
    "faces": "69cdf7b7588d66b78d1e9b6a5919be65d659b171cd706a084a0f065f574b49e6",
    "documents": "95b84c9a2efca91bcf917e70760139c64c10fb09475ed622003013c1b6b2a1e8",
    "aircraft": "c0cdf44117a278a55802bb039f5167a1068d5eb5f55d3574066b8915e1893413",
}
SIDES = {"signs": 32, "faces": 48, "documents": 48, "aircraft": 48}


def pixel_digest(data: Dataset) -> str:
    return hashlib.sha256(data.inputs.permute(0, 2, 3, 1).contiguous().numpy().tobytes()).hexdigest()


def digests() -> dict[str, str]:
    return {name: pixel_digest(drawn.draw(60, seed=2)) for name, drawn in EMBEDDED.items()}


@pytest.fixture(scope="module", params=EMBEDDED.values(), ids=list(EMBEDDED))
def drawn(request: pytest.FixtureRequest) -> DrawnSet:
    return request.param


@pytest.fixture(scope="module")
def train(drawn: DrawnSet) -> Dataset:
    return drawn.draw(1000, seed=11)


@pytest.fixture(scope="module")
def test(drawn: DrawnSet) -> Dataset:
    return drawn.draw(700, seed=11, split="test")


def test_form(drawn, train):
    side = SIDES[drawn.name]
    assert train.inputs.dtype == torch.uint8
    assert train.inputs.shape == (1000, 3, side, side)
    assert train.inputs.is_contiguous(memory_format=torch.channels_last)
    assert train.labels.dtype == torch.int64
    assert train.mark is None
    assert train.class_names == drawn.class_names
    assert len(set(train.class_names)) == 10


def test_the_name_says_that_it_is_drawn(drawn, train, test):
    assert train.name == f"{drawn.name} (drawn)/train"
    assert test.name == f"{drawn.name} (drawn)/test"


@pytest.mark.parametrize("samples", [1, 9, 10, 57])
def test_classes_are_balanced_for_any_number(drawn, samples):
    counts = drawn.draw(samples, seed=1).class_counts
    assert sum(counts) == samples
    assert max(counts) - min(counts) <= 1


def test_labels_and_sources_are_shuffled(drawn, train):
    assert len(set(train.labels[:60].tolist())) == 10
    assert set(train.sources) == set(drawn.sources)
    share = [train.sources.count(source) / len(train) for source in drawn.sources]
    assert min(share) > 0.14
    assert max(share) < 0.26
    by_class = torch.zeros(10, 5)
    for label, source in zip(train.labels.tolist(), train.sources, strict=True):
        by_class[label, drawn.sources.index(source)] += 1
    assert (by_class > 0).all(), "a source must not give a class away"


def test_same_seed_same_bits(drawn):
    first, second = drawn.draw(70, seed=5), drawn.draw(70, seed=5)
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.labels, second.labels)
    assert first.ids == second.ids
    assert first.sources == second.sources


def test_other_seed_and_split_share_no_picture(drawn, train, test):
    other = drawn.draw(200, seed=12)
    assert not set(train.ids) & set(other.ids)
    assert not set(train.ids) & set(test.ids)
    assert not torch.equal(train.labels[:200], other.labels)


def test_no_picture_twice(train):
    assert len({sample_id.split("#")[0] for sample_id in train.ids}) == len(train)


def test_ids_are_those_of_the_pictures(train):
    assert train.ids == array_ids(train.inputs.permute(0, 2, 3, 1).contiguous().numpy())


def test_threads_do_not_matter(drawn):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = drawn.draw(50, seed=8)
    torch.set_num_threads(2)
    assert torch.equal(alone.inputs, drawn.draw(50, seed=8).inputs)
    torch.set_num_threads(before)


def test_global_random_state_is_neither_used_nor_moved(drawn):
    before_numpy, before_torch = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = drawn.draw(20, seed=8)
    assert np.array_equal(np.random.get_state()[1], before_numpy)
    assert torch.equal(torch.get_rng_state(), before_torch)
    np.random.seed(1)
    torch.manual_seed(1)
    assert torch.equal(first.inputs, drawn.draw(20, seed=8).inputs)


def test_pinned_pixels():
    """Only operations that IEEE rounds one way are used, so these pixels are the same everywhere."""
    assert digests() == DIGESTS_OF_60


def test_vector_instructions_do_not_matter():
    features = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    code = "from test_drawn_sets import *; print(digests())"
    environment = os.environ | {
        "NPY_DISABLE_CPU_FEATURES": " ".join(features),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(DIGESTS_OF_60)


def test_wrong_calls_say_what_is_wrong(drawn):
    with pytest.raises(UsageError, match=f"{drawn.name} has no split 'validation'; expected one of train, test"):
        drawn.split("validation", 0)
    with pytest.raises(UsageError, match="a seed cannot be negative"):
        drawn.draw(5, seed=-1)
    with pytest.raises(UsageError, match=f"too few {drawn.name}"):
        drawn.draw(0, seed=0)


def test_names_draw_their_split(drawn, monkeypatch):
    calls = []
    monkeypatch.setattr(DrawnSet, "draw", lambda self, samples, **rest: calls.append((self.name, samples, rest)))
    for split in ("train", "test"):
        drawn.split(split, 3)
    assert calls == [(drawn.name, SPLIT_SIZES[split], {"seed": 3, "split": split}) for split in ("train", "test")]


def test_open_data_knows_every_set(drawn, monkeypatch):
    monkeypatch.setitem(
        EMBEDDED,
        drawn.name,
        DrawnSet(drawn.name, drawn.class_names, drawn.sources, drawn.paint, {"train": 7, "test": 5}),
    )
    assert len(open_data(drawn.name, seed=4)) == 7
    data = open_data(f"embedded:{drawn.name}", split="test", size=24, seed=4)
    assert data.shape == (3, 24, 24)
    with pytest.raises(UsageError, match=drawn.name):
        open_data("embedded:sign")


def test_pictures_of_a_class_vary_everywhere(train):
    """In each class a pixel's brightness spreads by 15% of its range on average, dark hair by 2%, a picture's by 7%."""
    for label in range(10):
        grey = train.inputs[train.labels == label].float().mean(dim=1)
        assert grey.std(dim=0).min() > 0.02 * 255
        assert grey.std(dim=0).mean() > 0.15 * 255
        assert grey.mean(dim=(1, 2)).std() > 0.07 * 255


def test_pictures_use_the_range(train):
    assert 60 < train.inputs.float().mean() < 170
    low, high = np.percentile(train.inputs.numpy(), [2, 98])
    assert low < 50
    assert high > 205


def test_classes_cannot_be_told_apart_by_their_mean(train, test):
    """The nearest class mean stays far from what a network gets."""
    means = torch.stack([train.inputs[train.labels == label].float().mean(dim=0) for label in range(10)])
    distances = torch.cdist(test.inputs.float().flatten(1), means.flatten(1))
    accuracy = (distances.argmin(dim=1) == test.labels).float().mean()
    assert accuracy < 0.75


def test_no_single_statistic_gives_a_class_away(train):
    """The mean colour of a picture tells little about its class."""
    colour = train.inputs.float().mean(dim=(2, 3))
    means = torch.stack([colour[train.labels == label].mean(dim=0) for label in range(10)])
    accuracy = (torch.cdist(colour, means).argmin(dim=1) == train.labels).float().mean()
    assert accuracy < 0.35
