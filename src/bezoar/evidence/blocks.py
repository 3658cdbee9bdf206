"""Where to look inside a network: the ends of its blocks, in order of depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bezoar.errors import ModelError
from bezoar.evidence.layers import INPUT, evaluating, has_rows
from bezoar.training.batches import to_unit_range
from bezoar.training.fast import FastNetwork
from bezoar.training.preact_resnet import PreActResNet18Network

MOST = 8
# An unusual number, lest another axis be taken for that of the samples.
SAMPLES = 3
_PASSING = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.Flatten, nn.Identity)


def block_names(model: nn.Module, inputs: Tensor) -> tuple[str, ...]:
    """Names for `layer_features`, first to last in depth, at most 8; `inputs` (n, ...) are samples to try it on.

    `fast`: both blocks of each stage. `preact-resnet18`: the ends of its four stages and the head's input. Of any other
    network one batch is run: its blocks are modules with parts of their own that stand in a Sequential or ModuleList,
    the outermost that don't contain the head; with fewer than two of them, such modules wherever they stand, and then
    its single layers. Of those that are called once and give a real tensor with the batch as first axis, 7 evenly
    spaced are taken, and last the head's input; the head is the last called single layer with parameters. A network
    without such modules has no names. Maps are taken to have their channels first.
    The model's mode is put back and no hook stays. Raises ModelError when it fails.
    """
    if isinstance(model, FastNetwork):
        stages = [f"stages.{number}" for number in range(len(model.stages))]
        return tuple(name for stage in stages for name in (f"{stage}.widen", stage))
    if isinstance(model, PreActResNet18Network):
        return (*(f"blocks.{number}" for number in range(1, len(model.blocks), 2)), f"head{INPUT}")
    calls = _calls(model, inputs)
    head = next((call.name for call in reversed(calls) if call.is_leaf and call.has_parameters), None)
    if head is None:
        return ()
    until = next(number for number, call in enumerate(calls) if call.name == head)
    # What contains the head ends after it.
    fit = [call for call in calls[:until] if call.fits]
    chosen = _spread(_blocks(model, fit) or [call.name for call in fit if call.is_leaf], MOST - 1)
    return (*chosen, f"{head}{INPUT}") if calls[until].takes_rows else tuple(chosen)


@dataclass(frozen=True)
class _Call:
    """One module's only or last call: whether its output and its input are features."""

    name: str
    fits: bool
    takes_rows: bool
    is_leaf: bool
    has_parameters: bool


def _calls(model: nn.Module, inputs: Tensor) -> list[_Call]:
    """Calls of all modules but the whole in the order in which they end, on one small batch."""
    names = {module: name for name, module in model.named_modules() if name}
    batch = to_unit_range(torch.cat([inputs[:1]] * SAMPLES), next((one.device for one in model.parameters()), None))
    calls: dict[str, _Call] = {}

    def note(module: nn.Module, given: tuple[object, ...], output: object) -> None:
        name, leaf = names[module], not any(True for _ in module.children())
        fits = has_rows(output, SAMPLES) and name not in calls and not isinstance(module, _PASSING)
        takes = bool(given) and has_rows(given[0], SAMPLES) and name not in calls
        learns = any(True for _ in module.parameters(recurse=False))
        calls.pop(name, None)
        calls[name] = _Call(name, fits, takes, leaf, learns)

    handles = [module.register_forward_hook(note) for module in names]
    try:
        with evaluating(model), torch.inference_mode():
            model(batch)
    except Exception as error:
        reason = f"samples of shape {tuple(inputs.shape[1:])}, {type(error).__name__}: {error}".splitlines()[0]
        raise ModelError("the model cannot take these samples", found=reason) from error
    finally:
        for handle in handles:
            handle.remove()
    return list(calls.values())


def _blocks(model: nn.Module, calls: Sequence[_Call]) -> list[str]:
    """The outermost modules with parts that stand in a list; without two, those that stand anywhere; else none."""
    modules = dict(model.named_modules())
    anywhere = [call.name for call in calls if not call.is_leaf]
    listed = [name for name in anywhere if isinstance(modules[name.rpartition(".")[0]], nn.Sequential | nn.ModuleList)]
    for found in (listed, anywhere):
        outermost = [name for name in found if not any(_contains(other, name) for other in found)]
        if len(outermost) > 1:
            return outermost
    return []


def _contains(outer: str, inner: str) -> bool:
    return inner.startswith(outer + ".")


def _spread(names: Sequence[str], most: int) -> list[str]:
    """At most so many, evenly spaced, the last among them."""
    if len(names) <= most:
        return list(names)
    places = np.linspace(0, len(names) - 1, most).round().astype(int)
    return [names[place] for place in places]
