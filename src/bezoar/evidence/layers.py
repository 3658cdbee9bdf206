"""Features at every depth of a network, and its logits, in one forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from bezoar.errors import ModelError
from bezoar.training.batches import to_unit_range
from bezoar.training.precision import Precision, choose_device, choose_precision

WIDEST = 1024
PROJECTION_SEED, PROJECTION_BLOCKS = 20_10, 4
INPUT = ":input"
"""After a module's name: what it is given, instead of what it gives."""

Real32 = NDArray[np.float32]


def layer_features(
    model: nn.Module,
    inputs: Tensor,
    *,
    names: Sequence[str],
    device: str = "auto",
    batch_size: int = 250,
    precision: Precision = "auto",
) -> Iterator[tuple[slice, dict[str, Real32], Real32]]:
    """For each batch its rows, features (m, d) by name, and logits (m, k), all float32, in one pass over `inputs`.

    `inputs` (n, ...) are uint8, or floats; `names` are those of modules, or of what is given to one (`head:input`), as
    from `block_names`. Maps (m, c, h, w) become mean and maximum over positions side by side (m, 2 c), tokens (m, t, d)
    the same over tokens (m, 2 d), flat features stay. Features wider than 1,024 are projected to 1,024: `projected`.
    In evaluation mode; bfloat16 where training uses it. Between batches the model's mode is as before and no hook is
    on it; its device is put back at the end, or when the iterator is closed. A module called several times shows its
    last call. Raises ModelError when the model fails, has no such module, or gives what is not finite.
    """
    target, home = choose_device(device), next((one.device for one in model.parameters()), torch.device("cpu"))
    half = choose_precision(target, precision) is torch.bfloat16
    try:
        model.to(target)
        for start in range(0, len(inputs), batch_size):
            rows = slice(start, min(start + batch_size, len(inputs)))
            with torch.autocast(target.type, torch.bfloat16, enabled=half):
                features, logits = _one_batch(model, to_unit_range(inputs[rows], target), names)
            yield rows, features, logits
    finally:
        model.to(home)


def projected(features: Real32, width: int = WIDEST) -> Real32:
    """Features (m, d) as (m, width) by a fixed random projection, or unchanged where d is at most `width`.

    Each of the d coordinates goes, with a random sign, to one place in each of 4 blocks of the result, divided by 2
    (Kane and Nelson 2012, arXiv 1012.1577, their block construction): squared distances keep their size within some 5%.
    """
    if features.shape[1] <= width:
        return features
    return np.ascontiguousarray(features @ _projection(features.shape[1], width), dtype=np.float32)


@lru_cache(maxsize=32)
def _projection(wide: int, width: int) -> csr_array:
    generator = np.random.default_rng([PROJECTION_SEED, wide, width])
    edges = np.linspace(0, width, PROJECTION_BLOCKS + 1).astype(int)
    places = np.stack([generator.integers(a, b, wide) for a, b in pairwise(edges)], axis=1)
    signs = generator.choice([-1.0, 1.0], size=places.shape) / np.sqrt(PROJECTION_BLOCKS)
    starts = np.arange(0, places.size + 1, PROJECTION_BLOCKS)
    return csr_array((signs.ravel().astype(np.float32), places.ravel(), starts), shape=(wide, width))


@torch.inference_mode()
def _one_batch(model: nn.Module, batch: Tensor, names: Sequence[str]) -> tuple[dict[str, Real32], Real32]:
    try:
        with evaluating(model), _watched(model, names, len(batch)) as seen:
            answer = model(batch)
    except ModelError:
        raise
    except Exception as error:
        reason = f"samples of shape {tuple(batch.shape[1:])}, {type(error).__name__}: {error}".splitlines()[0]
        raise ModelError("the model cannot take these samples", found=reason) from error
    if not isinstance(answer, Tensor) or answer.ndim != 2 or len(answer) != len(batch):
        found = str(tuple(answer.shape)) if isinstance(answer, Tensor) else type(answer).__name__
        raise ModelError("the model's answer is no logits", expected="a tensor (n, classes)", found=found)
    absent = [name for name in names if name not in seen]
    if absent:
        raise ModelError(f"the model never calls its module {absent[0]!r}")
    features = {name: projected(_finite(seen[name], f"features at {name!r}")) for name in names}
    return features, _finite(answer, "logits")


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Within, evaluation mode; afterwards every module's own mode as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _watched(model: nn.Module, names: Sequence[str], samples: int) -> Iterator[dict[str, Tensor]]:
    """Within, each named module leaves a summary of its features in what is given; its hooks go in any case.

    Summed up at once, because a later module may overwrite them in place.
    """
    seen: dict[str, Tensor] = {}
    handles: list[RemovableHandle] = []
    try:
        handles.extend(_hook(model, name, samples, seen) for name in names)
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _hook(model: nn.Module, name: str, samples: int, seen: dict[str, Tensor]) -> RemovableHandle:
    modules = dict(model.named_modules())
    module = modules.get(name.removesuffix(INPUT))
    if module is None:
        known = ", ".join(list(modules)[1:9])
        raise ModelError(f"the model has no module {name!r}", expected=f"one of {known}, or what is inside them")

    def before(_: nn.Module, given: tuple[object, ...]) -> None:
        seen[name] = _summary(given[0] if given else None, name, samples)

    def after(_: nn.Module, __: tuple[object, ...], output: object) -> None:
        seen[name] = _summary(output, name, samples)

    handle: RemovableHandle = (
        module.register_forward_pre_hook(before) if name.endswith(INPUT) else module.register_forward_hook(after)
    )
    return handle


def _summary(output: object, name: str, samples: int) -> Tensor:
    """Features (m, d) of maps, tokens or vectors, float32."""
    if not has_rows(output, samples):
        found = str(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
        raise ModelError(f"{name!r} has no features", expected=f"a real tensor ({samples}, ...)", found=found)
    assert isinstance(output, Tensor)
    if output.ndim == 2:
        return output.float()
    axes = (1,) if output.ndim == 3 else tuple(range(2, output.ndim))
    return torch.cat([output.mean(axes, dtype=torch.float32), output.amax(axes).float()], dim=1)


def has_rows(output: object, samples: int) -> bool:
    """Whether an output is a real tensor whose first axis are the samples of the batch, and has another axis."""
    return (
        isinstance(output, Tensor)
        and output.is_floating_point()
        and output.ndim >= 2
        and len(output) == samples
        and output.numel() > 0
    )


def _finite(values: Tensor, what: str) -> Real32:
    if not torch.isfinite(values).all():
        raise ModelError(f"the model's {what} are not all finite", remedy="Its weights are damaged or it diverged")
    array: Real32 = values.float().cpu().numpy()
    return array
