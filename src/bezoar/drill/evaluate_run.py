"""A drill's record from a trained victim, the sealed truth and clean test data."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from bezoar.attacks import load_truth
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate, source_rows
from bezoar.drill.pictures import picture_pairs
from bezoar.drill.record import PICTURES, attack_record, monitoring_answer, trigger_visibility
from bezoar.drill.stages import RECORD_FILE
from bezoar.drill.train_run import check_classes
from bezoar.drill.versions import now, versions
from bezoar.errors import RecordError, TruthError
from bezoar.metrics import clean_accuracy, confusion_matrix, rate_or_skipped
from bezoar.records import (
    DrillRecord,
    EvaluationRecord,
    ModelResult,
    Rate,
    Skipped,
    TrainingRunRecord,
    from_json,
    to_json,
    write_text_atomically,
)
from bezoar.training import load_model, predict_logits
from bezoar.triggers import TRIGGERS, saturation
from bezoar.truth import PoisonTruth


def evaluate_run(
    run: Path, test: Dataset, truth_path: Path, *, twin: Path | None, out: Path, command: str
) -> DrillRecord:
    """Measure the model in `run` with the truth's trigger on `test`, and write the record to `out`."""
    truth = load_truth(truth_path)
    training = read_training(run)
    if training.dataset.digest != truth.digest_after:
        raise TruthError(
            f"{truth_path} belongs to other data than {run} was trained on",
            expected=f"training data with digest {truth.digest_after[:12]}",
            found=training.dataset.digest[:12],
            remedy="Give the truth file that bezoar attack wrote beside these training data",
        )
    trigger, relabelling = TRIGGERS.create(truth.trigger), label_pairs(truth, test)
    victim = evaluate(load_model(run)[0], test, trigger, relabelling)
    beside = None if twin is None else evaluate(load_model(twin)[0], test, trigger, relabelling)
    record = DrillRecord(
        title=f"{run.name}: {truth.trigger}",
        created=now(),
        dataset=training.dataset,
        test_dataset=test.record(),
        attack=attack_record(truth, training.dataset.samples),
        victim=ModelResult("victim", training.training, victim.measurement),
        twin=Skipped("no clean twin was given")
        if twin is None or beside is None
        else ModelResult("clean twin", read_training(twin).training, beside.measurement),
        visibility=trigger_visibility(trigger, test, relabelling),
        saturation=saturation(trigger, test.inputs[source_rows(test, relabelling)]),
        monitoring=monitoring_answer(test, victim, beside),
        pairs=picture_pairs(test, trigger, victim, tuple(relabelling), count=PICTURES, seed=truth.seed),
        commands=(*training.commands, command),
        stages=(),
        versions=versions(),
    )
    write_text_atomically(out / RECORD_FILE, to_json(record) + "\n")
    return record


def evaluate_clean(run: Path, test: Dataset, *, out: Path, command: str) -> EvaluationRecord:
    """Measure the model in `run` on clean test data alone, and write the record to `out`."""
    training, (model, card) = read_training(run), load_model(run)
    check_classes(card, test, run)
    predictions = predict_logits(model, test.inputs).argmax(1)
    names = test.class_names
    record = EvaluationRecord(
        created=now(),
        training=training.training,
        test_dataset=test.record(),
        clean_accuracy=clean_accuracy(test.labels, predictions),
        by_class=tuple((name, _of_class(test, predictions, label)) for label, name in enumerate(names)),
        confusion=confusion_matrix(test.labels, predictions, len(names)),
        commands=(*training.commands, command),
        versions=versions(),
    )
    write_text_atomically(out / RECORD_FILE, to_json(record) + "\n")
    return record


def _of_class(test: Dataset, predictions: Tensor, label: int) -> Rate | Skipped:
    members = test.labels == label
    hits = int((predictions[members] == label).sum())
    return rate_or_skipped(hits, int(members.sum()), "the test data hold no sample of this class")


def read_training(run: Path) -> TrainingRunRecord:
    """The record of a `bezoar train` run folder. Raises RecordError when there is none."""
    path = run / RECORD_FILE
    if not path.exists():
        raise RecordError(f"{path} does not exist", expected="a run folder of bezoar train")
    return from_json(TrainingRunRecord, path.read_bytes(), origin=str(path))


def label_pairs(truth: PoisonTruth, test: Dataset) -> dict[int, int]:
    """The attack's source and target labels among the test set's classes."""
    return {test.class_index(source): test.class_index(target) for source, target in truth.relabelling}
