"""A model that is asked and differentiated, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from bezoar.evidence.layers import evaluating


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within, evaluation mode and no gradients of weights; afterwards every module's mode and all else as it was."""
    learning = [one for one in model.parameters() if one.requires_grad]
    for one in learning:
        one.requires_grad_(False)
    try:
        with evaluating(model):
            yield
    finally:
        for one in learning:
            one.requires_grad_(True)
