"""A .safetensors file of anybody: names and numbers, and no network."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bezoar.training.opening.building import built
from bezoar.training.opening.opened import GET_ANEW, Known, OpenedModel, refusal, require_file


def open_weights(path: Path, known: Known) -> OpenedModel:
    """The network of the user's factory with the weights of a safetensors file that bezoar did not write.

    Raises ModelError when the file is damaged or is none of safetensors, or its weights don't fit the network.
    """
    require_file(path)
    model, notes = built(path, read_safetensors(path), known)
    return OpenedModel(path.name, model, "weights", notes=notes)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. Raises ModelError when it cannot be read or holds none."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise refusal(
            path,
            "is no safetensors file",
            expected="the format of safetensors.torch.save_file",
            found=str(error),
            remedy=f"{GET_ANEW}; a pickled checkpoint under this name is not opened",
        ) from error
    if not tensors:
        raise refusal(path, "holds no tensors", remedy=GET_ANEW)
    return tensors
