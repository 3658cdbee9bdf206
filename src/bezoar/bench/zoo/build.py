"""Train the subjects of a zoo, one by one; what is trained already is not trained again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from bezoar.attacks import Backdoor, open_truth
from bezoar.attacks.sealing.truth_file import seal_without_data
from bezoar.attacks.tampering import tampering_truth
from bezoar.bench.claims import alone, in_turn
from bezoar.bench.zoo.config import Subject
from bezoar.bench.zoo.material import Material, Shelf, poisoned_data, with_wrong_labels
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate
from bezoar.errors import BezoarError
from bezoar.metrics import clean_accuracy
from bezoar.records import Rate, from_json, to_json, write_text_atomically
from bezoar.training import MODEL_FILE, ModelCard, load_model, predict_logits, save_model, train
from bezoar.training.listening import Listener
from bezoar.truth import PoisonTruth

TRUTH_FILE, RECORD_FILE = "truth.zip", "subject.json"


@dataclass(frozen=True)
class Built:
    """A trained subject: clean accuracy and attack success on test samples, target classes by label, poisons."""

    key: str
    label: str
    group: str
    data: str
    network: str
    seed: int
    choosing: bool
    backdoored: bool
    clean_accuracy: float
    attack_success: float | None
    targets: tuple[int, ...]
    sources: tuple[int, ...]
    poisons: int
    seconds: float


def build_zoo(
    wanted: Sequence[Subject], out: Path, listener: Listener, *, device: str = "auto"
) -> tuple[tuple[Subject, Built], ...]:
    """Train every subject that `out` doesn't hold yet, and give all that are there.

    Several processes may share a zoo. A subject that fails keeps none of the others from being trained; at the end
    BezoarError names it.
    """
    shelf = Shelf()
    each_subject(
        wanted,
        listener,
        lambda one: _build(one, shelf, out / one.key, listener, device),
        folder=lambda one: out / one.key,
        done=lambda one: (out / one.key / RECORD_FILE).exists(),
    )
    return tuple(built_subjects(wanted, out))


def each_subject(
    wanted: Sequence[Subject],
    listener: Listener,
    work: Callable[[Subject], None],
    *,
    folder: Callable[[Subject], Path],
    done: Callable[[Subject], bool],
) -> None:
    """Do the `work` on every subject in its turn, see `in_turn`; at the end BezoarError names those that failed."""
    failures = []
    for subject in in_turn(wanted, listener, folder=folder, label=lambda one: one.label, done=done):
        try:
            work(subject)
        except BezoarError as error:
            failures.append(f"{subject.label}: {error}")
    if failures:
        raise BezoarError(f"{len(failures)} of {len(wanted)} subjects failed", found="; ".join(failures))


def built(subject: Subject, shelf: Shelf, out: Path, listener: Listener, device: str) -> Built:
    """One subject, trained unless `out` holds it already. Raises BezoarError where it can't be."""
    folder = out / subject.key
    with alone(folder):
        if not (folder / RECORD_FILE).exists():
            _build(subject, shelf, folder, listener, device)
    return _read(folder / RECORD_FILE)


def built_subjects(wanted: Iterable[Subject], out: Path) -> list[tuple[Subject, Built]]:
    """The subjects that are trained so far."""
    records = ((subject, out / subject.key / RECORD_FILE) for subject in wanted)
    return [(subject, _read(record)) for subject, record in records if record.exists()]


def _read(record: Path) -> Built:
    return from_json(Built, record.read_bytes(), origin=str(record))


def load_subject(folder: Path) -> nn.Module:
    """The trained model in a subject's folder."""
    return load_model(folder / MODEL_FILE)[0]


def load_backdoors(folder: Path, test: Dataset) -> tuple[Backdoor, ...]:
    """What sets a subject's backdoor off, none for one without: for measuring alone."""
    if not (folder / TRUTH_FILE).exists():
        return ()
    sealed = open_truth(folder / TRUTH_FILE)
    return tuple(
        Backdoor(trigger, {test.class_index(source): test.class_index(target) for source, target in one.relabelling})
        for trigger, one in zip(sealed.triggers(), sealed.truth.backdoors, strict=True)
    )


def _build(subject: Subject, shelf: Shelf, folder: Path, listener: Listener, device: str) -> None:
    started = time.perf_counter()
    material = shelf.material(subject.data, subject.seed)
    clean = with_wrong_labels(material.training, subject.group.label_noise, subject.seed)
    poisoned = poisoned_data(subject, clean)
    data = clean if poisoned is None else poisoned.data
    network = subject.network.train
    model = train(
        data, model=network.model, recipe=subject.recipe, seed=subject.seed, device=device, progress=listener.trains
    ).model
    card = ModelCard.of(network.model, data)
    backdoors: tuple[Backdoor, ...] = ()
    truth: PoisonTruth | None = None
    if poisoned is not None:
        backdoors, truth = poisoned.backdoors, replace(poisoned.truth, samples=())
    if subject.tamper:
        tampered = subject.build_tampering().tamper(model, material.training, seed=subject.seed)
        model, backdoors = tampered.model, (tampered.backdoor,)
        truth = tampering_truth(tampered, data.record())
        card = replace(card, drill=truth.drill)
    if truth is not None:
        (folder / TRUTH_FILE).unlink(missing_ok=True)
        seal_without_data(truth, backdoors, folder / TRUTH_FILE)
    save_model(model, card, folder / MODEL_FILE)
    poisons = 0 if poisoned is None else len(poisoned.truth.poison_ids)
    built = _measured(subject, model, material, backdoors, poisons, time.perf_counter() - started)
    write_text_atomically(folder / RECORD_FILE, to_json(built) + "\n")


def _measured(
    subject: Subject,
    model: nn.Module,
    material: Material,
    backdoors: tuple[Backdoor, ...],
    poisons: int,
    seconds: float,
) -> Built:
    test = material.test
    if backdoors:
        measured = evaluate(model, test, backdoors).measurement
        accuracy, success = measured.clean_accuracy, measured.attack_success
    else:
        accuracy, success = clean_accuracy(test.labels, predict_logits(model, test.inputs).argmax(1)), None
    pairs = {pair for one in backdoors for pair in one.relabelling.items() if pair[0] != pair[1]}
    return Built(
        key=subject.key,
        label=subject.label,
        group=subject.group.name,
        data=subject.data.name,
        network=subject.network.name,
        seed=subject.seed,
        choosing=subject.group.choosing,
        backdoored=bool(backdoors),
        clean_accuracy=accuracy.value,
        attack_success=success.value if isinstance(success, Rate) else None,
        targets=tuple(sorted({target for _, target in pairs})),
        sources=tuple(sorted({source for source, _ in pairs})),
        poisons=poisons,
        seconds=seconds,
    )
