"""A model that computes where and in the number format that is fastest, and answers as if it did not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bezoar.errors import UsageError
from bezoar.training.channels import device_of
from bezoar.training.precision import choose_device, has_native_bfloat16

_GIVEN_ON: WeakKeyDictionary[nn.Module, torch.device] = WeakKeyDictionary()
_ENTERED: list[ExitStack] = []
"""The contexts of calls that have not answered yet, the innermost last."""


@contextmanager
def computing_on(model: nn.Module, device: torch.device | str) -> Iterator[None]:
    """Within, `model` lies on `device`, and its answers come back to where the samples lie that it is given.

    A name is that of `choose_device`, such as `auto`. It multiplies in the number format of `computing_natively`.

    Afterwards it lies where it did. Gradients go through. A model without parameters, such as one that can only be
    asked, stays as it is, and one that lies on that device stays there: whoever asks it gives samples that lie there.
    """
    home = device_of(model)
    device = choose_device(device) if isinstance(device, str) else device
    if next(model.parameters(), None) is None:
        yield
        return
    with ExitStack() as stack:
        if home != device:
            stack.callback(model.to, home)
        for hook in move_to(model, device, fetch=home != device):
            stack.callback(hook.remove)
        yield


@contextmanager
def computing_natively(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Within, `model` multiplies in bfloat16 where the hardware does so natively, as in training, in half the time.

    Answers, weights and the gradients of weights are float32.
    """
    with ExitStack() as stack:
        for hook in _natively(model, device):
            stack.callback(hook.remove)
        yield


def move_to(model: nn.Module, device: torch.device, *, fetch: bool = True) -> tuple[RemovableHandle, ...]:
    """Put `model` on `device`, with answers where the samples lie, and as within `computing_natively`, for good.

    Without `fetch` it answers where it lies. Returns the hooks that do so.
    """
    model.to(device)
    hooks = (model.register_forward_pre_hook(_fetch), model.register_forward_hook(_give_back)) if fetch else ()
    return (*hooks, *_natively(model, device))


def _natively(model: nn.Module, device: torch.device) -> tuple[RemovableHandle, ...]:
    if not has_native_bfloat16(device):
        return ()
    return model.register_forward_pre_hook(_enter), model.register_forward_hook(_leave, always_call=True)


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


def _enter(model: nn.Module, _: tuple[Any, ...]) -> None:
    context = ExitStack()
    context.enter_context(torch.autocast(device_of(model).type, torch.bfloat16))
    _ENTERED.append(context)


def _leave(_: nn.Module, __: tuple[Any, ...], answer: Any) -> Any:
    _ENTERED.pop().close()
    return answer.float() if isinstance(answer, Tensor) and answer.dtype is torch.bfloat16 else answer
