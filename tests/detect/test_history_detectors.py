"""Detectors of a probe's answers and history: planted answers, oracles written on their own, and what is Skipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bezoar.detect.numerics.neighbours import label_share
from bezoar.detect.numerics.within_class import centred_in_class, excess_of_flags, tail_excess
from bezoar.detect.samples.asset import Asset, mixture_cut
from bezoar.detect.samples.confusion import ConfusionTraining
from bezoar.detect.samples.disagreement import NeighbourDisagreement
from bezoar.detect.samples.dynamics import TrainingDynamics, area, early_loss, learnt_epoch
from bezoar.detect.samples.strip import Strip
from bezoar.detect.scores import SAMPLE_DETECTORS, SampleDetector, Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence, History
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped

N, POISONS = 240, 20


def evidence(seed: int = 0, *, classes: int = 3, poisons: int = POISONS) -> tuple[Evidence, np.ndarray]:
    """Samples whose first `poisons` of class 0 look like another class early, alike late, and stand out in all else."""
    generator = np.random.default_rng(seed)
    labels = np.arange(N) % classes
    poison = np.zeros(N, dtype=bool)
    poison[np.flatnonzero(labels == 0)[:poisons]] = True
    centres = 6 * np.eye(classes, 8)
    looks = np.where(poison, 1, labels)
    noise = [generator.normal(size=(N, 8)) for _ in range(4)]
    layers = {f"layer{i}": 0.6 * centres[looks if i < 2 else labels] + noise[i] for i in range(4)}
    hardness = generator.normal(0, 0.3, N)
    loss = np.exp(np.linspace(0.5, -1, 6)[:, None] + hardness - 2.5 * poison[None])
    extra = {
        "superposed-entropy": generator.normal(1.2, 0.2, (N, 5)) - 0.8 * poison[:, None],
        "confused-agreement": (generator.random((N, 3)) < np.where(poison, 0.95, 0.05)[:, None]).astype(float),
        "confused-loss": generator.gamma(2, 0.2, (N, 3)) + np.where(poison, 0, 2)[:, None],
        "asset-loss": generator.normal(0.6, 0.15, (N, 3)) + 3 * poison[:, None],
    }
    history = History(loss, loss < 1.2)
    ids = tuple(f"id{i:03d}" for i in generator.permutation(N))
    names = tuple(f"class {i}" for i in range(classes))
    return Evidence(ids, labels, names, layers=layers, history=history, extra=extra), poison


DETECTORS = [
    TrainingDynamics(),
    TrainingDynamics(measure="area", side="fast"),
    NeighbourDisagreement(neighbours=8, compare="late-minus-early"),
    NeighbourDisagreement(neighbours=8, compare="late-minus-early", metric="whitened"),
    Strip(),
    ConfusionTraining(),
    Asset(),
]
NAMES = [SAMPLE_DETECTORS.spec_of(detector) for detector in DETECTORS]


def scored(detector: SampleDetector, about: Evidence, seed: int = 0) -> Scores:
    scores = detector.score(about, seed=seed)
    assert isinstance(scores, Scores)
    return scores


def in_class(scores: Scores, about: Evidence, poison: np.ndarray, label: int = 0) -> float:
    own = about.labels == label
    found = auroc(scores.values[own], poison[own])
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
@pytest.mark.parametrize("classes", [2, 3])
def test_planted_poison_is_ranked_first_and_its_class_named(detector: SampleDetector, classes: int) -> None:
    about, poison = evidence(classes=classes)
    scores = scored(detector, about)
    assert in_class(scores, about, poison) > 0.97
    assert scores.classes is not None
    assert np.argmax(scores.classes) == 0
    assert scores.classes[0] > 5


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_nothing_planted_nothing_found(detector: SampleDetector) -> None:
    about, _ = evidence(seed=1, poisons=0)
    fake = np.zeros(N, dtype=bool)
    fake[np.flatnonzero(about.labels == 0)[:POISONS]] = True
    scores = scored(detector, about)
    assert 0.3 < in_class(scores, about, fake) < 0.7
    assert scores.classes is None or scores.classes.max() < 4


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_scores_follow_ids_not_rows(detector: SampleDetector) -> None:
    about, _ = evidence()
    order = np.random.default_rng(3).permutation(N)
    first, second = scored(detector, about), scored(detector, about.select(order))
    assert second.by_id() == pytest.approx(first.by_id(), abs=1e-9)
    assert np.array_equal(scored(detector, about).values, first.values)


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_what_is_missing_is_said(detector: SampleDetector) -> None:
    about, _ = evidence()
    bare = replace(about, layers={}, history=None, extra={})
    nothing = detector.score(bare, seed=0)
    assert isinstance(nothing, Skipped)
    assert len(nothing.reason) > 15
    few = detector.score(about.select(range(7)), seed=0)
    assert isinstance(few, Skipped)
    assert few.reason != nothing.reason


@pytest.mark.parametrize("detector", DETECTORS, ids=NAMES)
def test_half_precision_is_taken(detector: SampleDetector) -> None:
    about, poison = evidence()
    assert about.history is not None
    half = replace(
        about,
        layers={name: matrix.astype(np.float16) for name, matrix in about.layers.items()},
        extra={name: matrix.astype(np.float16) for name, matrix in about.extra.items()},
        history=History(about.history.loss.astype(np.float16), about.history.correct),
    )
    assert in_class(scored(detector, half), about, poison) > 0.97


def test_dynamics_by_hand() -> None:
    correct = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]], dtype=bool)
    loss = np.array([[0.1, 1.0, 2.0, 0.0], [0.3, 2.0, 4.0, 0.0], [0.2, 3.0, 6.0, 0.0]])
    history = History(loss, correct)
    assert learnt_epoch(history).tolist() == [0, 1, 3, 2]
    assert np.exp(early_loss(history, 1 / 3)) == pytest.approx([0.1, 1, 2, 1e-4])
    assert np.exp(early_loss(history, 2 / 3)) == pytest.approx([0.2, 1.5, 3, 1e-4])
    assert np.exp(area(history)) == pytest.approx([0.2, 2, 4, 1e-4])


def test_slow_samples_are_found_from_the_other_side() -> None:
    about, poison = evidence()
    assert about.history is not None
    slow = replace(about, history=History(1 / about.history.loss, about.history.correct))
    assert in_class(scored(TrainingDynamics(side="slow"), slow), about, poison) > 0.97
    assert in_class(scored(TrainingDynamics(side="fast"), slow), about, poison) < 0.1
    assert in_class(scored(TrainingDynamics(side="both"), slow), about, poison) > 0.97
    notes = scored(TrainingDynamics(), slow).notes
    assert any("label errors" in note for note in notes)
    assert notes[-1].endswith("0 were learnt fast and 2 slowly")


def test_a_history_that_tells_nothing_is_skipped() -> None:
    about, _ = evidence()
    assert about.history is not None
    one = replace(about, history=History(about.history.loss[:1], about.history.correct[:1]))
    broken = replace(about, history=History(np.full((2, N), np.nan), about.history.correct[:2]))
    assert isinstance(TrainingDynamics().score(one, seed=0), Skipped)
    assert isinstance(TrainingDynamics().score(broken, seed=0), Skipped)


@pytest.mark.parametrize("metric", ["cosine", "whitened"])
def test_neighbours_against_a_plain_search(metric: str) -> None:
    generator = np.random.default_rng(4)
    matrix = generator.normal(size=(60, 5)) * [1, 5, 2, 0.5, 1] + 3
    labels = generator.integers(0, 3, 60)
    reference = np.sort(generator.permutation(60)[:45])
    base = matrix[reference] - matrix[reference].mean(axis=0)
    points = matrix - matrix[reference].mean(axis=0)
    if metric == "cosine":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    else:
        covariance = base.T @ base / len(base)
        ridge = 1e-3 * np.trace(covariance) / 5
        points = points @ np.linalg.cholesky(np.linalg.inv(covariance + ridge * np.eye(5)))
    expected = []
    for row in range(60):
        others = [other for other in reference if other != row]
        near = sorted(others, key=lambda other, row=row: float(((points[row] - points[other]) ** 2).sum()))[:7]
        expected.append(np.mean(labels[near] == labels[row]))
    found = label_share(matrix, labels, queries=np.arange(60), reference=reference, neighbours=7, metric=metric)  # type: ignore[arg-type]
    assert found == pytest.approx(np.array(expected))


def test_a_drawn_reference_bounds_the_cost_and_is_told() -> None:
    about, poison = evidence()
    detector = NeighbourDisagreement(neighbours=8, reference=120, compare="late-minus-early")
    scores = scored(detector, about)
    assert in_class(scores, about, poison) > 0.9
    assert scores.notes == ("neighbours were sought among 120 of 240 samples",)
    assert scored(detector, about.select(np.arange(N)[::-1])).by_id() == pytest.approx(scores.by_id())
    assert scored(NeighbourDisagreement(neighbours=8), about).notes == ()


def test_poisons_that_are_neighbours_everywhere_agree() -> None:
    """A trigger that shows in features of every layer, in a class that otherwise overlaps another."""
    about, _ = evidence(poisons=0)
    poison = np.zeros(N, dtype=bool)
    poison[np.flatnonzero(about.labels == 0)[:POISONS]] = True
    moved = {name: 0.4 * matrix + 8 * np.outer(poison, np.eye(8)[7]) for name, matrix in about.layers.items()}
    noise = np.random.default_rng(0).normal(size=(N, 8))
    moved = {name: matrix + noise for name, matrix in moved.items()}
    scores = scored(NeighbourDisagreement(neighbours=8), replace(about, layers=moved))
    assert in_class(scores, about, poison) > 0.97
    assert scores.values.max() == 1.0


def test_label_errors_disagree_late() -> None:
    about, _ = evidence(poisons=0)
    wrong = np.zeros(N, dtype=bool)
    wrong[np.flatnonzero(about.labels == 1)[:10]] = True
    given = replace(about, labels=np.where(wrong, 0, about.labels))
    late = scored(NeighbourDisagreement(neighbours=8, compare="late-disagreement"), given)
    assert in_class(late, given, wrong) > 0.97
    # They disagree early as well, so the detector of poison has no more than chance's slant on them.
    gap = scored(NeighbourDisagreement(neighbours=8, compare="late-minus-early"), given)
    assert in_class(gap, given, wrong) < 0.8


def test_one_layer_tells_only_of_agreement() -> None:
    about, _ = evidence()
    alone = replace(about, layers={"layer3": about.layers["layer3"]})
    assert isinstance(NeighbourDisagreement(neighbours=8, compare="late-minus-early").score(alone, seed=0), Skipped)
    high = scored(NeighbourDisagreement(neighbours=8, compare="agreement"), alone)
    low = scored(NeighbourDisagreement(neighbours=8, compare="late-disagreement"), alone)
    assert high.values == pytest.approx(1 - low.values)


def test_strip_by_the_paper_with_trusted_samples() -> None:
    about, poison = evidence()
    entropy = about.extra["superposed-entropy"].mean(axis=1)
    trusted = about.select(np.flatnonzero(~poison)[:100])
    known = entropy[~poison][:100]
    scores = Strip().score(about, trusted=trusted, seed=0)
    assert isinstance(scores, Scores)
    assert scores.values == pytest.approx((known.mean() - entropy) / known.std())


def test_confusion_by_losses_or_else_by_rounds() -> None:
    about, _ = evidence()
    agreement, losses = np.zeros((N, 2)), np.full((N, 2), 5.0)
    agreement[0], agreement[1, 1] = 1, 1
    losses[0, 1], losses[1, 1], losses[2, 0] = 0.5, 1.0, 0.0
    extra = {"confused-agreement": agreement, "confused-loss": losses}
    by_loss = scored(ConfusionTraining(), replace(about, extra=extra))
    assert by_loss.values[:3].tolist() == [-0.5, -1.0, -5.0]
    assert by_loss.notes == ("a confused network still gives 2 of 240 samples their label",)
    only = scored(ConfusionTraining(), replace(about, extra={"confused-agreement": agreement}))
    assert only.values[:3].tolist() == [1.0, 0.5, 0.0]


def test_a_preferred_class_is_no_poisoned_class() -> None:
    about, _ = evidence(poisons=0)
    preferred = about.labels == 1
    extra = {name: about.extra[name].copy() for name in ("confused-agreement", "confused-loss")}
    extra["confused-agreement"][preferred] = 1
    extra["confused-loss"][preferred] -= 1
    found = scored(ConfusionTraining(), replace(about, extra=extra)).classes
    assert found is not None
    assert np.abs(found).max() < 4


def test_a_cut_is_drawn_between_two_kinds_only() -> None:
    generator = np.random.default_rng(0)
    low, high = generator.normal(0, 1, 900), generator.normal(8, 1, 100)
    cut = mixture_cut(np.concatenate([low, high]), seed=0)
    assert cut is not None
    assert low.max() < cut < high.min()
    assert mixture_cut(low, seed=0) is None
    assert mixture_cut(np.ones(50), seed=0) is None


def test_spreads_worked_by_hand() -> None:
    values = np.concatenate([np.arange(-10.0, 11.0), 2 * np.arange(-10.0, 11.0) + 7, 4 * np.arange(-10.0, 11.0)])
    labels = np.repeat([0, 1, 2], 21)
    spread = 1.4826 * 11  # the median of the three: distances 2, 4, ..., 20 of the second class
    assert centred_in_class(values, labels) == pytest.approx((values - np.repeat([0, 7, 0], 21)) / spread)
    assert (centred_in_class(np.ones(63), labels) == 0).all()


def test_excess_worked_by_hand() -> None:
    labels = np.repeat([0, 1, 2], [100, 100, 5])
    flagged = np.zeros(205, dtype=bool)
    flagged[:40], flagged[100:119] = True, True
    chance = (19 + 1) / (105 + 2)
    expected = (40 - 100 * chance) / np.sqrt(100 * chance * (1 - chance))
    found = excess_of_flags(flagged, labels, 3)
    assert found[0] == pytest.approx(expected)
    assert np.isnan(found[2])
    assert np.isnan(tail_excess(flagged.astype(float), labels, 3)[2])


def test_the_tail_of_a_class_is_measured_by_the_others() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 500)
    values = generator.normal(size=1500)
    assert np.abs(tail_excess(values, labels, 3)).max() < 4
    values[:50] += 6
    found = tail_excess(values, labels, 3)
    assert found[0] > 15
    assert found[1:].max() < 1


@pytest.mark.parametrize("fields", [{"neighbours": 0}, {"neighbours": 20, "reference": 20}])
def test_impossible_neighbours_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        NeighbourDisagreement(**fields)
    with pytest.raises(UsageError):
        TrainingDynamics(early=0)
