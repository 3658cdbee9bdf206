"""Numerics of training against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bezoar.training.fast import whitening_filters
from bezoar.training.optimizers import Muon, orthogonalise
from bezoar.training.recipe import Recipe


@pytest.mark.parametrize("shape", [(8, 30), (30, 8), (16, 16)])
def test_orthogonalise_keeps_singular_vectors_and_evens_out_singular_values(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    in_its_own_basis = left.T @ orthogonalise(matrix, steps=6) @ right.T
    values = in_its_own_basis.diagonal()
    assert torch.allclose(in_its_own_basis, torch.diag(values), atol=1e-8)
    assert values.min() > 0.6
    assert values.max() < 1.3


@pytest.mark.parametrize("shape", [(48, 288), (128, 576), (128, 64)])
def test_orthogonalising_on_the_gram_matrix_is_the_iteration_of_the_paper(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    # Singular values over three orders of magnitude, where working on their squares could cost digits.
    matrix *= torch.logspace(0, -3, shape[0])[:, None]
    x = matrix.double().numpy()
    x = (x if shape[0] <= shape[1] else x.T) / np.linalg.norm(x)
    for _ in range(4):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    expected = x if shape[0] <= shape[1] else x.T
    assert np.abs(orthogonalise(matrix).numpy() - expected).max() < 1e-4


def test_muon_step_against_numpy() -> None:
    weight = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    gradients = [torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(seed)) for seed in (2, 3)]
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = Muon([parameter], lr=0.1, momentum=0.6)
    expected, buffer = weight.numpy().astype(np.float64), np.zeros((6, 2, 3, 3))
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        g = gradient.numpy().astype(np.float64)
        buffer = 0.6 * buffer + g
        x = (g + 0.6 * buffer).reshape(6, -1)
        x = x / np.linalg.norm(x)
        for _ in range(4):
            gram = x @ x.T
            x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
        expected = expected * np.sqrt(6) / np.linalg.norm(expected) - 0.1 * x.reshape(expected.shape)
    assert np.allclose(parameter.detach().numpy(), expected, atol=1e-4)


def test_whitening_makes_patches_white() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.avg_pool2d(torch.randn(400, 3, 18, 18, generator=generator), 3, 1)
    filters = whitening_filters(images, 24, 2, 2)
    assert torch.equal(filters[:12], -filters[12:])
    patches = images.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    answers = patches @ filters[:12].reshape(12, -1).T
    covariance = (answers.T @ answers / len(answers)).numpy()
    assert np.allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    assert np.diag(covariance).max() < 1.001
    assert np.diag(covariance).min() > 0.5


def test_schedule_rises_and_falls() -> None:
    recipe = Recipe(warm_up=0.2)
    assert [round(recipe.rate_at(x), 3) for x in (0.0, 0.1, 0.2, 0.6, 1.0)] == [0.0, 0.5, 1.0, 0.5, 0.0]
    cosine = Recipe(warm_up=0.0, schedule="cosine")
    assert [round(cosine.rate_at(x), 3) for x in (0.0, 0.5, 1.0)] == [1.0, 0.5, 0.0]
