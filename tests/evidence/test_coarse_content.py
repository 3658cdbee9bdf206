"""Random filters on coarse images: what they answer, and what they don't see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_spectrum import gathered, pictures

from bezoar.data.dataset import Dataset
from bezoar.data.embedded import EMBEDDED
from bezoar.evidence.samples.content import CONTENT, CONTRAST, FILTERS, THRESHOLD, RandomFilters, coarse
from bezoar.evidence.samples.small import small


def test_answers_are_thresholded_products_averaged_over_quadrants() -> None:
    images = pictures(6, 1, 6, 6).inputs.to(torch.float32)
    filters = RandomFilters.of(images)
    found = filters(images).numpy()
    pixels, weights, offset = images.numpy()[:, 0], filters.weights.numpy(), filters.offset.numpy()
    expected = np.zeros((6, 2 * FILTERS, 2, 2))
    for row in range(4):
        for column in range(4):
            patch = pixels[:, row : row + 3, column : column + 3].reshape(6, 9)
            even = (patch - patch.mean(1, keepdims=True)) / (patch.std(1, keepdims=True) + CONTRAST)
            answer = even @ weights + offset
            both = np.concatenate([np.maximum(answer - THRESHOLD, 0), np.maximum(-answer - THRESHOLD, 0)], axis=1)
            expected[:, :, row // 2, column // 2] += both / 4
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_whitened_patches_answer_with_even_strength() -> None:
    images = pictures(400, 1, 8, 8, seed=3).inputs.to(torch.float32)
    filters = RandomFilters.of(images)
    assert filters.weights.shape == (9, FILTERS)
    answers = filters(images).mean((0, 2, 3))
    assert (answers > 0).float().mean() > 0.95


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 8, 8), (3, 4, 9), (3, 100, 5)])
def test_images_of_any_shape_have_the_same_columns(shape: tuple[int, int, int]) -> None:
    data = pictures(10, *shape)
    assert CONTENT.applies(data)
    assert gathered(CONTENT, data).shape == (10, CONTENT.width(data)) == (10, 8 * FILTERS)


def test_what_is_no_picture_or_too_small_is_left_to_others() -> None:
    table = Dataset(torch.zeros(3, 5), torch.tensor([0, 1, 0]), ("a", "b"), ("x", "y", "z"))
    assert not CONTENT.applies(table)
    assert not CONTENT.applies(pictures(4, 3, 3, 8))


def test_images_without_any_texture_answer_alike() -> None:
    flat = replace(pictures(5), inputs=torch.full((5, 3, 8, 8), 90, dtype=torch.uint8))
    rows = gathered(CONTENT, flat)
    np.testing.assert_array_equal(rows, np.repeat(rows[:1], 5, axis=0))


def test_the_order_of_rows_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bezoar.evidence.samples.content.SAMPLE", 6)
    data = pictures()
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = gathered(CONTENT, data.select(order.tolist()))
    np.testing.assert_allclose(shuffled, gathered(CONTENT, data)[order], rtol=1e-4, atol=1e-5)


def test_blocks_cover_every_row_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures(11)
    whole = gathered(CONTENT, data)
    monkeypatch.setattr("bezoar.evidence.samples.small.ROWS", 4)
    np.testing.assert_allclose(gathered(CONTENT, data), whole, rtol=1e-4, atol=1e-5)


def test_a_fine_pattern_hardly_changes_what_a_sign_looks_like() -> None:
    """Of what tells two signs apart, a checkerboard of 8 levels changes a hundredth."""
    signs = EMBEDDED["signs"].draw(200, seed=0)
    images = small(signs.inputs, (3, 32, 32))
    filters = RandomFilters.of(coarse(images))
    board = 8.0 * (1 - 2 * (torch.arange(32)[:, None] + torch.arange(32)).remainder(2))
    clean, marked = (filters(coarse(some)).flatten(1) for some in (images, (images + board).clamp(0, 255)))
    between = (clean - clean.roll(1, 0)).norm(dim=1).mean()
    assert (clean - marked).norm(dim=1).mean() < 0.02 * between
