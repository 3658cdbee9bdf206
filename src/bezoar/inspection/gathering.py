"""Asking references what the model will be asked: the same detectors, seed and clean samples, each once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bezoar.data.dataset import Dataset
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores
from bezoar.errors import BezoarError
from bezoar.evidence.gather import data_key
from bezoar.inspection.asking import asked
from bezoar.inspection.reference_cache import FORMAT, ReferenceCache, file_digest, reference_root
from bezoar.inspection.reference_folder import (
    models_in,
    open_reference,
    reason_of,
    require_enough,
)
from bezoar.inspection.references import Reference, References, built_as
from bezoar.inspection.samples import Kind, in_parts, relabelled
from bezoar.inspection.settings import InspectionSettings
from bezoar.records import Skipped
from bezoar.records.references import ReferenceModel, UnusableReference
from bezoar.records.versions import versions
from bezoar.training.elsewhere import computing_on, usable_device
from bezoar.training.listening import Listener, Silence
from bezoar.training.saved import model_path

UNUSABLE = (BezoarError, OSError, RuntimeError, ValueError)
"""What a reference may fail by; it is named and left out. A network of the user's raises what torch raises."""


@dataclass(frozen=True)
class _Usable:
    """A reference that can be opened: its place, the digest of its file, and its kind; `network` is a digest too."""

    path: Path
    digest: str
    kind: Kind
    network: str


@dataclass(frozen=True, eq=False)
class _Question:
    """What every reference is asked, by and with what."""

    kind: Kind
    clean: Dataset | None
    settings: InspectionSettings
    factory: str | None
    cache: ReferenceCache


def gather_references(
    folder: Path,
    kind: Kind,
    clean: Dataset | None,
    settings: InspectionSettings,
    *,
    factory: str | None = None,
    apart_from: str = "",
    cache: ReferenceCache | None = None,
    listener: Listener | None = None,
) -> References:
    """Ask all models in `folder` what a model of this `kind` will be asked by these settings.

    `clean` are all clean samples of the inspection, of which references see the same part as the model, under their
    own labels; `factory` is for files of weights alone, and `apart_from` the SHA-256 of a file that can't be a
    reference: that of the model in question. Every figure is kept in the cache as soon as it is there. A model that
    can't be used is named in `unusable`. Raises ModelError where fewer than three are left.
    """
    found = models_in(folder)
    listener, cache = listener or Silence(), cache or ReferenceCache(reference_root())
    part = None if clean is None else in_parts(clean, settings.seed)[0]
    question = _Question(kind, part, settings, factory, cache)
    begun = time.perf_counter()
    usable, unusable = _surveyed(found, kind, factory, apart_from)
    require_enough(folder, len(usable), _told(unusable))
    used, all_kept = [], True
    for place, one in enumerate(usable, start=1):
        stage, started = f"reference {place} of {len(usable)}: {one.path.name}", time.perf_counter()
        listener.begins(stage)
        try:
            reference, kept = _asked(one, question)
        except UNUSABLE as error:
            unusable.append(UnusableReference(one.path.name, reason_of(error)))
        else:
            used.append(reference)
            all_kept = all_kept and kept
        listener.ends(stage, time.perf_counter() - started)
    require_enough(folder, len(used), _told(unusable))
    notes = () if all_kept else (f"figures of references could not be kept: {cache.root} can't be written",)
    seconds = time.perf_counter() - begun
    return References(str(folder), settings.detectors, settings.seed, tuple(used), tuple(unusable), notes, seconds)


def _told(unusable: list[UnusableReference]) -> tuple[str, ...]:
    return tuple(f"{one.name}: {one.reason}" for one in unusable[:4])


def _surveyed(
    found: tuple[Path, ...], kind: Kind, factory: str | None, apart_from: str
) -> tuple[list[_Usable], list[UnusableReference]]:
    """Open each once before any is asked anything, which may take minutes."""
    usable: list[_Usable] = []
    unusable = []
    for path in found:
        try:
            reference = open_reference(path, kind, factory)
            digest = file_digest(model_path(path))
        except UNUSABLE as error:
            unusable.append(UnusableReference(path.name, reason_of(error)))
            continue
        twin = next((one.path.name for one in usable if one.digest == digest), None)
        if digest == apart_from:
            unusable.append(UnusableReference(path.name, "it is the model that is inspected"))
        elif twin is not None:
            unusable.append(UnusableReference(path.name, f"it is the same file as {twin}"))
        else:
            network = built_as(reference.opened.model)
            usable.append(_Usable(path, digest, reference.kind, network))
    return usable, unusable


def _asked(one: _Usable, question: _Question) -> tuple[Reference, bool]:
    """The figures of a reference, from the cache where they are there, and whether all could be kept."""
    samples = relabelled(question.clean, one.kind)
    keys = {spec: _key(one, spec, samples, question) for spec in question.settings.detectors}
    found = {spec: question.cache.find(key, len(one.kind.class_names)) for spec, key in keys.items()}
    figures = {spec: kept.classes for spec, kept in found.items() if kept is not None}
    missing = [spec for spec, kept in found.items() if kept is None]
    silent, could_keep = {}, True
    for spec, said in _measured(one, missing, samples, question):
        if isinstance(said, Skipped):
            silent[spec] = said.reason
        else:
            figures[spec] = tuple(round(float(value), 6) for value in said.classes)
            could_keep = question.cache.keep(keys[spec], spec, figures[spec]) and could_keep
    if not figures:
        raise BezoarError("no detector has a figure for it", found="; ".join(dict.fromkeys(silent.values())))
    return Reference(_model(one, question, not missing, silent), one.kind.class_names, figures, one.network), could_keep


def _model(one: _Usable, question: _Question, kept: bool, silent: Mapping[str, str]) -> ReferenceModel:
    shared = len(set(one.kind.class_names) & set(question.kind.class_names))
    return ReferenceModel(one.path.name, one.digest, shared, kept, tuple(silent), next(iter(silent.values()), ""))


def _measured(
    one: _Usable, specs: Sequence[str], samples: Dataset | None, question: _Question
) -> Iterator[tuple[str, ModelScores | Skipped]]:
    """What these detectors say of a reference, one by one, so that each can be kept before the next begins."""
    if not specs:
        return
    opened = open_reference(one.path, question.kind, question.factory).opened
    device = usable_device(opened.model, question.settings.device, one.kind.shape)
    for spec in specs:
        with computing_on(opened.model, device):
            said = asked(spec, opened, samples, one.kind, question.settings.seed)
        yield spec, said


def _key(one: _Usable, spec: str, samples: Dataset | None, question: _Question) -> Mapping[str, object]:
    """Everything that changes a figure."""
    return {
        "kind": "reference",
        "format": FORMAT,
        "model": one.digest,
        "network": one.network,
        "factory": question.factory,
        "classes": list(one.kind.class_names),
        "shape": list(one.kind.shape),
        "detector": MODEL_DETECTORS.spec_of(MODEL_DETECTORS.create(spec), every=True),
        "seed": question.settings.seed,
        "clean": None if samples is None else data_key(samples),
        "versions": dict(versions()[:3]),
    }
