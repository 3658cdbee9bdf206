"""The attacker's own model: trained on the data here, or brought along."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from torch import nn

from bezoar.attacks.base import Progress
from bezoar.attacks.fit import require_model
from bezoar.attacks.learning.hardened import Hardened
from bezoar.data.dataset import Dataset
from bezoar.errors import AttackError
from bezoar.importing import import_object
from bezoar.training import MODELS, build_model, default_recipe, load_model, train
from bezoar.training import Progress as Training
from bezoar.training.loop import statistics_sample
from bezoar.training.own import own_model, wants_argument
from bezoar.training.precision import choose_device

SHOWN = 4
"""Class names that an error lists."""


class WithSurrogate(Protocol):
    """An attack with a surrogate among its fields."""

    @property
    def surrogate(self) -> str:
        """A model as in `surrogate_model`."""

    @property
    def surrogate_epochs(self) -> int:
        """For how long it is trained here, if it is."""

    @property
    def device(self) -> str:
        """Where: auto, cpu or cuda."""


def surrogate_of(
    attack: WithSurrogate,
    data: Dataset,
    *,
    seed: int,
    progress: Progress,
    harden: Callable[[nn.Module], Hardened] | None = None,
    frozen: bool = True,
) -> nn.Module:
    """The surrogate that an attack's fields ask for, see `surrogate_model`."""
    return surrogate_model(
        data,
        attack.surrogate,
        epochs=attack.surrogate_epochs,
        seed=seed,
        device=attack.device,
        progress=progress,
        harden=harden,
        frozen=frozen,
    )


def surrogate_model(
    data: Dataset,
    model: str,
    *,
    epochs: int,
    seed: int,
    device: str,
    progress: Progress,
    harden: Callable[[nn.Module], Hardened] | None = None,
    frozen: bool = True,
) -> nn.Module:
    """A trained model of images in 0..1 to logits of the data's classes, on `device` and in evaluation mode.

    Neither the order of the rows of `data` nor anything random but `seed` changes the result.
    `model` is a run folder of `bezoar train` (or its .safetensors file) whose data had the same classes and shape, a
    user's own trained module as `package.module:name`, or a function without arguments that gives one, of which a copy
    is used, or an architecture such as `fast`, which is trained on `data` for `epochs` from `seed`, adversarially where
    `harden` wraps it for that.
    `frozen` says that no gradient by its parameters is wanted; otherwise they require one as they did in training.
    Raises AttackError when there is no such model or it does not fit the data.
    """
    if _is_run(model):
        found = _loaded(Path(model), data)
    elif (own := _own_module(model)) is not None:
        found = copy.deepcopy(own)
    else:
        found = _trained(data, model, epochs, seed, device, progress, harden)
    found = found.eval().requires_grad_(False) if frozen else found.eval()
    require_model(found, data, f"the surrogate {model}")
    return found.to(choose_device(device))


def is_brought_along(model: str) -> bool:
    """Whether `model` names a model trained elsewhere, and not an architecture."""
    return _is_run(model) or _own_module(model) is not None


def architecture_of(model: str) -> str | None:
    """The architecture that can be trained anew: a run folder knows its own, a module brought along has none."""
    if _is_run(model):
        return load_model(Path(model))[1].model
    return None if _own_module(model) is not None else model


def _is_run(model: str) -> bool:
    """Whether a run folder or its model is meant: a folder called like an architecture must be written as ./fast."""
    return model.split(":")[0] not in MODELS.names() and Path(model).exists()


def _trained(
    data: Dataset,
    model: str,
    epochs: int,
    seed: int,
    device: str,
    progress: Progress,
    harden: Callable[[nn.Module], Hardened] | None,
) -> nn.Module:
    # Training depends on the order of rows, so it is given one that does not depend on the data's.
    data = data.select(data.positions(sorted(data.ids)))
    report = functools.partial(_train_progress, progress)
    recipe = replace(default_recipe(model), epochs=epochs)
    fresh = build_model(model, classes=len(data.class_names), sample=statistics_sample(data.inputs), seed=seed)
    start = fresh if harden is None else harden(fresh)
    train(data, model=model, recipe=recipe, seed=seed, start=start, device=device, progress=report)
    return fresh


def _loaded(path: Path, data: Dataset) -> nn.Module:
    """The model of a run, if it was trained on such data: the number of classes alone says little."""
    found, card = load_model(path)
    if not card.fits(data):
        raise AttackError(
            f"the surrogate {path} was trained on other data",
            expected=f"classes {_listed(data.class_names)}, images {data.shape}",
            found=f"classes {_listed(card.class_names)}, images {card.shape}",
            remedy="Train one on this data, or name an architecture such as surrogate=fast",
        )
    return found


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _own_module(model: str) -> nn.Module | None:
    """A user's own trained module, None for an architecture or a factory of one, which wants the number of classes."""
    if ":" not in model or "=" in model:
        return None
    found = import_object(model, "surrogate")
    if isinstance(found, nn.Module):
        return found
    return None if wants_argument(found) else own_model(model, 0)


def _train_progress(progress: Progress, training: Training) -> None:
    done = (training.epoch - 1) * training.samples_total + training.samples_done
    progress("train a surrogate", done, training.epochs * training.samples_total)
