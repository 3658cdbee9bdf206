"""A stranger's weights in a network of the user's."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.training.opening.opened import Known, few, printable
from bezoar.training.own import own_model

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What wrappers of a network put before all of its names: parallel training, compilation, a training framework."""

Tensors = dict[str, Tensor]


def require_factory(path: Path, known: Known) -> str:
    """The factory of the user's. Raises ModelError where none is named."""
    if known.factory is None:
        raise ModelError(
            f"{path} holds weights and no network",
            expected="a factory beside it: package.module:function that builds the network",
            remedy="Name the function that made the network, so that the weights can be put into it",
        )
    return known.factory


def built(path: Path, tensors: Tensors, known: Known) -> tuple[nn.Module, tuple[str, ...]]:
    """The factory's network with these weights, in evaluation mode on the CPU, and notes on how they were put in.

    Raises ModelError where there is no factory, it fails, or the weights don't fit its network exactly.
    """
    factory = require_factory(path, known)
    model = own_model(factory, known.classes).to("cpu")
    stripped = fill(model, tensors, str(path), factory)
    notes = (f"all names of its weights began with {stripped!r}, which was left out",) if stripped else ()
    return model.eval(), notes


def fill(model: nn.Module, tensors: Tensors, where: str, factory: str) -> str:
    """Load the weights strictly; the prefix of all names that had to be left out, '' where they fit as they are.

    Raises ModelError that names the first tensors that are missing, unexpected or of another shape.
    """
    for prefix, renamed in _renamings(tensors):
        try:
            model.load_state_dict(renamed)
        except (RuntimeError, TypeError, AttributeError):
            continue
        return prefix
    best = min((renamed for _, renamed in _renamings(tensors)), key=lambda renamed: len(_misfits(model, renamed)))
    raise ModelError(
        f"the weights in {where} don't fit the network of {factory}",
        expected="the same names and shapes",
        found="; ".join(_misfits(model, best)) or "weights that the network itself does not take",
        remedy="Name the function that made the network these weights were trained in",
    )


def _renamings(tensors: Tensors) -> list[tuple[str, Tensors]]:
    """The tensors as they are named, then without a prefix that all share, without two, ..."""
    left_out, found = "", [("", tensors)]
    while tensors and (prefix := _shared_prefix(tensors)):
        left_out += prefix
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
        found.append((left_out, tensors))
    return found


def _shared_prefix(tensors: Tensors) -> str:
    return next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in tensors)), "")


def _misfits(model: nn.Module, tensors: Tensors) -> tuple[str, ...]:
    """What is missing, unexpected and misshapen, a few words each; nothing where all fits."""
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if isinstance(tensor, Tensor)}
    missing = [name for name in wanted if name not in tensors]
    unexpected = [name for name in tensors if name not in wanted]
    misshapen = [
        f"{printable(name, 80)} of {tuple(tensors[name].shape)} for {shape}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    told = (("missing", missing), ("unexpected", unexpected), ("misshapen", misshapen))
    return tuple(f"{word} {few(names)}" for word, names in told if names)
