"""The false-alarm suite: every case builds, by seed alone, and is what it says, on a small stand-in for CIFAR-10."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from bezoar.bench.honest import CALIBRATION_KINDS, HONEST_CASES, HonestCase, honest_case
from bezoar.bench.honest.bases import Drawn, Rows, pixels_of
from bezoar.bench.honest.changes import LabelNoise, LongTail
from bezoar.bench.honest.characters import Characters
from bezoar.data import Dataset
from bezoar.data.ids import array_ids
from bezoar.errors import DataError, UsageError

SAMPLES, CLASSES = 1500, 10
STAND_IN_SIDE = 224


@pytest.fixture(scope="module")
def cifar() -> Dataset:
    """1,500 pictures 32x32 of 10 classes, each of one hue with noise on it."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(SAMPLES) % CLASSES)
    hues = generator.uniform(60, 200, (CLASSES, 3))
    coarse = generator.normal(0, 25, (SAMPLES, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)
    pixels = np.clip(hues[labels][:, None, None] + coarse, 0, 255).astype(np.uint8)
    return Dataset(
        inputs=torch.from_numpy(pixels).permute(0, 3, 1, 2),
        labels=torch.from_numpy(labels.astype(np.int64)),
        class_names=tuple(f"class {label}" for label in range(CLASSES)),
        ids=array_ids(pixels),
        name="stand-in",
    )


def smaller(case: HonestCase) -> HonestCase:
    """Fewer drawn or enlarged pictures, which would take long; whatever else the case does stays."""
    if isinstance(case.base, (Drawn, Characters)):
        return replace(case, base=replace(case.base, samples=min(case.base.samples, 120)))
    return replace(case, base=replace(case.base, samples=100)) if case.kind == "224x224" else case


def hashes(data: Dataset) -> dict[str, int]:
    return {one.partition("#")[0]: label for one, label in zip(data.ids, data.labels.tolist(), strict=True)}


def build(name: str, cifar: Dataset, seed: int = 1) -> Dataset:
    return honest_case(name).build(cifar, seed)


@pytest.mark.parametrize("case", HONEST_CASES, ids=[case.name for case in HONEST_CASES])
def test_every_case_builds(case: HonestCase, cifar: Dataset):
    case = smaller(case)
    before = cifar.inputs.clone()
    data, again, other = (case.build(cifar if case.needs_cifar else None, seed) for seed in (3, 3, 4))
    assert torch.equal(cifar.inputs, before)
    assert data.is_images
    assert data.inputs.dtype == torch.uint8
    assert data.inputs.is_contiguous(memory_format=torch.channels_last)
    assert data.name == case.name
    assert data.mark is None
    # Ids are those of the contents, and the same seed gives all the same.
    assert data.ids == array_ids(pixels_of(data))
    assert (again.ids, again.labels.tolist(), again.sources) == (data.ids, data.labels.tolist(), data.sources)
    assert other.ids != data.ids
    assert min(data.class_counts) >= 2
    # Rows are mixed: neighbours have the same label about as often as any two.
    labels = data.labels.numpy()
    share = np.square(np.array(data.class_counts) / len(data)).sum()
    assert abs(np.mean(labels[1:] == labels[:-1]) - share) < 0.2


def test_the_suite():
    assert len(HONEST_CASES) >= 60
    assert len({case.name for case in HONEST_CASES}) == len(HONEST_CASES)
    assert {case.kind for case in HONEST_CASES} > CALIBRATION_KINDS
    chosen = sum(case.calibration for case in HONEST_CASES)
    assert 0.25 * len(HONEST_CASES) <= chosen <= 0.42 * len(HONEST_CASES)
    assert all(case.what and not case.what.endswith(".") for case in HONEST_CASES)
    assert {case.kind for case in HONEST_CASES if case.one_class_mark} == {"mark on one class"}


def test_a_kind_is_for_one_purpose():
    purposes = {case.kind: set() for case in HONEST_CASES}
    for case in HONEST_CASES:
        purposes[case.kind].add(case.calibration)
    assert all(len(purpose) == 1 for purpose in purposes.values())


def test_labels_are_right_or_wrong_as_said(cifar):
    """Where pixels stay what they were, the stand-in knows the right label."""
    truth = hashes(cifar)
    counted = 0
    for case in HONEST_CASES:
        only_labels = all(isinstance(change, (LabelNoise, LongTail)) for change in case.changes)
        if not case.needs_cifar or not only_labels or case.base.classes:
            continue
        data = case.build(cifar, 5)
        wrong = np.mean([truth[one] != label for one, label in hashes(data).items()])
        assert wrong == pytest.approx(case.label_noise, abs=0.5 / len(data)), case.name
        counted += 1
    assert counted >= 20


def test_class_subsets_keep_names_with_labels(cifar):
    truth = {one: cifar.class_names[label] for one, label in hashes(cifar).items()}
    data = build("3-classes-a", cifar)
    assert len(data.class_names) == 3
    assert len(data) == 450
    assert all(truth[one] == data.class_names[label] for one, label in hashes(data).items())
    assert build("3-classes-b", cifar).class_names != data.class_names or build("3-classes-b", cifar).ids != data.ids


def test_pairwise_noise_goes_to_the_next_class(cifar):
    truth = hashes(cifar)
    steps = Counter(
        (label - truth[one]) % CLASSES for one, label in hashes(build("noise-pairwise-0.2-10000", cifar)).items()
    )
    assert steps == {0: 1200, 1: 300}
    steps = Counter(
        (label - truth[one]) % CLASSES for one, label in hashes(build("noise-uniform-0.2-10000", cifar)).items()
    )
    assert steps[0] == 1200
    assert len(steps) == CLASSES


def test_tails(cifar):
    counts = sorted(build("tail-10", cifar).class_counts)
    assert (counts[0], counts[-1]) == (15, 150)
    np.testing.assert_allclose(np.array(counts[1:]) / counts[:-1], 10 ** (1 / 9), rtol=0.05)
    assert sorted(build("tail-100", cifar).class_counts)[0] == 2
    assert Counter(build("step-10", cifar).class_counts) == {150: 5, 15: 5}


def differing(data: Dataset, cifar: Dataset) -> np.ndarray:
    """Which rows are no pictures of the stand-in as it is."""
    known = hashes(cifar)
    return np.array([one.partition("#")[0] not in known for one in data.ids])


@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("logo-all", 1),
        ("logo-half", 0.5),
        ("timestamp-half", 0.5),
        ("border-all", 1),
        ("coloured-border-half", 0.5),
        ("erasing-half", 0.5),
        ("benign-patch", 0.1),
        ("benign-warp", 0.1),
        ("benign-stripes", 0.1),
        ("logo-one-class", 0.05),
        ("timestamp-one-class", 0.05),
    ],
)
def test_looks_are_on_as_many_images_as_said(name, share, cifar):
    data = build(name, cifar)
    changed = differing(data, cifar)
    assert changed.mean() == pytest.approx(share, abs=1e-3)
    classes = Counter(data.labels.numpy()[changed].tolist())
    assert len(classes) == (1 if honest_case(name).one_class_mark else CLASSES)


