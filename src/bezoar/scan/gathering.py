"""The evidence of a scan: from the samples, from a probe or a user's own model, and against trusted data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.samples.strip import ENTROPY
from bezoar.evidence import Evidence
from bezoar.evidence.against_trusted import by_id, in_order_of
from bezoar.evidence.asset_rounds import offset_losses
from bezoar.evidence.confused import confused_answers
from bezoar.evidence.evidence import Matrix
from bezoar.evidence.gather import Gathered, gather_model, gather_probe, gather_samples
from bezoar.evidence.probe import ProbeRecipe, architecture
from bezoar.evidence.samples.content import CONTENT
from bezoar.evidence.samples.pixels import PIXELS
from bezoar.evidence.samples.spectrum import SPECTRUM
from bezoar.evidence.store import Store
from bezoar.evidence.superposed import superposed_entropy
from bezoar.scan.settings import ScanSettings
from bezoar.training.clock import Clock
from bezoar.training.models import MODELS
from bezoar.training.precision import choose_device

AT_QUICK = (SPECTRUM, PIXELS)
GATHERERS = (*AT_QUICK, CONTENT)
OVERLAYS = 8
"""Samples laid over each one for STRIP: what is laid over them costs a pass through the network each."""


@dataclass(frozen=True)
class TrainedModel:
    """A user's own model and what it is called."""

    model: nn.Module
    name: str


@dataclass(frozen=True, eq=False)
class Seen:
    """All evidence of a scan, that of the trusted data where it was asked for, and what was left out and why."""

    evidence: Evidence
    trusted: Evidence | None
    notes: tuple[str, ...]


def untrainable(data: Dataset, recipe: ProbeRecipe) -> str | None:
    """Why no network can be trained on `data`, None where one can."""
    if len(np.unique(data.labels.numpy())) < 2:
        return "all samples are of one class, which a network can learn nothing from"
    if not data.is_images and recipe.model.partition(":")[0] in MODELS.names():
        return f"the samples are no images, and the network {recipe.model} takes nothing else"
    return None


def gather(
    data: Dataset,
    settings: ScanSettings,
    *,
    model: TrainedModel | None,
    trusted: Dataset | None,
    store: Store | None,
    clock: Clock,
) -> Seen:
    """Everything that the budget asks for. Where nothing can be learnt samples alone are judged, and a note says so.

    Raises as the gatherers do: DataError, ModelError for a model that does not fit, TrainingError.
    """
    with clock.stage("look at the samples"):
        evidence = gather_samples(data, store, AT_QUICK if settings.budget == "quick" else GATHERERS)
    if settings.budget == "quick":
        unused = [name for name, given in (("model", model), ("trusted set", trusted)) if given is not None]
        return Seen(evidence, None, tuple(f"The {name} was not used: quick looks at samples alone." for name in unused))
    reason = None if model is not None else untrainable(data, settings.probe)
    if reason is not None:
        return Seen(evidence, None, (f"No probe was trained: {reason}.",))
    with clock.stage("read the model's features" if model else "train a probe"):
        learnt = _learnt(data, settings, model, store, clock)
    evidence = replace(
        evidence, layers=learnt.evidence.layers, logits=learnt.evidence.logits, history=learnt.evidence.history
    )
    if settings.budget != "thorough":
        unread = () if trusted is None else ("The trusted set was not used: only thorough asks what needs it.",)
        return Seen(evidence, None, unread)
    return _thorough(data, evidence, learnt.model, settings, trusted, store, clock)


def _learnt(
    data: Dataset, settings: ScanSettings, model: TrainedModel | None, store: Store | None, clock: Clock
) -> Gathered:
    if model is not None:
        return gather_model(data, model.model, name=model.name, store=store, device=settings.device)
    return gather_probe(
        data,
        recipe=settings.probe,
        store=store,
        seed=settings.seed,
        device=settings.device,
        progress=clock.listener.trains,
    )


def _thorough(
    data: Dataset,
    evidence: Evidence,
    model: nn.Module,
    settings: ScanSettings,
    trusted: Dataset | None,
    store: Store | None,
    clock: Clock,
) -> Seen:
    """With answers to superposed samples and, against trusted data, those of networks that unlearn and are confused."""
    with clock.stage("lay samples over each other"):
        extra: dict[str, Matrix] = {**_entropies(model, data, settings)}
    if trusted is None:
        return Seen(replace(evidence, extra=extra), None, ())
    with clock.stage("read the trusted data"):
        known = gather_model(trusted, model, name="trusted", store=store, device=settings.device).evidence
        known = replace(known, extra=_entropies(model, trusted, settings))
    reason = untrainable(data, settings.probe)
    if reason is not None:
        note = f"No network was trained against the trusted data: {reason}."
        return Seen(replace(evidence, extra=extra), known, (note,))
    with clock.stage("train against the trusted data"):
        spec = architecture(settings.probe, data)
        for answers in (offset_losses, confused_answers):
            extra |= answers(data, trusted, model=spec, seed=settings.seed, device=settings.device)
    return Seen(replace(evidence, extra=extra), known, ())


def _entropies(model: nn.Module, data: Dataset, settings: ScanSettings) -> Mapping[str, Matrix]:
    """Laid over each other in the order of ids, so that the order of rows changes nothing."""
    if len(data) < 2:
        return {}
    network = copy.deepcopy(model).to(choose_device(settings.device))
    found = superposed_entropy(network, by_id(data).inputs, overlays=OVERLAYS, seed=settings.seed)
    return {ENTROPY: in_order_of(data, list(found.T))}
