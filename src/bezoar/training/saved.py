"""Models on disk: safetensors with the architecture's specification in its metadata, so that no code is unpickled."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.errors import ModelError, TamperedModelWarning, UsageError
from bezoar.training.models import build_model

MODEL_FILE = "model.safetensors"
FORMAT = "bezoar-model-1"
KEY = "bezoar"
NOTICE = "Given a backdoor on purpose by a bezoar drill. Do not use this model in production."


@dataclass(frozen=True)
class ModelCard:
    """What is needed to build a saved model again: its specification, classes and input shape (c, h, w).

    `drill` marks a model that a drill gave a backdoor, by its weights or by its training data, so that it never
    ships by accident.
    """

    model: str
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    drill: str | None = None

    @staticmethod
    def of(model: str, data: Dataset, *, start: ModelCard | None = None) -> ModelCard:
        """The card of a model trained on `data`, maybe from that of `start`: a mark of either is its mark."""
        begun = None if start is None else start.drill
        return ModelCard(model, data.class_names, data.shape, begun if data.mark is None else data.mark.drill)

    def fits(self, data: Dataset) -> bool:
        """Whether the model was trained on data of these classes, in this order, and of this shape."""
        return (self.class_names, self.shape) == (data.class_names, data.shape)


def save_model(model: nn.Module, card: ModelCard, path: Path | str) -> None:
    """Write the model's parameters and buffers, whole or not at all. Overwrites `path`."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    described = {name: value for name, value in asdict(card).items() if value is not None}
    save_tensors(tensors, {"format": FORMAT, "card": json.dumps(described)}, Path(path))


def save_tensors(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    """Write tensors to a temporary sibling, then rename it to `path`. The same content gives the same bytes."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        # One key only: safetensors writes several in an order that changes from run to run.
        save_file(tensors, temporary, {KEY: json.dumps(metadata, sort_keys=True)})
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_tensors(path: Path, expected_format: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises UsageError when there is none, ModelError when it is damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(KEY, "{}"))
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist", remedy="Give a run folder, or its .safetensors file") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read",
            expected="a safetensors file written by bezoar",
            found=str(error),
            remedy="Pickled checkpoints (.pt, .pth) are not opened, since loading one can run code",
        ) from error
    if metadata.get("format") != expected_format:
        raise ModelError(
            f"{path} was not written by bezoar", expected=expected_format, found=str(metadata.get("format"))
        )
    return tensors, metadata


def model_path(path: Path) -> Path:
    """The model file of a run folder, or the file itself."""
    return path / MODEL_FILE if path.is_dir() else path


def load_model(path: Path | str) -> tuple[nn.Module, ModelCard]:
    """Build a saved model again and load its weights, in evaluation mode; warns when it carries a drill's mark.

    `path` is a run folder or its .safetensors file. Returns the model and its card: classes in order, input shape,
    mark. Raises UsageError when there is no such file, ModelError when it is damaged or the weights don't fit the
    architecture.
    """
    file = model_path(Path(path))
    tensors, metadata = load_tensors(file, FORMAT)
    fields = json.loads(metadata["card"])
    card = ModelCard(fields["model"], tuple(fields["class_names"]), tuple(fields["shape"]), fields.get("drill"))
    if card.drill is not None:
        warnings.warn(
            f"{file}: {NOTICE} (drill {card.drill})",
            TamperedModelWarning,
            stacklevel=2,
        )
    if not card.model:
        raise ModelError(
            f"{file} came from a training function of your own and names no model",
            remedy="Train with --model package.module:factory beside --trainer, so that it can be built again",
        )
    blank = torch.zeros((2, *card.shape), dtype=torch.uint8)
    model = build_model(card.model, classes=len(card.class_names), sample=blank, seed=0)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"the weights in {file} don't fit the model {card.model!r}", found=str(error).splitlines()[-1].strip()
        ) from error
    return model.eval(), card