def test_a_logo_changes_its_corner_only(cifar):
    data, plain = build("logo-all", cifar), pixels_of(cifar)
    corner = pixels_of(data)
    corner[:, -7:, -7:] = 0
    plain[:, -7:, -7:] = 0
    assert set(array_ids(corner)) == set(array_ids(plain))


def test_timestamps_differ_by_image(cifar):
    pixels = pixels_of(build("timestamp-all", cifar))
    yellow = (pixels == np.array([255, 220, 40])).all(axis=3)
    assert yellow.any(axis=(1, 2)).all()
    assert len({one.tobytes() for one in yellow}) > 0.95 * len(pixels)
    assert not yellow[:, :26].any()


def test_duplicates(cifar):
    exact = build("exact-duplicates-0.2", cifar)
    assert len(exact) == 1800
    assert sum(not one.endswith("#0") for one in exact.ids) == 300
    near = build("near-duplicates-0.05", cifar)
    assert len(near) == 1575
    assert differing(near, cifar).sum() >= 70  # a picture moved by a pixel, or brighter, is seldom the same
    assert near.class_counts != cifar.class_counts


@pytest.mark.parametrize(
    ("name", "classes", "kinds"), [("merged-pairs-a", 5, 2), ("merged-once", 9, 2), ("merged-fives", 2, 5)]
)
def test_merged_classes_hold_whole_classes(cifar, name, classes, kinds):
    data, truth = build(name, cifar), hashes(cifar)
    assert len(data.class_names) == classes
    assert max(one.count("+") for one in data.class_names) == kinds - 1
    for sample, label in hashes(data).items():
        assert cifar.class_names[truth[sample]] in data.class_names[label].split("+")


def test_classes_by_the_hundred(cifar):
    data = build("100-classes-25000", cifar)
    assert len(data.class_names) == 100
    assert set(data.class_counts) == {15}
    truth = hashes(cifar)
    assert all(truth[one] == label // 10 for one, label in hashes(data).items())
    drawn = smaller(honest_case("40-classes-drawn")).build(None, 0)
    assert len(drawn.class_names) == 40
    assert drawn.shape == (3, 32, 32)
    assert set(drawn.class_counts) == {12}


def test_shapes(cifar):
    assert build("grey-cifar", cifar).shape == (1, 32, 32)
    assert smaller(honest_case("large-cifar")).build(cifar, 0).shape == (3, STAND_IN_SIDE, STAND_IN_SIDE)
    assert len(build("few-cifar", cifar)) == 300
    assert len(build("few-classes", cifar).class_names) == 3
    assert len(build("few-signs", cifar)) == 300


def test_contributors_are_uneven_over_classes(cifar):
    data = build("brightness-by-source", cifar)
    sources = sorted(set(data.sources))
    assert len(sources) == 8
    table = np.zeros((CLASSES, 8))
    for label, source in zip(data.labels.tolist(), data.sources, strict=True):
        table[label, sources.index(source)] += 1
    shares = table / table.sum(axis=1, keepdims=True)
    assert (shares.max(axis=0) > 2 * shares.mean(axis=0)).any()


def test_brightness_by_class_changes_classes_apart(cifar):
    def means(data: Dataset) -> np.ndarray:
        pixels, labels = pixels_of(data), data.labels.numpy()
        return np.array([pixels[labels == label].mean() for label in range(CLASSES)])

    factors = means(build("brightness-by-class", cifar)) / means(cifar)
    np.testing.assert_allclose(np.sort(factors), np.linspace(0.7, 1.3, 10), atol=0.06)


def test_without_cifar_and_under_other_names(cifar):
    with pytest.raises(DataError, match="CIFAR-10"):
        build("rows-2000-a", None)
    with pytest.raises(DataError, match="too few classes"):
        Rows(10, 11).draw(cifar, np.random.default_rng(0))
    with pytest.raises(UsageError, match="rows-2000-a"):
        honest_case("rows-2000")
