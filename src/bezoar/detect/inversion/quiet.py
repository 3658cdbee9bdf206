"""A model that is asked and differentiated, and left as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within, evaluation mode and no gradients of weights; afterwards every module's mode and all else as it was."""
    modes = [(module, module.training) for module in model.modules()]
    learning = [one for one in model.parameters() if one.requires_grad]
    model.eval()
    for one in learning:
        one.requires_grad_(False)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for one in learning:
            one.requires_grad_(True)
