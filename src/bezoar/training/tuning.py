"""Fine-tuning a part of a network: which of its modules learn, and all else as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from bezoar.errors import TrainingError, UsageError, did_you_mean


@contextmanager
def tuned(model: nn.Module, modules: Sequence[str]) -> Iterator[None]:
    """Let only these modules of `model` learn, called as in `model.named_modules()`; no names stand for all of them.

    Their parameters that were frozen before stay frozen. Afterwards the others can learn again. Raises
    UsageError when there is no such module, TrainingError when nothing that it holds can learn.
    """
    if not modules:
        yield
        return
    learning = [parameter for name in modules for parameter in _module(model, name).parameters()]
    kept = {id(parameter) for parameter in learning}
    frozen = [one for one in model.parameters() if one.requires_grad and id(one) not in kept]
    if not any(one.requires_grad for one in learning):
        raise TrainingError(
            "nothing is left to train",
            expected="a module with parameters that learn, one of " + ", ".join(_learning(model)),
            found=", ".join(modules),
        )
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def training_mode(model: nn.Module) -> None:
    """Set training mode, but leave batch norms whose parameters are frozen as they are: their statistics stay too."""
    model.train()
    for module in model.modules():
        parameters = list(module.parameters(recurse=False))
        if isinstance(module, _BatchNorm) and parameters and not any(one.requires_grad for one in parameters):
            module.eval()


def _module(model: nn.Module, name: str) -> nn.Module:
    modules: dict[str, nn.Module] = {found: module for found, module in model.named_modules() if found}
    if name not in modules:
        raise UsageError(
            f"the model has no module {name!r} to tune",
            expected="one of " + ", ".join(_learning(model)) + ", or what is inside them",
            remedy=did_you_mean(name, modules),
        )
    return modules[name]


def _learning(model: nn.Module) -> list[str]:
    """The model's parts, down to two levels, that have anything to learn."""
    return [
        name
        for name, module in model.named_modules()
        if name and name.count(".") < 2 and any(one.requires_grad for one in module.parameters())
    ]
