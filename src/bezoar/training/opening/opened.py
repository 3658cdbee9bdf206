"""A model that was opened, what is known of it beforehand, and the words every refusal shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from bezoar.errors import ModelError
from bezoar.training.saved import ModelCard

Kind = Literal["run", "weights", "own", "checkpoint", "onnx"]

CHECKPOINT_ENDINGS = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
ACCEPTED = (
    "a run folder of bezoar train, a .safetensors file, a checkpoint of weights "
    f"({', '.join(CHECKPOINT_ENDINGS)}), an .onnx file, or your own model as package.module:name"
)
LARGEST_FILE = 4 * 2**30
"""Bytes of the largest file of weights that is opened."""

SAVE_WEIGHTS = (
    "Have its author save the weights alone: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')"
)
GET_ANEW = "Get the file anew from its origin"


@dataclass(frozen=True, eq=False)
class OpenedModel:
    """A model ready to be asked: float images in 0..1 to logits (n, classes), in evaluation mode on the CPU.

    `card` says classes and shape where bezoar trained it. `differentiable` is False for a black box, through which no
    gradient goes. `notes` are sentences worth telling.
    """

    name: str
    model: nn.Module
    kind: Kind
    card: ModelCard | None = None
    differentiable: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What the user says of a model: who builds it (`package.module:function`), its classes in order, input shape.

    `data` is what errors call the data that classes and shape are of.
    """

    factory: str | None = None
    class_names: tuple[str, ...] | None = None
    shape: tuple[int, ...] | None = None
    data: str = "the data"

    @property
    def classes(self) -> int | None:
        """How many classes, where that is known."""
        return None if self.class_names is None else len(self.class_names)


def refusal(path: Path | str, why: str, *, remedy: str, expected: str = "", found: str = "") -> ModelError:
    """The error for a model that is not opened; `found` is cleaned, since a stranger may have written it."""
    return ModelError(f"{path} {why}", expected=expected, found=printable(found), remedy=remedy)


def printable(text: str, most: int = 300) -> str:
    """A stranger's text, on one line, without control characters, and not longer than `most` characters."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text[:most])
    return clean if len(text) <= most else f"{clean}..."


def few(names: list[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(printable(name, 80) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def require_file(path: Path) -> None:
    """Raise ModelError unless `path` is a regular file of a size that is opened."""
    try:
        regular, size = path.is_file(), path.stat().st_size
    except OSError as error:
        raise refusal(
            path, "cannot be read", found=str(error), remedy="Check its place and your rights to it"
        ) from error
    if not regular:
        raise refusal(path, "is no regular file", expected=ACCEPTED, remedy="Name the file itself")
    if size > LARGEST_FILE:
        raise refusal(
            path,
            "is too large to be opened",
            expected=f"at most {LARGEST_FILE:,} bytes",
            found=f"{size:,}",
            remedy="Save the weights alone, without an optimiser's state, as safetensors",
        )
