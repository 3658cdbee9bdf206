"""A model that computes on another device than the samples lie on which it is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from bezoar.errors import UsageError
from bezoar.training.channels import device_of
from bezoar.training.precision import choose_device

_GIVEN_ON: WeakKeyDictionary[nn.Module, torch.device] = WeakKeyDictionary()


@contextmanager
def computing_on(model: nn.Module, device: torch.device | str) -> Iterator[None]:
    """Within, `model` lies on `device`, and its answers come back to where the samples lie that it is given.

    A name is that of `choose_device`, such as `auto`.

    Afterwards it lies where it did. Gradients go through. A model without parameters, such as one that can only be
    asked, stays as it is, and so does one that lies on that device: whoever asks it gives samples that lie there.
    """
    home = device_of(model)
    device = choose_device(device) if isinstance(device, str) else device
    if home == device or next(model.parameters(), None) is None:
        yield
        return
    with ExitStack() as stack:
        stack.callback(model.to, home)
        move_to(model, device, stack)
        yield


def move_to(model: nn.Module, device: torch.device, until: ExitStack | None = None) -> None:
    """Put `model` on `device`, with answers where the samples lie: for good, or until the stack is unwound."""
    model.to(device)
    hooks = model.register_forward_pre_hook(_fetch), model.register_forward_hook(_give_back)
    if until is not None:
        for hook in hooks:
            until.callback(hook.remove)


def usable_device(model: nn.Module, wanted: str, shape: tuple[int, ...]) -> torch.device:
    """Where a model that takes samples of this shape is asked: with `auto` where it is if it can't be moved.

    Raises UsageError where it can't be asked on a device that is wanted by name.
    """
    device, home = choose_device(wanted), device_of(model)
    if device == home or runs_on(model, device, shape):
        return device
    if wanted == "auto":
        return home
    raise UsageError(
        f"the model can't be asked on {wanted!r}",
        expected="a model that can be moved: all its tensors are parameters or buffers",
        found=f"it answers on {home.type} alone",
        remedy="Leave the device out, or register the model's tensors",
    )


def runs_on(model: nn.Module, device: torch.device, shape: tuple[int, ...]) -> bool:
    """Whether the model can be asked there: one with tensors that it doesn't register can't be moved."""
    try:
        with computing_on(model, device), torch.no_grad():
            model(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, TypeError, AttributeError):
        return False
    return True


def _fetch(model: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    samples, *rest = given
    _GIVEN_ON[model] = samples.device
    return (samples.to(device_of(model)), *rest)


def _give_back(model: nn.Module, _: tuple[Any, ...], answer: Any) -> Any:
    return answer.to(_GIVEN_ON[model]) if isinstance(answer, Tensor) else answer
