"""The shapes in signatures are checked while testing (conftest.py): a check that could not fail would be none."""

import pytest
import torch
from jaxtyping import TypeCheckError

from bezoar.metrics.visibility import ssim
from bezoar.training.batches import to_unit_range
from bezoar.training.optimizers import orthogonalise


@pytest.mark.parametrize(
    "call",
    [
        lambda: orthogonalise(torch.zeros(3)),
        lambda: orthogonalise(torch.zeros(3, 3, dtype=torch.int64)),
        lambda: ssim(torch.zeros(2, 3, 16, 16), torch.zeros(2, 1, 16, 16)),
        lambda: to_unit_range([1, 2, 3]),
    ],
)
def test_wrong_shapes_and_types_are_seen(call):
    with pytest.raises(TypeCheckError):
        call()
