"""What any network makes of images at one of its layers, read through a hook that is always taken away again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from bezoar.errors import AttackError, UsageError, did_you_mean
from bezoar.shapes import FloatImages

ReadFeatures: TypeAlias = Callable[[FloatImages], Tensor]
"""Float images (n, c, h, w) in 0..1, on the model's device, to features (n, d) float32; gradients pass through."""


def layer_names(model: nn.Module) -> tuple[str, ...]:
    """Names of the innermost modules, those that hold no other, in the order of definition: what an index counts."""
    return tuple(name for name, module in model.named_modules() if name and not any(module.children()))


@contextmanager
def features_at(model: nn.Module, layer: str | int | None = None) -> Iterator[ReadFeatures]:
    """Read features at a layer, with the model in evaluation mode; hook and mode are put back whatever happens.

    `layer` is the name of any module, as in `model.named_modules()`, or an index into `layer_names`, negative
    from the end: a whole number, or #3 in a text, where a bare 3 is an index only if no module is called so. The
    features are the layer's output as it is before a later in-place layer changes it, of its last run where it runs
    several times. None means the input of the last linear layer, by which the classes are told apart.

    Raises AttackError, naming the layers there are, when there is no such layer, and when what comes out of it is
    no tensor of one row for each image.
    """
    module, caught = find_layer(model, layer), _Caught(str(layer))
    kind = next((one.dtype for one in model.parameters() if one.is_floating_point()), torch.float32)
    if layer is None:
        hook = module.register_forward_pre_hook(caught.input)
    else:
        hook = module.register_forward_hook(caught.output)
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        yield lambda images: caught.features(model, images.to(kind))
    finally:
        hook.remove()
        for part, mode in modes:
            part.training = mode


def find_layer(model: nn.Module, layer: str | int | None) -> nn.Module:
    """The module called `layer`, see `features_at`. Raises UsageError, naming the layers there are."""
    if layer is None:
        return _last_linear(model)
    names = layer_names(model)
    modules: dict[str, nn.Module] = {name: part for name, part in model.named_modules() if name}
    if isinstance(layer, str) and layer in modules:
        return modules[layer]
    number = re.fullmatch(r"#?(-?\d+)", str(layer))
    if number and -len(names) <= int(number[1]) < len(names):
        return modules[names[int(number[1])]]
    raise UsageError(
        f"the model has no layer {layer if isinstance(layer, int) else repr(layer)}",
        expected=f"an index from {-len(names)} to {len(names) - 1}, or one of {_listed(names)}, or what holds several",
        remedy=did_you_mean(str(layer), modules),
    )


def _last_linear(model: nn.Module) -> nn.Module:
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise AttackError(
            "the model has no linear layer whose input could be its features",
            expected="the name of a layer: " + _listed(layer_names(model)),
            remedy="Give a network that ends in a linear layer, or name the layer where there is a field layer",
        )
    return linear[-1]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "no layers at all"


class _Caught:
    """What a hook saw in the last pass."""

    def __init__(self, layer: str) -> None:
        self.layer = layer
        self.seen: object = None

    def input(self, module: nn.Module, inputs: tuple[object, ...]) -> None:
        """Keep what goes into the layer."""
        self.seen = _kept(inputs[0]) if inputs else None

    def output(self, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        """Keep what comes out of the layer."""
        self.seen = _kept(output)

    def features(self, model: nn.Module, images: FloatImages) -> Tensor:
        """Run the model and hand over what was seen, flat."""
        self.seen = None
        model(images)
        return self._taken(len(images))

    def _taken(self, count: int) -> Tensor:
        seen, self.seen = self.seen, None
        if not isinstance(seen, Tensor) or seen.ndim < 1 or len(seen) != count:
            found = f"shape {tuple(seen.shape)}" if isinstance(seen, Tensor) else type(seen).__name__
            raise AttackError(
                f"no features can be read at the layer {self.layer}",
                expected=f"a tensor of {count} rows, one for each image",
                found="a layer that does not run" if seen is None else found,
                remedy="Name another layer",
            )
        return seen.flatten(1).to(torch.float32)


def _kept(value: object) -> object:
    # A copy, since a ReLU that works in place would change what was kept.
    return value.clone() if isinstance(value, Tensor) else value
