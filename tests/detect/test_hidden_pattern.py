from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from bezoar.detect.samples.hidden_pattern import HiddenPattern
from bezoar.detect.scores import Scores
from bezoar.errors import UsageError
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc
from bezoar.records import Skipped

WIDTH = 30
EVEN = (500, 500, 500, 500)


def planted(
    sizes: Sequence[int] = EVEN,
    share: float = 0.0,
    *,
    target: int = 1,
    flipped: float = 0.0,
    width: int = WIDTH,
    apart: float = 0.5,
    seed: int = 0,
    dtype=np.float16,
) -> tuple[Evidence, np.ndarray]:
    """Overlapping classes of correlated columns; in `share` of the target class rows of others carry a pattern.

    The pattern is small in every column. `flipped` of all labels are wrong.
    """
    generator = np.random.default_rng(seed)
    mixing = np.eye(width) + 0.2 * np.random.default_rng(50).normal(size=(width, width))
    centres = np.random.default_rng(51).normal(0, apart, (len(sizes), width))
    pattern = 1.3 * np.random.default_rng(52).choice([-1.0, 1.0], width)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    odd = (labels == target) & (generator.random(len(labels)) < share)
    origins = np.where(odd, generator.integers(0, len(sizes), len(labels)), labels)
    rows = centres[origins] + generator.normal(size=(len(labels), width)) @ mixing + odd[:, None] * pattern
    wrong = generator.random(len(labels)) < flipped
    labels = np.where(wrong, generator.integers(0, len(sizes), len(labels)), labels)
    order = generator.permutation(len(labels))
    ids = tuple(f"{seed}-{number}" for number in range(len(labels)))
    names = tuple(f"class {number}" for number in range(len(sizes)))
    return Evidence(ids, labels[order], names, inputs={"spectrum": rows[order].astype(dtype)}), odd[order]


def found_in(evidence: Evidence, **settings) -> Scores:
    found = HiddenPattern(**settings).score(evidence, seed=0)
    assert isinstance(found, Scores)
    assert found.classes is not None
    return found


def area(found: Scores, evidence: Evidence, odd: np.ndarray, label: int = 1) -> float:
    rows = evidence.members(label)
    value = auroc(found.values[rows], odd[rows])
    assert isinstance(value, float)
    return value


@pytest.mark.parametrize("share", [0.02, 0.1, 1 / 3, 0.5])
def test_a_pattern_is_found_in_any_share_of_a_class(share):
    evidence, odd = planted(share=share)
    found = found_in(evidence)
    others = np.delete(found.classes, 1)
    assert found.classes[1] > 2 * others.max() + 0.03
    # Half a class widens the covariance that whitens it.
    assert area(found, evidence, odd) > (0.95 if share < 0.5 else 0.88)


def test_clean_classes_stay_low():
    for seed in range(2):
        assert found_in(planted(seed=seed)[0]).classes.max() < 0.12


def test_wrong_labels_are_no_pattern():
    """A fifth of the labels wrong at random, in evidence that tells classes apart as badly as spectra do."""
    noisy = found_in(planted(flipped=0.2, apart=0.2)[0])
    assert noisy.classes.max() < 0.06
    evidence, odd = planted(share=0.1, flipped=0.2, apart=0.2)
    found = found_in(evidence)
    assert int(found.classes.argmax()) == 1
    assert found.classes[1] > 0.12
    assert area(found, evidence, odd) > 0.9


def test_two_poisoned_classes_are_both_found():
    first, odd = planted((400, 400, 400, 400, 400), 0.15)
    second, also = planted((400, 400, 400, 400, 400), 0.15, target=3, seed=1)
    chosen = np.concatenate([np.flatnonzero(first.labels != 3)])
    added = np.flatnonzero(second.labels == 3)
    evidence = Evidence(
        first.select(chosen).ids + second.select(added).ids,
        np.concatenate([first.labels[chosen], second.labels[added]]),
        first.class_names,
        inputs={"spectrum": np.concatenate([first.inputs["spectrum"][chosen], second.inputs["spectrum"][added]])},
    )
    is_odd = np.concatenate([odd[chosen], also[added]])
    found = found_in(evidence)
    assert set(np.argsort(found.classes)[-2:].tolist()) == {1, 3}
    assert area(found, evidence, is_odd, 1) > 0.95
    assert area(found, evidence, is_odd, 3) > 0.95


def test_a_long_tail_and_classes_too_small_to_tell():
    evidence, odd = planted((1200, 500, 200, 80, 39, 3, 0), 0.1)
    found = found_in(evidence)
    assert np.isnan(found.classes[4:]).all()
    assert np.isfinite(found.classes[:4]).all()
    assert int(np.nanargmax(found.classes)) == 1
    assert area(found, evidence, odd) > 0.95
    assert not found.values[evidence.labels >= 4].any()


def test_a_hundred_classes():
    evidence, odd = planted((50,) * 100, 0.3, width=16)
    found = found_in(evidence, rounds=2, starts=(0.2,))
    assert int(found.classes.argmax()) == 1
    assert area(found, evidence, odd) > 0.9


def test_small_classes_in_many_columns_look_clean():
    """Sixty samples of each class in 300 columns of noise: what is odd by chance is taken off."""
    evidence, _ = planted((60, 60, 60), width=300)
    assert found_in(evidence).classes.max() < 0.15


def test_samples_beyond_those_that_find_are_judged_alike():
    evidence, odd = planted((400, 1200, 400), 0.2)
    whole, drawn = found_in(evidence), found_in(evidence, most=1000)
    rows = evidence.members(1)
    assert area(drawn, evidence, odd) > 0.95
    assert np.corrcoef(whole.values[rows], drawn.values[rows])[0, 1] > 0.9


def test_half_and_single_precision_agree():
    half, _ = planted(share=0.1)
    single, _ = planted(share=0.1, dtype=np.float32)
    np.testing.assert_allclose(found_in(half).classes, found_in(single).classes, atol=0.01)


def test_a_layer_is_searched_like_the_samples():
    evidence, _ = planted(share=0.1)
    layered = Evidence(
        evidence.ids, evidence.labels, evidence.class_names, layers={"last": evidence.inputs["spectrum"]}
    )
    found = HiddenPattern(rows="last").score(layered, seed=0)
    assert isinstance(found, Scores)
    np.testing.assert_array_equal(found.classes, found_in(evidence).classes)
    assert isinstance(HiddenPattern(rows="first").score(layered, seed=0), Skipped)


def test_columns_that_say_nothing_are_no_failure():
    evidence, odd = planted(share=0.1)
    rows = evidence.inputs["spectrum"].copy()
    rows[:, 3], rows[:, 7] = 0.0, 900.0
    found = found_in(Evidence(evidence.ids, evidence.labels, evidence.class_names, inputs={"spectrum": rows}))
    assert area(found, evidence, odd) > 0.95


def test_settings_that_make_no_sense_are_refused():
    for settings in ({"starts": ()}, {"starts": (0.0,)}, {"starts": (1.0,)}, {"rounds": 0}):
        with pytest.raises(UsageError):
            HiddenPattern(**settings)
