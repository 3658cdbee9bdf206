"""The models in a folder of references: which there are, and each opened as safely as the one that is inspected."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from bezoar.errors import BezoarError, ModelError, TamperedModelWarning, UsageError
from bezoar.inspection.samples import Kind
from bezoar.training.opening import OpenedModel, open_model
from bezoar.training.opening.opened import CHECKPOINT_ENDINGS
from bezoar.training.opening.trained import is_own_file
from bezoar.training.saved import MODEL_FILE

FEWEST = 3
"""Of fewer references nobody can tell what is usual."""
ENDINGS = (".safetensors", ".onnx", *CHECKPOINT_ENDINGS)
ADVICE = (
    "Put models there that you trust, trained on the same classes in the same way as the one in question, or leave "
    "the references out: the cuts that come with bezoar are used then"
)


def models_in(folder: Path) -> tuple[Path, ...]:
    """Run folders and files of models in a folder, by name; other files and hidden ones don't count.

    Raises UsageError where it does not exist, ModelError where it is no folder, is the run folder of a single model,
    or holds fewer than three.
    """
    if not folder.exists():
        raise UsageError(
            f"{folder} does not exist", expected=f"a folder of {FEWEST} models or more", remedy="Check the spelling"
        )
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is no folder of references",
            expected=f"a folder of {FEWEST} models",
            found="a file",
            remedy=ADVICE,
        )
    if (folder / MODEL_FILE).exists():
        raise ModelError(
            f"{folder} is a single model",
            expected=f"a folder in which {FEWEST} or more such run folders, or files of models, lie",
            remedy="Name the folder above it, if all models in that are trusted",
        )
    found_there = tuple(sorted(path for path in folder.iterdir() if _may_be_model(path)))
    require_enough(folder, len(found_there))
    return found_there


def require_enough(folder: Path, count: int, left_out: tuple[str, ...] = ()) -> None:
    """Raise ModelError where fewer than three models can serve as references."""
    if count < FEWEST:
        raise ModelError(
            f"{folder} holds too few references",
            expected=f"at least {FEWEST} models that can be compared with, better ten",
            found=f"{count}" + (f"; left out: {'; '.join(left_out)}" if left_out else ""),
            remedy=ADVICE,
        )


def _may_be_model(path: Path) -> bool:
    return not path.name.startswith(".") and (path.is_dir() or path.suffix.casefold() in ENDINGS)


@dataclass(frozen=True, eq=False)
class OpenedReference:
    """A reference ready to be asked, and its classes and shape."""

    opened: OpenedModel
    kind: Kind


def open_reference(path: Path, kind: Kind, factory: str | None) -> OpenedReference:
    """Open a reference; one that doesn't say its classes is taken to have those of `kind`, in their order.

    `factory` builds the network for files of weights alone. Raises BezoarError where it can't be opened or carries the
    mark of a drill.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TamperedModelWarning)  # told as the reason below
        opened = _opened(path, kind, factory)
    if opened.card is not None and opened.card.drill is not None:
        raise ModelError("it carries the mark of a drill, which gave it a backdoor on purpose")
    card = opened.card
    return OpenedReference(opened, kind if card is None else Kind(card.class_names, card.shape))


def _opened(path: Path, kind: Kind, factory: str | None) -> OpenedModel:
    if not (path.is_dir() or is_own_file(path)):
        own = None if path.suffix.casefold() == ".onnx" else factory
        return open_model(str(path), factory=own, class_names=kind.class_names, shape=kind.shape)
    try:
        return open_model(str(path))
    except ModelError:
        if factory is None:
            raise
        # A run's card may name the factory that the user has named too.
        return open_model(str(path), factory=factory)


def reason_of(error: Exception) -> str:
    """Why a reference can't be used, in a sentence without its end."""
    if not isinstance(error, BezoarError):
        return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else 'no reason given'}"
    return error.what.rstrip(".") + (f" ({error.found.rstrip('.')})" if error.found else "")
