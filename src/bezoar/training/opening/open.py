"""The door: what `place` names, and who opens it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bezoar.data.dataset import Dataset
from bezoar.errors import UsageError
from bezoar.training.opening.black_box.session import open_onnx
from bezoar.training.opening.checkpoints.checkpoint import open_checkpoint
from bezoar.training.opening.checks import require_finite, try_out
from bezoar.training.opening.opened import ACCEPTED, CHECKPOINT_ENDINGS, Known, OpenedModel, printable, refusal
from bezoar.training.opening.trained import is_own_file, open_trained
from bezoar.training.opening.weights import open_weights
from bezoar.training.own import own_model


def open_model(
    place: str,
    *,
    factory: str | None = None,
    class_names: Sequence[str] | None = None,
    shape: tuple[int, ...] | None = None,
    data: str = "the data",
) -> OpenedModel:
    """Open the model that `place` names, without running anything that a stranger put into a file.

    `place` is a run folder of bezoar train, a .safetensors file, a checkpoint (.pt, .pth, .bin, .ckpt, .pkl), an .onnx
    file, or `package.module:name` of the user's own model. Files of weights alone need `factory`, the user's
    `package.module:function` that builds the network (called with the number of classes if it takes an argument).
    `class_names` are the classes in order; `shape` is that of one sample, (c, h, w); `data` is the name, for errors, of
    the data that both are of.

    Raises ModelError where the file is refused or damaged, or the model doesn't fit what is said of it; UsageError
    where there is nothing at `place` or the call contradicts itself; MissingExtraError for ONNX without onnxruntime.
    """
    known = Known(factory, None if class_names is None else tuple(class_names), shape, data)
    opened = _open(place, known)
    if opened.kind != "onnx":
        require_finite(opened.model, opened.name)
    notes = try_out(opened, known)
    opened.model.eval()
    return replace(opened, notes=(*opened.notes, *notes))


def open_model_for(place: str, data: Dataset | None, *, factory: str | None = None) -> OpenedModel:
    """Open the model as `open_model` does, by the classes and shape of `data` that it is for, where there are any."""
    if data is None:
        return open_model(place, factory=factory)
    return open_model(place, factory=factory, class_names=data.class_names, shape=data.shape, data=data.name)


def _open(place: str, known: Known) -> OpenedModel:
    if ":" in place and not _exists(place):
        return _open_own(place, known)
    require_there(place)
    path = Path(place)
    if path.is_dir() or is_own_file(path):
        return open_trained(path, known)
    ending = path.suffix.casefold()
    if ending == ".safetensors":
        return open_weights(path, known)
    if ending in CHECKPOINT_ENDINGS:
        return open_checkpoint(path, known)
    if ending == ".onnx":
        _require_no_factory(str(path), known)
        return open_onnx(path, known)
    raise refusal(
        path,
        "is no model that can be opened",
        expected=ACCEPTED,
        found=f"a file that ends in {path.suffix!r}" if path.suffix else "a file without an ending",
        remedy="Export it as safetensors or as ONNX",
    )


def require_there(place: str) -> None:
    """Raise UsageError where `place` is neither a `package.module:name` nor a file or folder, before any is opened."""
    if ":" not in place and not _exists(place):
        raise UsageError(f"the model {printable(place)} does not exist", expected=ACCEPTED, remedy="Check the spelling")


def _exists(place: str) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        return Path(place).exists()
    except (OSError, ValueError):
        return False


def _open_own(place: str, known: Known) -> OpenedModel:
    _require_no_factory(place, known)
    model = own_model(place, known.classes).to("cpu").eval()
    return OpenedModel(place, model, "own")


def _require_no_factory(place: str, known: Known) -> None:
    if known.factory is not None:
        raise UsageError(
            f"{place} needs no factory",
            expected="a factory beside a file of weights alone (.safetensors or a checkpoint)",
            found=known.factory,
            remedy="Leave it out",
        )
