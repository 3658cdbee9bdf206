"""The last linear layer of any network, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.errors import AttackError
from bezoar.shapes import Images

TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Head:
    """The Linear whose output, times `scale`, are the logits."""

    name: str
    module: nn.Linear
    scale: float

    def look(self, model: nn.Module, images: Images) -> tuple[Tensor, Tensor]:
        """Features (n, d) that the layer sees, and the model's logits (n, classes); with gradients where they are on.

        For a layer with a bias a last feature that is always 1 stands for it.
        """
        seen: list[Tensor] = []
        hook = self.module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        try:
            logits = model(images)
        finally:
            hook.remove()
        features = seen[-1]
        if self.module.bias is not None:
            features = torch.cat([features, features.new_ones(len(features), 1)], 1)
        return features, logits


def find_head(model: nn.Module, images: Images) -> Head:
    """The last linear layer of `model`, found in one pass over a few images.

    Raises AttackError when the logits are not the output of an nn.Linear times a positive number, saying which there
    are.
    """
    outputs: dict[str, tuple[nn.Linear, Tensor]] = {}
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    hooks = [
        module.register_forward_hook(lambda own, _, output, name=name: outputs.__setitem__(name, (own, output)))
        for name, module in layers
    ]
    try:
        with torch.no_grad():
            logits = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    for name, (module, output) in reversed(outputs.items()):
        scale = _scale(output, logits)
        if scale is not None:
            return Head(name, module, scale)
    raise AttackError(
        "the model's logits do not come from a last linear layer",
        expected="an nn.Linear of features (n, d), whose output times a positive number are the logits",
        found="the linear layers " + ", ".join(name for name, _ in layers) if layers else "no nn.Linear",
    )


def _scale(output: Tensor, logits: Tensor) -> float | None:
    if output.shape != logits.shape:
        return None
    scale = float((output * logits).sum() / output.square().sum().clamp_min(1e-12))
    error = (output * scale - logits).abs().max()
    return scale if scale > 0 and error <= TOLERANCE * logits.abs().max() else None
