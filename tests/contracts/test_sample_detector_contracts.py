"""What every registered detector of samples keeps to, whatever it looks at.

A detector joins by being registered. It gets made-up evidence that holds inputs, layers, logits, history and the extras
below; one that asks for more adds it to `everything`. NO_SIGN names those that a backdoor is not meant to trouble.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

import bezoar.detect.samples  # noqa: F401  importing registers
from bezoar.detect.scores import SAMPLE_DETECTORS, SampleDetector, Scores
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped
from detector_toys import Planted, clouds

SIZES = (120, 150, 130, 110)
NO_SIGN = {"roni": "it looks for samples that harm others, and a backdoor does not"}

# What other tests register is theirs.
HOUSE = [name for name in SAMPLE_DETECTORS.names() if SAMPLE_DETECTORS.get(name).__module__.startswith("bezoar.")]
every_detector = pytest.mark.parametrize("name", HOUSE)


def everything(planted: Planted, seed: int = 0) -> Evidence:
    """The evidence with what single detectors ask for, poison standing out as each of them expects."""
    generator, poison = np.random.default_rng(seed), planted.poison[:, None]
    shape = (len(poison), 4)
    extra = {
        "asset-loss": generator.normal(0, 0.3, shape) + 3.0 * poison,
        "confused-agreement": (generator.random(shape) < np.where(poison, 0.95, 0.3)).astype(float),
        "confused-loss": np.where(poison, 0.1, 2.0) * generator.uniform(0.8, 1.2, shape),
        "superposed-entropy": np.where(poison, 0.2, 1.5) * generator.uniform(0.8, 1.2, shape),
    }
    # Levels of a picture in 24 columns, a patch of four of them in the poison.
    levels = np.clip(generator.normal(128, 60, planted.evidence.inputs["pixels"].shape), 0, 255).round()
    levels[planted.poison, :4] = (255, 0, 200, 40)
    inputs = {"spectrum": planted.evidence.inputs["pixels"].copy(), "pixels": levels.astype(np.float16)}
    return replace(
        planted.evidence, inputs=inputs, extra={name: rows.astype(np.float32) for name, rows in extra.items()}
    )


def planted_toy(seed: int = 0) -> tuple[Evidence, Planted]:
    planted = clouds(SIZES, poison=25, seed=seed)
    return everything(planted, seed), planted


def trusted_toy() -> Evidence:
    return everything(clouds((40, 40, 40, 40), seed=7), 7)


def detector_called(name: str) -> SampleDetector:
    detector = SAMPLE_DETECTORS.create(name)
    assert isinstance(detector, SampleDetector)
    return detector


def scored(name: str, evidence: Evidence, *, seed: int = 3) -> Scores:
    found = detector_called(name).score(evidence, trusted=trusted_toy(), seed=seed)
    assert isinstance(found, Scores), f"{name} is skipped on the toy ({found}): give `everything` what it needs"
    return found


@every_detector
def test_scores_belong_to_the_ids_and_are_finite(name):
    evidence, _ = planted_toy()
    found = scored(name, evidence)
    assert found.ids == evidence.ids
    assert found.values.dtype == np.float64
    assert np.isfinite(found.values).all()
    assert len(np.unique(found.values)) > 1
    if found.classes is not None:
        assert found.classes.shape == (evidence.classes,)
        assert not np.isinf(found.classes).any()


@every_detector
def test_the_same_seed_gives_the_same_scores(name):
    evidence, _ = planted_toy()
    first, second = scored(name, evidence), scored(name, evidence)
    np.testing.assert_array_equal(first.values, second.values)
    if first.classes is not None and second.classes is not None:
        np.testing.assert_array_equal(first.classes, second.classes)


@every_detector
def test_evidence_is_left_as_it_was(name):
    evidence, _ = planted_toy()
    parts = {
        "labels": evidence.labels,
        "logits": evidence.logits,
        "loss": evidence.history.loss,
        "correct": evidence.history.correct,
        **evidence.inputs,
        **evidence.layers,
        **evidence.extra,
    }
    before = copy.deepcopy(parts)
    for part in parts.values():
        part.setflags(write=False)
    scored(name, evidence)
    for part, rows in parts.items():
        np.testing.assert_array_equal(rows, before[part], err_msg=part)


@every_detector
def test_scores_follow_the_ids_when_rows_change_places(name):
    evidence, _ = planted_toy()
    order = np.random.default_rng(5).permutation(len(evidence))
    straight, shuffled = scored(name, evidence), scored(name, evidence.select(order))
    # Sums in another order differ by rounding; features are float16, whose rounding is not.
    scale = float(np.std(straight.values))
    np.testing.assert_allclose(shuffled.values, straight.values[order], rtol=1e-3, atol=1e-3 * scale)
    if straight.classes is not None:
        np.testing.assert_allclose(shuffled.classes, straight.classes, rtol=1e-3, atol=1e-3)


@every_detector
def test_planted_poison_scores_higher(name):
    if name in NO_SIGN:
        pytest.skip(NO_SIGN[name])
    evidence, planted = planted_toy()
    rows = planted.of_target()
    area = auroc(scored(name, evidence).values[rows], planted.poison[rows])
    assert isinstance(area, float)
    assert area > 0.9


@every_detector
def test_the_poisoned_class_stands_out_where_there_is_a_statistic(name):
    if name in NO_SIGN:
        pytest.skip(NO_SIGN[name])
    evidence, planted = planted_toy()
    classes = scored(name, evidence).classes
    if classes is not None:
        assert int(np.nanargmax(classes)) == planted.target


@every_detector
def test_without_its_evidence_it_is_skipped_and_says_why(name):
    whole = planted_toy()[0]
    bare = Evidence(whole.ids, whole.labels, whole.class_names)
    found = detector_called(name).score(bare, seed=0)
    assert isinstance(found, Skipped)
    assert len(found.reason) > 10


@every_detector
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_handful_of_samples_is_no_failure(name, count):
    evidence = planted_toy()[0].select(np.arange(count))
    found = detector_called(name).score(evidence, trusted=trusted_toy(), seed=0)
    assert isinstance(found, Scores | Skipped)


@every_detector
def test_samples_that_are_all_alike_are_no_failure(name):
    evidence = planted_toy()[0]
    one = everything(clouds((1, 1, 1, 1), seed=1), 1).select(np.zeros(len(evidence), dtype=np.int64))
    alike = replace(one, ids=evidence.ids, labels=evidence.labels)
    found = detector_called(name).score(alike, trusted=trusted_toy(), seed=0)
    assert isinstance(found, Scores | Skipped)


@every_detector
def test_its_specification_builds_it_again(name):
    detector = detector_called(name)
    assert SAMPLE_DETECTORS.create(SAMPLE_DETECTORS.spec_of(detector, every=True)) == detector
    assert SAMPLE_DETECTORS.summary(name)
