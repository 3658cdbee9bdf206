"""What bezoar trained: a run folder, or its .safetensors file. The card inside is read as a stranger's text."""

from __future__ import annotations

import json
import math
import warnings
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from bezoar.errors import BezoarError, ModelError, TamperedModelWarning, UsageError
from bezoar.training.models import MODELS, build_model
from bezoar.training.opening.building import fill, require_factory
from bezoar.training.opening.opened import (
    CHECKPOINT_ENDINGS,
    GET_ANEW,
    Known,
    OpenedModel,
    few,
    printable,
    refusal,
    require_file,
)
from bezoar.training.own import own_model
from bezoar.training.saved import FORMAT, KEY, MODEL_FILE, NOTICE, ModelCard, load_tensors, model_path

LONGEST_SPECIFICATION = 500
MOST_CLASSES = 100_000
LARGEST_SAMPLE = 2**22
"""Numbers in one sample."""


def is_own_file(path: Path) -> bool:
    """Whether a file is safetensors with bezoar's metadata; False for whatever cannot be read."""
    if path.suffix.casefold() != ".safetensors" or not path.is_file():
        return False
    with suppress(SafetensorError, OSError, ValueError), safe_open(path, framework="pt") as file:
        return KEY in (file.metadata() or {})
    return False


def open_trained(path: Path, known: Known) -> OpenedModel:
    """The model of a run folder or of bezoar's .safetensors file.

    A card that names code outside bezoar is not followed unless the user names the same code as the factory: the
    file may be a stranger's, and importing runs code. Raises ModelError when the card is damaged, names such code, or
    contradicts what is known of the model; UsageError for a factory that is not needed.
    """
    file = model_path(path)
    if path.is_dir() and not file.exists():
        raise _no_run(path)
    require_file(file)
    card = _card(file)
    _require_agreement(path, card, known)
    if card.drill is not None:
        warnings.warn(f"{file}: {NOTICE} (drill {printable(card.drill)})", TamperedModelWarning, stacklevel=4)
    name = path.name or str(path)
    if card.model.split(":")[0] not in MODELS.names():
        return _by_factory(name, file, card, known)
    if known.factory is not None:
        raise UsageError(f"{path} needs no factory", found=f"it names {card.model!r}", remedy="Leave it out")
    return OpenedModel(name, _filled(_blank(file, card), file, card), "run", card)


def _no_run(folder: Path) -> ModelError:
    """The error for a folder without a model: only where a file lies in it can that be named instead."""
    names = sorted(entry.name for entry in folder.iterdir())
    models = [name for name in names if Path(name).suffix.casefold() in (".safetensors", ".onnx", *CHECKPOINT_ENDINGS)]
    return refusal(
        folder,
        "holds no model" if names else "is an empty folder",
        expected=f"a run folder of bezoar train, with {MODEL_FILE} in it",
        found=few(names),
        remedy=f"Name the file of the model itself, as in {folder / printable(models[0])}"
        if models
        else "Check the path: the run may have ended early, or lie elsewhere",
    )


def _by_factory(name: str, file: Path, card: ModelCard, known: Known) -> OpenedModel:
    if card.model and known.factory != card.model:
        raise refusal(
            file,
            "wants code from outside bezoar to be run",
            found=f"the network {card.model}",
            remedy=f"Name {printable(card.model)} as the factory too, if you know what it does",
        )
    factory = require_factory(file, known)
    model = own_model(factory, len(card.class_names))
    tensors, _ = load_tensors(file, FORMAT)
    fill(model, tensors, str(file), factory)
    return OpenedModel(name, model.to("cpu").eval(), "run", card)


def _card(file: Path) -> ModelCard:
    """The card in the metadata. Raises ModelError where it is no card that bezoar would write."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = json.loads((opened.metadata() or {})[KEY])
        if metadata["format"] != FORMAT:
            raise ValueError(f"metadata of the kind {metadata['format']}")
        fields = json.loads(metadata["card"])
        card = ModelCard(fields["model"], tuple(fields["class_names"]), tuple(fields["shape"]), fields.get("drill"))
        _require_sound(card)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refusal(
            file,
            "is no model that bezoar wrote",
            expected="a safetensors file with a card: the network, its classes and input shape",
            found=f"{type(error).__name__}: {error}",
            remedy=GET_ANEW,
        ) from error
    return card


def _require_sound(card: ModelCard) -> None:
    """Raise ValueError for a card of wrong types, or of sizes that no image classifier has."""
    texts = (card.model, *card.class_names, card.drill or "")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("texts that are none")
    if len(card.model) > LONGEST_SPECIFICATION:
        raise ValueError(f"a network described by {len(card.model):,} letters")
    if not all(type(side) is int and side > 0 for side in card.shape) or not 1 <= len(card.shape) <= 4:
        raise ValueError("a shape that is none")
    if math.prod(card.shape) > LARGEST_SAMPLE or not 1 <= len(card.class_names) <= MOST_CLASSES:
        raise ValueError(f"{len(card.class_names):,} classes and samples of shape {card.shape}")


def _blank(file: Path, card: ModelCard) -> nn.Module:
    """The network of the card without numbers: a stranger's card may describe one that no memory holds."""
    try:
        with torch.device("meta"):
            sample = torch.zeros((2, *card.shape), dtype=torch.uint8)
            return build_model(card.model, classes=len(card.class_names), sample=sample, seed=0)
    except (BezoarError, RuntimeError, ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
        raise refusal(
            file,
            f"names a network that cannot be built: {printable(card.model)}",
            found=f"{type(error).__name__}: {error}",
            remedy=GET_ANEW,
        ) from error


def _filled(model: nn.Module, file: Path, card: ModelCard) -> nn.Module:
    """The network with the numbers of the file, which alone take memory. Raises ModelError where they don't fit."""
    tensors, _ = load_tensors(file, FORMAT)
    wanted = model.state_dict()
    odd = sorted(
        name
        for name in wanted.keys() | tensors.keys()
        if name not in wanted or name not in tensors or wanted[name].shape != tensors[name].shape
    )
    if odd:
        raise refusal(
            file,
            f"does not hold the weights of {printable(card.model)}",
            found=f"differences in {few(odd)}",
            remedy=GET_ANEW,
        )
    model.load_state_dict({name: tensor.to(wanted[name].dtype) for name, tensor in tensors.items()}, assign=True)
    return model.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload,no-any-return]


def _require_agreement(path: Path, card: ModelCard, known: Known) -> None:
    if known.class_names is not None and known.class_names != card.class_names:
        raise ModelError(
            f"{path} was trained for other classes than the data have",
            expected=f"data of the model's {len(card.class_names)} classes: {few(list(card.class_names), 12)}",
            found=f"{len(known.class_names)} classes in {known.data}: {few(list(known.class_names), 12)}",
            remedy="Give a model and data of the same classes in the same order",
        )
    if known.shape is not None and tuple(known.shape) != card.shape:
        raise ModelError(
            f"{path} was trained on samples of another shape than the data have",
            expected=f"samples of shape {card.shape}",
            found=f"{tuple(known.shape)} in {known.data}",
            remedy="Give data of the shape the model was trained on (see --size)",
        )
