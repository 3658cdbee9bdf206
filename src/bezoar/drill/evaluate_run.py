"""A drill's record from a trained victim, the sealed truth and clean test data."""

from __future__ import annotations

import warnings
from pathlib import Path

from torch import Tensor

from bezoar.attacks import Backdoor, open_truth, trigger_saturation
from bezoar.attacks.choose import source_rows
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate
from bezoar.drill.record import Judged, attack_record, drill_record
from bezoar.drill.subject import REPAIRED, Subject, open_subject
from bezoar.errors import BezoarWarning, TruthError, UsageError
from bezoar.metrics import clean_accuracy, confusion_matrix, rate_or_skipped
from bezoar.records import (
    DatasetRecord,
    DrillRecord,
    EvaluationRecord,
    Rate,
    Skipped,
)
from bezoar.records.drilling import ITSELF_REPAIRED, NOT_REPAIRED
from bezoar.records.versions import now, versions
from bezoar.training import predict_logits
from bezoar.truth import PlantedBackdoor, PoisonTruth


def evaluate_run(
    victim: str,
    test: Dataset,
    truth_path: Path,
    *,
    twin: str | None,
    command: str,
    factory: str | None = None,
) -> DrillRecord:
    """Measure a victim with the truth's trigger on `test`.

    `victim` and `twin` are whatever `open_model` opens, each by `factory` where it needs one.
    """
    sealed = open_truth(truth_path)
    truth = sealed.truth
    subject = open_subject(victim, test, factory=factory)
    _check_belongs(subject, truth, truth_path)
    _warn_of_training_data(test, truth.digest_before, truth.digest_after, *subject.learnt_from)
    backdoors = tuple(
        Backdoor(trigger, label_pairs(planted, test))
        for trigger, planted in zip(sealed.triggers(), truth.backdoors, strict=True)
    )

    def judged(candidate: Subject) -> Judged:
        return Judged(candidate.training, evaluate(candidate.model, test, backdoors))

    beside = None if twin is None else _twin(twin, test, factory)
    return drill_record(
        f"{subject.name}: {truth.backdoors[0].trigger}",
        dataset=subject.dataset,
        test=test,
        attack=attack_record(truth, backdoors[0].trigger),
        backdoors=backdoors,
        victim=judged(subject),
        twin=Skipped("no clean twin was given") if beside is None else judged(beside),
        saturation=trigger_saturation(backdoors[0].trigger, test.inputs[source_rows(test, backdoors[0].relabelling)]),
        repair=ITSELF_REPAIRED if subject.training == REPAIRED else NOT_REPAIRED,
        commands=(*subject.commands, command),
    )


def evaluate_clean(victim: str, test: Dataset, *, command: str, factory: str | None = None) -> EvaluationRecord:
    """Measure a model on clean test data alone."""
    subject = open_subject(victim, test, factory=factory)
    _warn_of_training_data(test, *subject.learnt_from)
    predictions = predict_logits(subject.model, test.inputs).argmax(1)
    names = test.class_names
    return EvaluationRecord(
        created=now(),
        training=subject.training,
        test_dataset=test.record(),
        clean_accuracy=clean_accuracy(test.labels, predictions),
        by_class=tuple((name, _of_class(test, predictions, label)) for label, name in enumerate(names)),
        confusion=confusion_matrix(test.labels, predictions, len(names)),
        commands=(*subject.commands, command),
        versions=versions(),
    )


def label_pairs(planted: PlantedBackdoor, test: Dataset) -> dict[int, int]:
    """The attack's source and target labels among the test set's classes."""
    return {test.class_index(source): test.class_index(target) for source, target in planted.relabelling}


def _twin(place: str, test: Dataset, factory: str | None) -> Subject:
    """The twin by the victim's factory, or without one where it needs none."""
    try:
        return open_subject(place, test, factory=factory)
    except UsageError:
        return open_subject(place, test)


def _check_belongs(subject: Subject, truth: PoisonTruth, truth_path: Path) -> None:
    if isinstance(subject.dataset, DatasetRecord) and subject.dataset.digest != truth.digest_after:
        raise TruthError(
            f"{truth_path} belongs to other data than {subject.name} was trained on",
            expected=f"training data with digest {truth.digest_after[:12]}",
            found=subject.dataset.digest[:12],
            remedy="Give the truth file that bezoar attack wrote beside these training data",
        )


def _warn_of_training_data(test: Dataset, *trained_on: str) -> None:
    if test.digest() in trained_on:
        warnings.warn(
            f"{test.name} is what the model was trained on or repaired by: on data never seen it will do worse",
            BezoarWarning,
            stacklevel=2,
        )


def _of_class(test: Dataset, predictions: Tensor, label: int) -> Rate | Skipped:
    members = test.labels == label
    hits = int((predictions[members] == label).sum())
    return rate_or_skipped(hits, int(members.sum()), "the test data hold no sample of this class")
