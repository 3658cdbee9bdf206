"""A training with its run folder: model, record and checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.drill.stages import RECORD_FILE
from bezoar.errors import ModelError
from bezoar.importing import import_object
from bezoar.records import TrainingRecord, TrainingRunRecord, to_json, write_text_atomically
from bezoar.records.versions import now, versions
from bezoar.training import MODEL_FILE, ModelCard, Recipe, Trained, continue_recipe, load_model, save_model, train
from bezoar.training.distributed import is_first_process
from bezoar.training.listening import Listener
from bezoar.training.precision import Precision

CHECKPOINT_FILE = "checkpoint.safetensors"
RUN_FILES = frozenset({RECORD_FILE, MODEL_FILE, CHECKPOINT_FILE})


def train_run(
    data: Dataset,
    out: Path,
    *,
    model: str,
    recipe: Recipe,
    seed: int,
    trainer: str | None,
    start: Path | None,
    tune: tuple[str, ...],
    device: str,
    precision: str,
    resume: bool,
    command: str,
    listener: Listener,
) -> TrainingRunRecord:
    """Train into the folder `out`; a finished training leaves no checkpoint behind.

    `trainer` names a user's own training function, `start` a run whose model is fine-tuned, at a tenth
    of the recipe's learning rates: all of it, or only the modules that `tune` names. Under torchrun only
    the first process writes.
    """
    begun, card, spec = None, None, model
    if start is not None:
        begun, card = load_model(start)
        spec, recipe = card.model, continue_recipe(recipe)
        check_classes(card, data, start)
    checkpoint = out / CHECKPOINT_FILE
    listener.begins(f"train on {data.name}")
    if trainer is not None:
        trained = train_with(trainer, data, model=spec, seed=seed)
    else:
        trained = train(
            data,
            model=spec,
            recipe=recipe,
            seed=seed,
            start=begun,
            tune=tune,
            device=device,
            precision=cast(Precision, precision),
            checkpoint=checkpoint,
            resume=resume,
            progress=listener.trains,
        )
    listener.ends(f"train on {data.name}", trained.record.seconds)
    record = TrainingRunRecord(now(), data.record(), trained.record, (command,), versions())
    if not is_first_process():
        return record
    own = trainer is not None and model == "fast"
    save_model(trained.model, ModelCard.of("" if own else spec, data, start=card), out / MODEL_FILE)
    write_text_atomically(out / RECORD_FILE, to_json(record) + "\n")
    if not trained.record.interrupted:
        checkpoint.unlink(missing_ok=True)
    return record


def train_with(trainer: str, data: Dataset, *, model: str, seed: int) -> Trained:
    """Run a user's `package.module:function(data, seed=...)`, which returns a module (images in 0..1 to logits).

    Raises ModelError when it returns something else.
    """
    function = cast(Callable[..., object], import_object(trainer, "training function"))
    started = time.perf_counter()
    network = function(data, seed=seed)
    if not isinstance(network, nn.Module):
        raise ModelError(
            f"the training function {trainer!r} returned no model",
            expected="a torch.nn.Module that maps images in 0..1 to logits",
            found=type(network).__name__,
        )
    record = TrainingRecord(
        model=model,
        recipe=trainer,
        seed=seed,
        samples=len(data),
        parameters=sum(p.numel() for p in network.parameters()),
        precision="chosen by the training function",
        device=next((p.device.type for p in network.parameters()), "cpu"),
        threads=torch.get_num_threads(),
        seconds=time.perf_counter() - started,
        history=(),
    )
    return Trained(network.to("cpu").eval(), record)


def check_classes(card: ModelCard, data: Dataset, start: Path) -> None:
    """Raise ModelError when the model in `start` has other classes or another input shape than `data`."""
    if not card.fits(data):
        raise ModelError(
            f"the model in {start} was trained on other data",
            expected=f"{len(card.class_names)} classes of samples {card.shape}: {', '.join(card.class_names[:8])}",
            found=f"{len(data.class_names)} classes of samples {data.shape}: {', '.join(data.class_names[:8])}",
        )
