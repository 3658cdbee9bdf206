"""A stranger's torch checkpoint: understood, loaded in a process of its own, put into the user's network."""

from __future__ import annotations

from pathlib import Path

from bezoar.training.opening.building import built, require_factory
from bezoar.training.opening.checkpoints.allowed import ALLOWED, is_of_a_module
from bezoar.training.opening.checkpoints.archive import opened_archive
from bezoar.training.opening.checkpoints.choosing import Chosen, choose_weights
from bezoar.training.opening.checkpoints.conversion import converted
from bezoar.training.opening.checkpoints.instructions import DamagedPickleError, dotted, named_globals
from bezoar.training.opening.checkpoints.machine import understand
from bezoar.training.opening.checkpoints.plans import NotUnderstoodError
from bezoar.training.opening.opened import GET_ANEW, SAVE_WEIGHTS, Known, OpenedModel, few, refusal, require_file

SPARE = 64 * 2**20
"""Bytes that the tensors of a checkpoint may take beyond four times what it stores."""


def open_checkpoint(path: Path, known: Known) -> OpenedModel:
    """The network of the user's factory with the weights of a torch checkpoint that nobody vouches for.

    Nothing of the file is unpickled in this process. Raises ModelError where the file is anything but a zip
    archive of torch.save that holds plain tensors, or its weights don't fit the network.
    """
    require_file(path)
    with opened_archive(path) as archive:
        chosen = examined(archive.pickle, archive.sizes, path)
        require_factory(path, known)
        tensors = converted(archive, chosen, path)
    model, notes = built(path, tensors, known)
    told = ("it was opened in a separate process, as safetensors", *chosen.notes, *notes)
    return OpenedModel(path.name, model, "checkpoint", notes=told)


def examined(pickle: bytes, sizes: dict[str, int], path: Path) -> Chosen:
    """The weights that a pickle describes, found without loading it; `sizes` are the bytes of each storage.

    Raises ModelError for any global, instruction or tensor that a plain state dict does not need.
    """
    try:
        _require_known_globals(pickle, path)
        chosen = choose_weights(understand(pickle, sizes))
    except DamagedPickleError as error:
        raise refusal(path, "is damaged: its pickle can't be read", found=str(error), remedy=GET_ANEW) from error
    except NotUnderstoodError as error:
        raise refusal(
            path,
            "is more than a dict of weights, and is not loaded",
            expected="plain tensors by their names",
            found=str(error),
            remedy=SAVE_WEIGHTS,
        ) from error
    most = 4 * sum(sizes.values()) + SPARE
    needed = sum(tensor.size for tensor in chosen.tensors.values())
    if needed > most:
        raise refusal(
            path,
            "describes tensors far larger than what it stores",
            expected=f"at most {most:,} bytes",
            found=f"{needed:,}",
            remedy=GET_ANEW,
        )
    return chosen


def _require_known_globals(pickle: bytes, path: Path) -> None:
    """Raise ModelError that names the globals which a pickle asks for and no state dict needs."""
    strange = [name for name in named_globals(pickle)[0] if name not in ALLOWED]
    if not strange:
        return
    whole = any(is_of_a_module(name) for name in strange)
    raise refusal(
        path,
        "is a whole pickled network, which runs code when it is loaded"
        if whole
        else "asks for more than weights, which runs code when it is loaded",
        expected="a dict of tensors",
        found=f"the global {few([dotted(name) for name in strange])}",
        remedy=SAVE_WEIGHTS,
    )
