"""What a report draws: samples in the plane of their leading directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from signal_toys import CLASSES, bare_evidence

from bezoar.scan.views import projection


@pytest.mark.parametrize("width", [2, 40, 1_500])  # the few leading directions of wide rows are found another way
def test_samples_are_drawn_along_the_two_directions_in_which_they_vary_most(width):
    evidence = bare_evidence()
    generator = np.random.default_rng(3)
    axes = np.linalg.qr(generator.normal(size=(width, 2)))[0]
    places = generator.normal(size=(len(evidence), 2))
    places = np.linalg.qr(places - places.mean(0))[0] * (90.0, 30.0)  # uncorrelated in this very sample
    rows = places @ axes.T + 0.01 * generator.normal(size=(len(evidence), width))
    evidence = replace(evidence, inputs={"made up": rows.astype(np.float32)})

    drawn = projection(evidence, {}, seed=0)
    assert len(drawn) == len(evidence)
    order = np.argsort(np.random.default_rng(0).permutation(len(evidence)))  # the order in which samples are drawn
    seen = np.array([(point.x, point.y) for point in drawn])[order]
    for axis in (0, 1):
        assert abs(np.corrcoef(seen[:, axis], places[:, axis])[0, 1]) > 0.999
        assert seen[:, axis].std() == pytest.approx(places[:, axis].std(), rel=0.05)


def test_suspects_come_first_and_one_column_is_enough():
    evidence = replace(bare_evidence(), inputs={"made up": np.arange(230.0)[:, None]})
    drawn = projection(evidence, {"id 105": 0.9, "id 101": 0.8}, seed=0)
    assert [point.suspect for point in drawn[:3]] == [True, True, False]
    assert {point.class_name for point in drawn} == {CLASSES[1]}
    assert projection(bare_evidence(), {}, seed=0) == ()
