from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from bezoar.detect.numerics.moments import Moments, blocks, merge, moments, moments_by_part
from bezoar.errors import DataError, LabelError, ShapeError, UsageError


def planted(n: int = 400, d: int = 7, k: int = 4, seed: int = 0, offset: float = 0.0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, k, n)
    rows = generator.normal(size=(n, d)) @ generator.normal(size=(d, d)) + 3 * generator.normal(size=(k, d))[labels]
    return (rows + offset).astype(np.float32), labels


def by_hand(rows: np.ndarray, labels: np.ndarray, k: int) -> Moments:
    rows = rows.astype(np.float64)
    means = np.zeros((k, rows.shape[1]))
    scatter = np.zeros((rows.shape[1],) * 2)
    for label in range(k):
        own = rows[labels == label]
        if len(own):
            means[label] = own.mean(0)
            scatter += (own - means[label]).T @ (own - means[label])
    return Moments(np.bincount(labels, minlength=k).astype(float), means, scatter)


def assert_same(found: Moments, expected: Moments, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(found.counts, expected.counts)
    size = np.abs(expected.means).max() + 1e-30
    np.testing.assert_allclose(found.means, expected.means, atol=tolerance * size)
    np.testing.assert_allclose(found.scatter, expected.scatter, atol=tolerance * np.abs(expected.scatter).max())


@pytest.mark.parametrize("size", [1, 3, 64, 1000, None])
def test_moments_are_those_computed_by_hand_whatever_the_block(size: int | None) -> None:
    rows, labels = planted()
    found = moments(rows, labels, 5, size=size)
    assert_same(found, by_hand(rows, labels, 5))
    assert found.counts[4] == 0
    assert not found.means[4].any()


def test_a_worked_example() -> None:
    found = moments(np.array([[1.0, 0], [3, 0], [5, 5]]), np.array([0, 0, 1]), 2)
    assert found.means.tolist() == [[2, 0], [5, 5]]
    assert found.scatter.tolist() == [[2, 0], [0, 0]]
    assert found.total == 3
    np.testing.assert_allclose(found.mean, [3, 5 / 3])
    assert found.covariance.tolist() == [[2, 0], [0, 0]]


def test_scatter_within_and_between_is_that_of_all_rows() -> None:
    rows, labels = planted()
    found = moments(rows, labels, 4)
    expected = np.cov(rows.astype(float).T, bias=True) * len(rows)
    np.testing.assert_allclose(found.scatter + found.between, expected, rtol=1e-4)


def test_covariance_is_pooled_as_in_linear_discriminant_analysis() -> None:
    rows, labels = planted()
    residual = rows - by_hand(rows, labels, 4).means[labels]
    np.testing.assert_allclose(
        moments(rows, labels, 4).covariance, residual.T @ residual / (len(rows) - 4), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize(("dtype", "offset", "tolerance"), [("f4", 3e3, 1e-5), ("f8", 1e6, 1e-5), ("f2", 100, 1e-5)])
def test_columns_far_from_zero_lose_nothing(dtype: str, offset: float, tolerance: float) -> None:
    rows, labels = planted(offset=0.0)
    rows = (rows.astype("f8") + offset).astype(dtype)
    assert_same(moments(rows, labels, 4, size=50), by_hand(rows, labels, 4), tolerance)


def test_order_of_rows_is_rounding_only() -> None:
    rows, labels = planted()
    order = np.random.default_rng(1).permutation(len(rows))
    sorted_by_class = np.argsort(labels)
    whole = moments(rows, labels, 4, size=32)
    assert_same(moments(rows[order], labels[order], 4, size=32), whole)
    assert_same(moments(rows[sorted_by_class], labels[sorted_by_class], 4, size=32), whole)


def test_merged_parts_are_the_whole_in_any_grouping() -> None:
    rows, labels = planted()
    # The first part lacks classes that the others have.
    cuts = [np.flatnonzero(labels == 0), *np.array_split(np.flatnonzero(labels != 0), 3)]
    parts = [moments(rows[cut], labels[cut], 5) for cut in cuts]
    whole = moments(rows, labels, 5)
    assert_same(reduce(merge, parts), whole)
    assert_same(merge(merge(parts[3], parts[2]), merge(parts[1], parts[0])), whole)
    assert_same(merge(parts[0], merge(parts[1], merge(parts[2], parts[3]))), whole)
    left, right = merge(merge(*parts[:2]), parts[2]), merge(parts[0], merge(*parts[1:3]))
    assert_same(left, right, 1e-12)


def test_merging_with_nothing_changes_nothing() -> None:
    rows, labels = planted()
    some = moments(rows, labels, 4)
    nothing = moments(rows[:0], labels[:0], 4)
    for merged in (merge(some, nothing), merge(nothing, some)):
        np.testing.assert_array_equal(merged.means, some.means)
        np.testing.assert_array_equal(merged.scatter, some.scatter)
    with pytest.raises(DataError, match="more rows than classes"):
        _ = nothing.covariance


def test_parts_are_those_of_their_rows_alone() -> None:
    rows, labels = planted()
    part = np.random.default_rng(2).integers(0, 3, len(rows))
    found = moments_by_part(rows, labels, 4, part, 3, size=37)
    for number in range(3):
        assert_same(found[number], by_hand(rows[part == number], labels[part == number], 4))


def test_weights_count_as_copies_do() -> None:
    rows, labels = planted(60)
    weights = np.random.default_rng(3).integers(0, 4, len(rows))
    found = moments(rows, labels, 4, weights=weights.astype(float), size=16)
    assert_same(found, by_hand(rows.repeat(weights, 0), labels.repeat(weights), 4))


def test_memory_maps_are_read_without_staying_in_memory(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    rows = np.arange(1 << 24, dtype=np.uint16).reshape(-1, 64).view(np.uint8)[:, :64].astype(np.float16)
    labels = np.arange(len(rows)) % 4
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert mapped.nbytes == 1 << 25
    process, most, sum_ = psutil.Process(), 0, 0.0
    before = process.memory_info().rss
    for _, block in blocks(mapped, 4096):
        sum_ += float(block.sum(dtype=np.float64))
        most = max(most, process.memory_info().rss - before)
    assert most < 1 << 23
    assert sum_ == pytest.approx(float(rows.sum(dtype=np.float64)))
    small = slice(0, 500)
    assert_same(moments(mapped[small], labels[small], 4, size=64), by_hand(mapped[small], labels[small], 4))


def test_changes_to_a_private_map_survive_a_pass(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.zeros((10, 3), dtype=np.float32))
    private = np.load(tmp_path / "rows.npy", mmap_mode="c")
    private[:] = 7
    assert sum(len(block) for _, block in blocks(private, 4)) == 10
    assert (private == 7).all()


def test_blocks_cover_every_row_once() -> None:
    matrix = np.arange(20.0).reshape(10, 2)
    found = list(blocks(matrix, 4))
    assert [(rows.start, rows.stop) for rows, _ in found] == [(0, 4), (4, 8), (8, 10)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in found]), matrix)
    assert list(blocks(matrix[:0])) == []
    with pytest.raises(UsageError):
        next(blocks(matrix, 0))


def test_rows_worked_out_on_demand() -> None:
    rows, labels = planted()

    class Doubled:
        shape = rows.shape

        def __getitem__(self, chosen: slice) -> np.ndarray:
            return 2 * rows[chosen]

    assert_same(moments(Doubled(), labels, 4, size=64), by_hand(2 * rows, labels, 4))


def test_what_does_not_fit_is_refused() -> None:
    rows, labels = planted(20)
    with pytest.raises(ShapeError):
        moments(rows, labels[:-1], 4)
    with pytest.raises(LabelError):
        moments(rows, labels + 1, 4)
    with pytest.raises(ShapeError):
        merge(moments(rows, labels, 4), moments(rows, labels, 5))
    for broken in (np.nan, np.inf, 1e30):
        spoilt = rows.copy()
        spoilt[3, 5] = broken
        with pytest.raises(DataError, match="column 5"):
            moments(spoilt, labels, 4)
