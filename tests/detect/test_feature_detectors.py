"""Detectors on a probe's features: planted poison at every share, clean classes, and data that are odd but honest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bezoar.detect.samples.activation_clustering import ActivationClustering
from bezoar.detect.samples.beatrix import Beatrix
from bezoar.detect.samples.contamination import StatisticalContamination
from bezoar.detect.samples.layer_clustering import LayerClustering
from bezoar.detect.samples.spectral import SpectralSignatures
from bezoar.detect.samples.spectre import Spectre
from bezoar.detect.scores import Scores
from bezoar.errors import DataError, UsageError
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped
from detector_toys import Planted, clouds

EVERY = [
    ActivationClustering(),
    Beatrix(),
    LayerClustering(),
    SpectralSignatures(),
    Spectre(),
    StatisticalContamination(),
]
# The paper's scores of the others are two-sided or rest on medians of the class.
FOR_LARGE_SHARES = [ActivationClustering(), LayerClustering(), Spectre(), StatisticalContamination()]

every_detector = pytest.mark.parametrize("detector", EVERY, ids=lambda detector: type(detector).__name__)
for_large_shares = pytest.mark.parametrize("detector", FOR_LARGE_SHARES, ids=lambda detector: type(detector).__name__)


def scores_of(detector, evidence) -> Scores:
    found = detector.score(evidence, seed=0)
    assert isinstance(found, Scores)
    return found


def area_in_target(detector, planted: Planted) -> float:
    rows = planted.of_target()
    area = auroc(scores_of(detector, planted.evidence).values[rows], planted.poison[rows])
    assert isinstance(area, float)
    return area


def test_two_percent_of_a_class_is_found():
    planted = clouds((400, 500, 400), poison=12, far=12.0)
    for detector in (ActivationClustering(), SpectralSignatures(), Spectre(), StatisticalContamination()):
        assert area_in_target(detector, planted) > 0.98, detector


@for_large_shares
@pytest.mark.parametrize("poison", [75, 150, 225], ids=["a third", "half", "three fifths"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_odd_group_is_found_where_it_is_no_minority(detector, poison, seed):
    planted = clouds((150, 150, 150, 150), poison=poison, far=14.0, seed=seed)
    if poison > 150 and isinstance(detector, LayerClustering):
        pytest.skip("poison of several origins forms several clusters in the first layer")
    assert area_in_target(detector, planted) > 0.95
    assert int(np.nanargmax(scores_of(detector, planted.evidence).classes)) == planted.target


@for_large_shares
def test_half_a_class_is_found_between_two_classes(detector):
    assert area_in_target(detector, clouds((200, 200), poison=200, far=16.0)) > 0.9


@every_detector
def test_a_clean_set_has_no_class_like_a_poisoned_one(detector):
    sizes = (200, 240, 210, 190)
    clean = scores_of(detector, clouds(sizes, seed=3).evidence).classes
    poisoned = scores_of(detector, clouds(sizes, poison=20, seed=3).evidence).classes
    assert clean.max() < poisoned[1]
    np.testing.assert_allclose(clean[[0, 2, 3]], poisoned[[0, 2, 3]], rtol=0.5, atol=0.4)


def test_clustering_says_that_clean_classes_have_one_cluster():
    # The rule of thumb that one cluster of every class is poison would condemn all four.
    clean = scores_of(ActivationClustering(), clouds((300, 300, 300, 300), seed=4).evidence)
    assert (clean.classes < 0.3).all()
    assert np.abs(clean.values).max() < 0.5


@every_detector
def test_many_classes_of_few_samples(detector):
    planted = clouds([20] * 100, poison=8, target=41, far=12.0)
    found = scores_of(detector, planted.evidence)
    assert found.classes.shape == (100,)
    assert np.isfinite(found.classes[41])


@every_detector
def test_three_hundred_samples_in_all(detector):
    planted = clouds((100, 90, 95), poison=15, far=12.0)
    assert area_in_target(detector, planted) > 0.85


@every_detector
def test_a_class_of_one_sample_is_not_told_and_not_suspicious(detector):
    planted = clouds((150, 150, 1, 0), poison=20)
    found = scores_of(detector, planted.evidence)
    assert np.isnan(found.classes[[2, 3]]).all()
    assert np.isfinite(found.classes[:2]).all()
    assert found.values[planted.evidence.members(2)].tolist() == [0.0]


@every_detector
def test_constant_columns_change_nothing(detector):
    planted = clouds((150, 150, 150), poison=20)
    layers = {
        name: np.concatenate([rows, np.full((len(rows), 3), 7, dtype=rows.dtype)], axis=1)
        for name, rows in planted.evidence.layers.items()
    }
    wider = replace(planted, evidence=replace(planted.evidence, layers=layers))
    assert area_in_target(detector, wider) > 0.9


@every_detector
def test_a_class_of_copies_is_not_suspicious(detector):
    planted = clouds((150, 150, 150), poison=20)
    last = {name: rows.copy() for name, rows in planted.evidence.layers.items()}
    copies = planted.evidence.members(2)
    for rows in last.values():
        rows[copies] = rows[copies[0]]
    found = scores_of(detector, replace(planted.evidence, layers=last))
    assert int(np.nanargmax(found.classes)) == planted.target
    assert len(np.unique(found.values[copies])) == 1


@every_detector
def test_duplicates_of_samples_change_little(detector):
    planted = clouds((100, 100, 100), poison=15)
    twice = np.repeat(np.arange(len(planted.evidence)), 2)
    evidence = planted.evidence.select(twice)
    evidence = replace(evidence, ids=tuple(f"{sample}-{row % 2}" for row, sample in enumerate(evidence.ids)))
    assert area_in_target(detector, Planted(evidence, planted.poison[twice], planted.target)) > 0.9


@every_detector
def test_too_little_to_score_is_skipped(detector):
    found = detector.score(clouds((4, 4, 4)).evidence, seed=0)
    assert isinstance(found, Skipped)
    assert "no class has" in found.reason


@every_detector
def test_features_that_overflowed_are_an_error_with_a_remedy(detector):
    planted = clouds((40, 40), poison=5)
    layers = {name: rows.copy() for name, rows in planted.evidence.layers.items()}
    layers["last"][3, 2] = np.inf
    with np.errstate(all="ignore"), pytest.raises(DataError, match="not all finite"):
        detector.score(replace(planted.evidence, layers=layers), seed=0)


def test_a_layer_is_chosen_by_name():
    planted = clouds((100, 100, 100), poison=15)
    first = scores_of(SpectralSignatures(layer="first"), planted.evidence)
    alone = scores_of(
        SpectralSignatures(), replace(planted.evidence, layers={"first": planted.evidence.layers["first"]})
    )
    np.testing.assert_array_equal(first.values, alone.values)
    with pytest.raises(UsageError, match="no layer 'middle'"):
        SpectralSignatures(layer="middle").score(planted.evidence, seed=0)


def test_layers_clustered_together_find_what_the_last_one_lost():
    planted = clouds((200, 200, 200), poison=40, far=14.0)
    lost = np.random.default_rng(0).normal(size=(640, 24)).astype(np.float16)
    evidence = replace(planted.evidence, layers={"first": planted.evidence.layers["first"], "last": lost})
    blind = replace(planted.evidence, layers={"last": lost})
    assert area_in_target(LayerClustering(), replace(planted, evidence=evidence)) > 0.95
    assert area_in_target(LayerClustering(), replace(planted, evidence=blind)) < 0.7


def test_trusted_samples_give_medians_where_the_class_cannot():
    planted = clouds((150, 150, 150, 150), poison=225, far=14.0)
    trusted = clouds((30, 30, 30, 30), seed=0).evidence
    # The same centres: the seed draws them first.
    rows = planted.of_target()
    told = Beatrix().score(planted.evidence, trusted=trusted, seed=0)
    assert isinstance(told, Scores)
    assert auroc(told.values[rows], planted.poison[rows]) > 0.95
    assert auroc(scores_of(Beatrix(), planted.evidence).values[rows], planted.poison[rows]) < 0.8


def test_a_trusted_covariance_is_used():
    planted = clouds((150, 150, 150), poison=20)
    trusted = clouds((60, 60, 60), seed=0).evidence
    with_trust = StatisticalContamination().score(planted.evidence, trusted=trusted, seed=0)
    assert isinstance(with_trust, Scores)
    assert int(np.argmax(with_trust.classes)) == planted.target
    assert not np.allclose(with_trust.classes, scores_of(StatisticalContamination(), planted.evidence).classes)


def test_classes_can_be_compared_only_where_there_are_some():
    found = StatisticalContamination(normalised=True).score(clouds((50, 50), poison=5).evidence, seed=0)
    assert isinstance(found, Skipped)


def test_evidence_in_a_memory_map_is_read_block_by_block(tmp_path):
    planted = clouds((3000, 2500), poison=100)
    path = tmp_path / "last.npy"
    np.save(path, planted.evidence.layers["last"])
    mapped = replace(planted.evidence, layers={"last": np.load(path, mmap_mode="r")})
    for detector in (ActivationClustering(), SpectralSignatures(), StatisticalContamination()):
        np.testing.assert_array_equal(scores_of(detector, mapped).values, scores_of(detector, planted.evidence).values)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ActivationClustering(components=0),
        lambda: StatisticalContamination(rounds=0),
        lambda: Spectre(keep=0.2),
        lambda: Beatrix(orders=()),
        lambda: LayerClustering(least=0.5),
    ],
)
def test_impossible_options_are_refused(make):
    with pytest.raises(UsageError):
        make()
