"""How channels run through a network: found by watching one forward pass, with no knowledge of its architecture.

A channel space is a set of channels that belong together: what a convolution puts out, what normalisation, activation
and pooling make of it, and everything that is added to it at a shortcut. A channel can be cut off, or given to another
purpose, only in all of its space at once. (Structured pruning groups parameters alike: Fang et al. 2023, DepGraph,
arXiv 2301.12900.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from bezoar.errors import AttackError

LAYERS = (nn.Conv2d, nn.Linear, _BatchNorm)
NEEDED = "a chain of Conv2d, BatchNorm and Linear with activations, pooling, flattening and shortcuts that add"
# What leaves every channel by itself. Inplace variants and operators are matched by the name without underscores.
ACTIVATIONS = frozenset({"relu", "relu6", "leakyrelu", "elu", "gelu", "silu", "hardswish", "hardtanh", "tanh"})
POOLING = frozenset({"maxpool2d", "avgpool2d", "adaptiveavgpool2d", "adaptivemaxpool2d", "mean", "amax", "squeeze"})
ARITHMETIC = frozenset({"add", "iadd", "radd", "sub", "isub", "mul", "imul", "rmul", "div", "idiv", "truediv"})
COPYING = frozenset({"contiguous", "to", "float", "clone", "detach", "dropout", "dropout2d", "clamp", "clampmin"})
CHANNELWISE = ACTIVATIONS | POOLING | ARITHMETIC | COPYING
RESHAPING = frozenset({"flatten", "view", "reshape"})


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer with parameters, in the order of the forward pass.

    `inward` and `outward` are the spaces it reads from and writes to. It `mixes` if it makes new channels out of all
    others; a normalisation and a depthwise convolution do not, and both spaces are one. A Linear behind a flattening
    reads `spread` neighbouring inputs for each channel.
    """

    name: str
    module: nn.Module
    inward: int
    outward: int
    spread: int = 1
    mixes: bool = True


@dataclass(frozen=True, eq=False)
class Wiring:
    """The layers of a network in order, its channel spaces by number with their sizes, and two of them by role."""

    layers: tuple[Layer, ...]
    sizes: Mapping[int, int]
    images: int
    logits: int

    @property
    def inner(self) -> tuple[int, ...]:
        """The spaces between images and logits, in the order of the forward pass."""
        spaces = dict.fromkeys(layer.outward for layer in self.layers)
        return tuple(space for space in spaces if space not in (self.images, self.logits))

    def writers(self, space: int) -> tuple[Layer, ...]:
        """Layers that make the channels of a space."""
        return tuple(layer for layer in self.layers if layer.mixes and layer.outward == space)

    def readers(self, space: int) -> tuple[Layer, ...]:
        """Layers that make other channels out of those of a space."""
        return tuple(layer for layer in self.layers if layer.mixes and layer.inward == space)

    def bound_to(self, model: nn.Module) -> Wiring:
        """The same wiring for a copy of the network."""
        modules = dict(model.named_modules())
        layers = tuple(replace(one, module=modules[one.name]) for one in self.layers)
        return Wiring(layers, self.sizes, self.images, self.logits)


def watch(model: nn.Module, images: Tensor) -> Wiring:
    """The wiring of `model`, in evaluation mode, as one forward pass of float `images` (n, c, h, w) shows it.

    Raises AttackError where channels cannot be followed: concatenation, attention, grouped convolutions, layers that
    are used twice, parameters outside of Conv2d, Linear and BatchNorm.
    """
    watcher = _Watcher(model, images)
    with torch.no_grad(), watcher:
        logits = model(images)
    wiring = watcher.wiring(logits)
    _require_every_parameter(model, wiring)
    return wiring


def channel_columns(channels: Sequence[int], spread: int) -> list[int]:
    """Input columns of a layer that belong to these channels."""
    return [channel * spread + place for channel in channels for place in range(spread)]


