"""A network's weights drawn anew, in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import nn

FILTERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


def draw_anew(model: nn.Module) -> str:
    """Draw every weight that is free to learn anew, from torch's generator. Returns why that can't be, else nothing.

    Each module resets itself; weights of convolutions and of linear layers but the last are then drawn for ReLU (He
    et al. 2015, arXiv 1502.01852), since torch's own are too small for deep networks without batch norm. Modules
    whose parameters are all frozen keep them, a fixed stem for instance; buffers outside such modules as
    `reset_parameters` leaves them: batch norms forget their statistics. A module with parameters of its own that
    can't reset itself is the reason why not.
    """
    owners = [(name, module) for name, module in model.named_modules() if _learns_itself(module)]
    unable = [name or type(model).__name__ for name, module in owners if not hasattr(module, "reset_parameters")]
    if unable:
        return f"the weights of {unable[0]} can't be drawn anew: hand over a function that makes the network (`fresh`)"
    linear = [module for _, module in owners if isinstance(module, nn.Linear)]
    for _, module in owners:
        cast(Callable[[], None], module.reset_parameters)()
        if isinstance(module, FILTERS) and module not in linear[-1:]:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return ""


def _learns_itself(module: nn.Module) -> bool:
    return any(one.requires_grad for one in module.parameters(recurse=False))
