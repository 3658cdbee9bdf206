"""A run folder tampered with: the same run with a backdoor in its model, and the sealed truth beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bezoar.attacks import trigger_saturation
from bezoar.attacks.base import Progress, unheard
from bezoar.attacks.choose import source_rows
from bezoar.attacks.tampering import Tampering, save_tampering_truth, tampering_truth
from bezoar.data.dataset import Dataset
from bezoar.drill.record import attack_record
from bezoar.drill.stages import RECORD_FILE
from bezoar.drill.subject import read_training
from bezoar.drill.train_run import check_classes
from bezoar.errors import AttackError
from bezoar.records import AttackRunRecord, to_json, write_text_atomically
from bezoar.training import MODEL_FILE, load_model, save_model

SATURATION_IMAGES = 2048


@dataclass(frozen=True)
class TamperedRun:
    """What was written, and what the tampering says of itself."""

    record: AttackRunRecord
    notes: tuple[str, ...]


def tamper_run(
    method: Tampering,
    run: Path,
    data: Dataset,
    out: Path,
    truth_path: Path,
    *,
    seed: int,
    progress: Progress = unheard,
) -> TamperedRun:
    """Put a backdoor into a copy of the run's model, in the folder `out`, which must be there; `run` stays as it is.

    `data` are the attacker's own clean samples. The copy keeps the record of its training, which the tampering did
    not touch; its model carries the mark of the drill, which says nothing of how or where. Raises ModelError or
    RecordError when there is no such run, AttackError when its model cannot be tampered with or carries a mark already.
    """
    training = read_training(run, expected="a run folder of bezoar train (in Python a tampering takes any module)")
    model, card = load_model(run)
    check_classes(card, data, run)
    if card.drill is not None:
        raise AttackError(
            f"the model in {run} carries the mark of drill {card.drill} already",
            expected="a model that no drill has given a backdoor: two in one cannot be measured apart",
            remedy="Give the run of a training on clean data",
        )
    tampered = method.tamper(model, data, seed=seed, progress=progress)
    truth = tampering_truth(tampered, training.dataset)
    # The truth first, as for data: no tampered model shall exist that nobody can measure.
    save_tampering_truth(tampered, truth, truth_path)
    try:
        save_model(tampered.model, replace(card, drill=truth.drill), out / MODEL_FILE)
        write_text_atomically(out / RECORD_FILE, to_json(training) + "\n")
    except BaseException:
        truth_path.unlink(missing_ok=True)
        raise
    backdoor = tampered.backdoor
    shown = data.inputs[source_rows(data, backdoor.relabelling)[:SATURATION_IMAGES]]
    record = AttackRunRecord(
        dataset=training.dataset,
        attack=attack_record(truth, backdoor.trigger),
        saturation=trigger_saturation(backdoor.trigger, shown),
        data_file=str(out),
        truth_file=str(truth_path),
    )
    return TamperedRun(record, tampered.notes)