class _Watcher(TorchFunctionMode):
    """Follows tensors through functions; spaces are merged where channels meet."""

    def __init__(self, model: nn.Module, images: Tensor) -> None:
        super().__init__()
        self.owners = {
            id(module.weight): (name, module) for name, module in model.named_modules() if isinstance(module, LAYERS)
        }
        self.parents: list[int] = []
        self.sizes: list[int] = []
        self.layers: list[Layer] = []
        # The tensors are kept, since the id of one that is gone may come back as another's.
        self.followed: dict[int, tuple[Tensor, int, int]] = {}
        self._follow(images, self._new_space(images.shape[1]), 1)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        sources = [given for given in _tensors((*args, *kwargs.values())) if id(given) in self.followed]
        if sources and isinstance(result, Tensor):
            self._step(func.__name__.strip("_").replace("_", ""), sources, (*args, *kwargs.values()), result)
        elif sources and isinstance(result, tuple | list) and any(_tensors(result)):
            raise _lost(func.__name__)
        return result

    def wiring(self, logits: Tensor) -> Wiring:
        """What was seen. Raises AttackError unless the logits came out of a layer, one column for each channel."""
        _, space, spread = self.followed.get(id(logits), (logits, 0, 0))
        if self._root(space) == self._root(0) or spread != 1 or logits.ndim != 2:
            raise AttackError("the model's logits do not come out of one of its layers", expected=NEEDED)
        layers = tuple(
            replace(one, inward=self._root(one.inward), outward=self._root(one.outward)) for one in self.layers
        )
        names = [layer.name for layer in layers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise AttackError(
                "a layer is used more than once in a forward pass", expected=NEEDED, found=", ".join(twice)
            )
        sizes = {self._root(space): self.sizes[space] for space in range(len(self.parents))}
        return Wiring(layers, sizes, self._root(0), self._root(space))

    def _step(self, name: str, sources: list[Tensor], given: Sequence[Any], result: Tensor) -> None:
        owner = next((self.owners[id(one)] for one in _tensors(given) if id(one) in self.owners), None)
        if owner is not None:
            self._layer(*owner, sources[0], result)
            return
        tracked = [self.followed[id(one)][1:] for one in sources]
        if len({spread for _, spread in tracked}) > 1 or name not in CHANNELWISE | RESHAPING:
            raise _lost(name)
        for space, _ in tracked[1:]:
            self._merge(tracked[0][0], space)
        space, spread = tracked[0]
        channels = self.sizes[self._root(space)] * spread
        if name in RESHAPING and result.ndim == 2 and result.shape[1] % channels == 0:
            spread *= result.shape[1] // channels
        elif result.ndim < 2 or result.shape[1] != channels:
            raise _lost(name)
        self._follow(result, space, spread)

    def _layer(self, name: str, module: nn.Module, source: Tensor, result: Tensor) -> None:
        _, space, spread = self.followed[id(source)]
        outward = space
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            if not _is_depthwise(module):
                raise AttackError(f"{name} is a grouped convolution", expected=NEEDED, found=f"{module.groups} groups")
        elif not isinstance(module, _BatchNorm):
            outward = self._new_space(result.shape[1])
        self.layers.append(Layer(name, module, space, outward, spread, mixes=outward != space))
        self._follow(result, outward, spread if outward == space else 1)

    def _follow(self, tensor: Tensor, space: int, spread: int) -> None:
        self.followed[id(tensor)] = (tensor, space, spread)

    def _new_space(self, size: int) -> int:
        self.parents.append(len(self.parents))
        self.sizes.append(size)
        return self.parents[-1]

    def _root(self, space: int) -> int:
        while self.parents[space] != space:
            space = self.parents[space]
        return space

    def _merge(self, first: int, second: int) -> None:
        one, other = sorted((self._root(first), self._root(second)))
        if self.sizes[one] != self.sizes[other]:
            raise _lost("broadcasting over channels")
        self.parents[other] = one


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels == module.out_channels


def _tensors(values: Sequence[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)


def _lost(name: str) -> AttackError:
    return AttackError(f"channels cannot be followed through {name}", expected=NEEDED)


def _require_every_parameter(model: nn.Module, wiring: Wiring) -> None:
    known = {id(parameter) for layer in wiring.layers for parameter in layer.module.parameters()}
    strange = [name for name, parameter in model.named_parameters() if id(parameter) not in known]
    if strange:
        raise AttackError(
            "the model has parameters outside of the layers that can be followed",
            expected=NEEDED,
            found=", ".join(strange[:6]),
        )


def tails(wiring: Wiring) -> tuple[tuple[int, ...], ...]:
    """The sets of spaces in which a path can run to the logits without touching others, the longest first.

    Each begins in one of the `guarded_spaces`. Behind it a space counts only if all that reads it writes to the set
    or to the logits: the inside of a residual block belongs to its shortcut.
    """
    spaces = guarded_spaces(wiring)
    found: dict[tuple[int, ...], None] = {}
    for number in range(len(spaces)):
        tail = set(spaces[number:])
        while escaping := {
            space
            for space in tail
            if any(layer.outward not in tail | {wiring.logits} for layer in wiring.readers(space))
        }:
            tail -= escaping
        found[tuple(space for space in spaces if space in tail)] = None
    return tuple(tail for tail in found if tail)


def guarded_spaces(wiring: Wiring) -> tuple[int, ...]:
    """The inner spaces from the first on in which a normalisation or a bias can set a threshold.

    Those before it are left whole: a channel there could only pass on what it sees, and what reads it can as well
    read all of them. Raises AttackError when there is none.
    """
    for number, space in enumerate(wiring.inner):
        layers = [layer for layer in wiring.layers if layer.outward == space]
        if any(isinstance(layer.module, _BatchNorm) or layer.module.bias is not None for layer in layers):
            return wiring.inner[number:]
    raise AttackError(
        "no layer before the last has a normalisation or a bias to set a threshold with",
        expected=NEEDED,
        found="the layers " + ", ".join(layer.name for layer in wiring.layers),
    )
