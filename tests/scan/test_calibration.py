"""What a p-value rests on: a reference of clean classes, its tail and its floor, and Holm's correction."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from bezoar.errors import DataError
from bezoar.scan.calibration import Reference, holm, reference_of, references, references_for
from bezoar.scan.panel import in_words, kinds_of, panel

UNIFORM = reference_of([number / 100 for number in range(100)], 4, smallest=60)


def test_the_tail_begins_where_a_tenth_lies_above() -> None:
    assert (UNIFORM.count, UNIFORM.data_sets, UNIFORM.smallest) == (100, 4, 60)
    assert UNIFORM.start == 0.90
    assert UNIFORM.above == 9 / 100
    # 0.91 to 0.99 lie 0.01 to 0.09 above, 0.05 in the mean; a standard error of a third is added.
    assert UNIFORM.excess == pytest.approx(0.05 * (1 + 1 / 3))
    assert (UNIFORM.quantiles[0], UNIFORM.quantiles[10], UNIFORM.quantiles[20]) == (0.0, 0.5, 0.99)


@pytest.mark.parametrize(("statistic", "expected"), [(-1.0, 1.0), (0.0, 20 / 21), (0.5, 10 / 21), (0.89, 2 / 21)])
def test_below_the_tail_it_is_the_share_of_quantiles_above(statistic: float, expected: float) -> None:
    assert UNIFORM.p_value(statistic) == pytest.approx(max(expected, 0.09))


def test_the_tail_falls_off_exponentially_down_to_the_floor() -> None:
    assert UNIFORM.p_value(0.9) == pytest.approx(0.09)
    assert UNIFORM.p_value(0.9 + UNIFORM.excess) == pytest.approx(0.09 / math.e)
    assert UNIFORM.p_value(0.9 + 3 * UNIFORM.excess) == pytest.approx(0.09 / math.e**3)
    assert UNIFORM.p_value(50.0) == UNIFORM.least == pytest.approx(1e-5)


def test_beyond_still_tells_apart_what_the_floor_makes_equal() -> None:
    assert UNIFORM.p_value(5.0) == UNIFORM.p_value(50.0)
    assert UNIFORM.beyond(50.0) > UNIFORM.beyond(5.0) > 0 > UNIFORM.beyond(0.5)
    assert UNIFORM.beyond(0.9 + 2 * UNIFORM.excess) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", ["of this test", *references()])
def test_p_values_never_rise_with_the_statistic(kind: str) -> None:
    reference = UNIFORM if kind == "of this test" else references()[kind]
    end = reference.start + 30 * reference.excess
    p_values = [reference.p_value(value) for value in np.linspace(reference.quantiles[0] - 1, end, 2000)]
    assert all(later <= earlier for earlier, later in pairwise(p_values))
    assert 1.0 == p_values[0] > p_values[-1] == reference.least > 0


def test_p_values_of_clean_statistics_are_no_smaller_than_they_ought_to_be() -> None:
    generator = np.random.default_rng(3)
    reference = reference_of(generator.gamma(2.0, size=2000).tolist(), 10, smallest=60)
    p_values = np.array([reference.p_value(value) for value in generator.gamma(2.0, size=20_000)])
    for level in (0.05, 0.01, 0.002):
        assert (p_values <= level).mean() <= 1.25 * level
    assert (p_values <= 0.01).mean() >= 0.003  # nor so large that nothing is ever told


def test_ties_at_the_top_leave_a_tail() -> None:
    reference = reference_of([0.0] * 70 + [1.0] * 30, 2, smallest=60)
    assert (reference.start, reference.above) == (0.0, 0.3)
    assert reference.p_value(1.0) < reference.p_value(0.5) < reference.p_value(0.0) == 0.3


@pytest.mark.parametrize("statistics", [[], [1.0, 2.0] * 9, [1.0] * 50, [*range(40), math.nan], [*range(40), math.inf]])
def test_no_reference_is_made_of_what_is_none(statistics: list[float]) -> None:
    with pytest.raises(DataError, match="no reference"):
        reference_of(statistics, 1, smallest=60)


def test_holm_worked_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, of which the last may not fall.
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


def test_holm_of_many_of_few_and_of_none() -> None:
    assert holm({}) == {}
    assert holm({"one": 0.2}) == {"one": 0.2}
    assert holm({"one": 0.7, "two": 0.7}) == {"one": 1.0, "two": 1.0}


def test_holm_against_its_definition() -> None:
    """The least level at which the step-down procedure rejects, found by trying levels."""
    p_values = dict(enumerate(np.random.default_rng(0).uniform(0, 0.3, 7).tolist()))

    def rejected(level: float) -> set[int]:
        out: set[int] = set()
        for rank, key in enumerate(sorted(p_values, key=p_values.__getitem__)):
            if p_values[key] > level / (len(p_values) - rank):
                break
            out.add(key)
        return out

    for key, adjusted in holm(p_values).items():
        assert key in rejected(adjusted + 1e-9)
        assert key not in rejected(adjusted - 1e-9)


def test_every_detector_of_a_standard_scan_that_judges_classes_has_a_reference() -> None:
    kinds = kinds_of(panel("standard", ("stem", "stages.0", "stages.1")))
    assert set(kinds.values()) == set(references())


def test_kinds_say_what_is_comparable() -> None:
    assert kinds_of(("hidden-pattern", "scan:normalised=false", "spectre")) == {
        "hidden-pattern": "hidden-pattern on samples",
        "scan:normalised=false": "scan",
        "spectre": "spectre",
    }
    assert set(kinds_of(("hidden-pattern:rows=spectrum", "hidden-pattern:rounds=2,rows=pixels")).values()) == {
        "hidden-pattern on samples"
    }


@pytest.mark.parametrize(("layers", "deep"), [("a", "a"), ("ab", "b"), ("abc", "bc"), ("abcd", "cd")])
def test_the_deeper_half_of_the_layers_is_a_kind_of_its_own(layers: str, deep: str) -> None:
    specs = ["hidden-pattern", *(f"hidden-pattern:rounds=2,rows={layer}" for layer in layers), "spectre"]
    kinds = kinds_of(specs)
    found = {spec[-1] for spec, kind in kinds.items() if kind == "hidden-pattern on deep layers"}
    assert found == set(deep)
    assert sum(kind == "hidden-pattern on layers" for kind in kinds.values()) == len(layers) - len(deep)


@pytest.mark.parametrize(("layers", "early"), [("a", ""), ("abc", "a"), ("abcdef", "ab")])
def test_from_content_the_first_third_of_the_layers_is_a_kind_of_its_own(layers: str, early: str) -> None:
    kinds = kinds_of(panel("standard", layers))
    found = {kind: [spec for spec in kinds if kinds[spec] == kind] for kind in kinds.values()}
    assert [spec.split("=")[1][0] for spec in found.get("hidden-pattern by content on layers", [])] == list(early)
    assert len(found["hidden-pattern by content on deep layers"]) == len(layers) - len(early)
    assert found["hidden-pattern by content on samples"] == ["hidden-pattern:rows=spectrum,first=content"]


def test_the_panel_grows_with_the_budget() -> None:
    layers = ("stem", "stages.0", "stages.1")
    quick, standard, thorough, trusting = (
        panel("quick", layers),
        panel("standard", layers),
        panel("thorough", layers),
        panel("thorough", layers, trusted=True),
    )
    assert set(quick) < set(standard) < set(thorough) < set(trusting)
    assert "hidden-pattern:rows=stem" not in standard  # the shallower third of a network is left out,
    assert "hidden-pattern:rows=stem,first=content" in standard  # but not where content says what is odd
    assert panel("thorough", ()) == quick


def test_a_reference_is_what_the_file_says() -> None:
    known = references()
    assert all(isinstance(reference, Reference) and len(reference.quantiles) == 21 for reference in known.values())
    assert all(reference.count >= 20 and reference.excess > 0 for reference in known.values())


def test_a_sentence_can_name_every_detector_that_accuses() -> None:
    layers = ("stem", "stages.0", "stages.1")
    accusing = [spec for spec in panel("standard", layers) if spec in references_for(panel("standard", layers))]
    told = [in_words(spec) for spec in accusing]
    assert len(set(told)) == len(accusing)
    assert not any(mark in words for words in told for mark in ("=", ":", "_"))
