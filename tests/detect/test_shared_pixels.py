from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bezoar.detect.numerics import shared_values
from bezoar.detect.samples.shared_pixels import SharedPixels
from bezoar.detect.scores import Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped

WIDTH, PATCH = 64, slice(20, 26)
VALUES = np.array([255, 0, 255, 0, 128, 200])


def scenes(count: int, generator) -> np.ndarray:
    """Smooth lines of levels, some of them saturated, as pictures are."""
    steps = generator.normal(0, 18, (count, WIDTH)).cumsum(axis=1)
    return np.clip(steps + generator.uniform(30, 225, (count, 1)), 0, 255)


def planted(
    share: float = 0.0,
    *,
    values: np.ndarray = VALUES,
    spread: float = 0.0,
    size: int = 300,
    white: float = 0.0,
    border: int = 0,
    seed: int = 0,
) -> tuple[Evidence, np.ndarray]:
    """Three classes; a patch, its levels spread as recoding would, in `share` of class 1.

    In `white` of class 2 and half of that elsewhere everything is white but a short stretch; all classes have a
    black `border`.
    """
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), size)
    rows = scenes(len(labels), generator)
    is_white = generator.random(len(labels)) < np.where(labels == 2, white, white / 2)
    rows[is_white] = np.where(np.arange(WIDTH) < 50, 255, rows[is_white])
    rows[:, :border] = 0
    odd = (labels == 1) & (generator.random(len(labels)) < share)
    recoded = values + generator.normal(0, spread, (len(labels), len(values)))
    rows[odd, PATCH] = np.clip(recoded[odd], 0, 255)
    order = generator.permutation(len(labels))
    ids = tuple(f"{seed}-{number}" for number in range(len(labels)))
    inputs = {"pixels": rows.round()[order].astype(np.float16)}
    return Evidence(ids, labels[order], ("a", "b", "c"), inputs=inputs), odd[order]


def found_in(evidence: Evidence, **settings) -> Scores:
    found = SharedPixels(**{"spikes": 12, **settings}).score(evidence, seed=0)
    assert isinstance(found, Scores)
    assert found.classes is not None
    return found


def area(found: Scores, evidence: Evidence, odd: np.ndarray) -> float:
    rows = evidence.members(1)
    value = auroc(found.values[rows], odd[rows])
    assert isinstance(value, float)
    return value


def test_codes_and_histogram_by_hand():
    codes = shared_values.coded(np.array([[0.0, 255.0], [3.0, 300.0], [4.1, -1.0]]), 0.0, 256.0)
    assert codes.tolist() == [[0, 63], [0, 63], [1, 0]]
    counts = shared_values.histogram(codes)
    assert counts.shape == (2, 64)
    assert counts.sum(axis=1).tolist() == [3, 3]
    assert (counts[0, 0], counts[0, 1], counts[1, 63], counts[1, 0]) == (2, 1, 2, 1)
    assert shared_values.window(counts, 1)[0, :3].tolist() == [3, 3, 1]
    assert shared_values.shows(np.array([9, 10, 11, 12, 13]), 10).tolist() == [1, 1, 1, 0.5, 0]


def test_a_spike_is_what_other_classes_do_not_have():
    usual = np.full((3, 64), 10.0)
    usual[1, 63] = 200
    counts = np.full((3, 64), 10.0)
    counts[1, 63], counts[2, 30] = 200, 90
    assert [column for column, _ in shared_values.spikes(counts, usual, 5)] == [2]
    assert abs(shared_values.spikes(counts, usual, 5)[0][1] - 30) <= 1


def test_companions_go_with_a_value():
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 64, (500, 4)).astype(np.uint8)
    codes[:, 2] = np.where(codes[:, 0] > 60, 20, codes[:, 2])
    found = shared_values.companions(codes, (0, 62), shared_values.histogram(codes), 2)
    assert {column for column, _ in found} == {0, 2}
    assert shared_values.companions(codes[:10], (0, 62), shared_values.histogram(codes[:10]), 2) == []


@pytest.mark.parametrize("share", [0.08, 0.2, 0.4])
def test_a_patch_is_found(share):
    evidence, odd = planted(share)
    found = found_in(evidence)
    assert found.classes[1] > 3 * np.delete(found.classes, 1).max() + 0.1
    assert area(found, evidence, odd) > 0.97


def test_a_patch_survives_recoding():
    evidence, odd = planted(0.15, spread=6.0)
    found = found_in(evidence)
    assert int(found.classes.argmax()) == 1
    assert found.classes[1] > 0.1
    assert area(found, evidence, odd) > 0.95


def test_what_a_class_has_by_nature_is_not_a_patch():
    """White scenes are twice as common in one class; all have a black border."""
    plain = found_in(planted(white=0.2, border=8)[0])
    patched, odd = planted(0.15, white=0.2, border=8)
    found = found_in(patched)
    assert plain.classes.max() < 0.5 * found.classes[1]
    assert int(found.classes.argmax()) == 1
    assert area(found, patched, odd) > 0.97


def test_a_white_patch_is_told_from_white_scenes():
    evidence, odd = planted(0.15, values=np.full(6, 255), white=0.2, size=1000)
    found = found_in(evidence, spikes=30)
    assert int(found.classes.argmax()) == 1
    assert found.classes[1] > 0.15
    assert area(found, evidence, odd) > 0.85


def test_without_a_patch_nothing_stands_out():
    for seed in range(2):
        found = SharedPixels(spikes=12).score(planted(seed=seed)[0], seed=0)
        assert isinstance(found, Skipped) or np.nanmax(found.classes) < 0.12


def test_the_order_of_rows_does_not_matter():
    evidence, _ = planted(0.15)
    order = np.random.default_rng(1).permutation(len(evidence))
    straight, shuffled = found_in(evidence), found_in(evidence.select(order))
    np.testing.assert_allclose(shuffled.values, straight.values[order], rtol=1e-3, atol=1e-3)


def test_what_cannot_be_told_is_skipped():
    evidence, _ = planted(0.1)
    one = evidence.select(evidence.members(1))
    assert isinstance(SharedPixels().score(one, seed=0), Skipped)
    flat = {"pixels": np.full((len(evidence), 4), 7.0)}
    alike = Evidence(evidence.ids, evidence.labels, evidence.class_names, inputs=flat)
    assert isinstance(SharedPixels().score(alike, seed=0), Skipped)
    for settings in ({"spikes": 0}, {"context": -1}, {"most": 0}, {"elsewhere": 0}):
        with pytest.raises(UsageError):
            SharedPixels(**settings)


@pytest.mark.parametrize(("levels", "told"), [(17, True), (63, True), (256, False)])
def test_values_of_few_levels_are_shared_by_nature(levels: int, told: bool) -> None:
    evidence, _ = planted(0.2)
    step = 255 / (levels - 1)
    rows = np.asarray(evidence.inputs["pixels"], dtype=np.float32)
    coarse = replace(evidence, inputs={"pixels": ((rows / step).round() * step).astype(np.float16)})
    found = SharedPixels(spikes=12).score(coarse, seed=0)
    assert isinstance(found, Skipped) == told
    assert not isinstance(found, Skipped) or f"{levels} levels only" in found.reason
