"""The truth about a tampered model: which backdoor it carries. No sample was changed, so it holds none."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bezoar.attacks.base import trigger_spec
from bezoar.attacks.composing.compose import planted
from bezoar.attacks.sealing.truth_file import seal_without_data
from bezoar.attacks.tampering.base import Tampered
from bezoar.records import DatasetRecord
from bezoar.records.versions import versions
from bezoar.truth import PoisonTruth


def tampering_truth(tampered: Tampered, trained_on: DatasetRecord) -> PoisonTruth:
    """What was done to a model that was trained on these data, which are the same before and after."""
    backdoor = planted(tampered.backdoor, tampered.class_names)
    origin = f"{tampered.attack}\0{trigger_spec(tampered.backdoor.trigger)}\0{tampered.seed}\0{trained_on.digest}"
    return PoisonTruth(
        drill=hashlib.sha256(origin.encode()).hexdigest()[:12],
        attack=tampered.attack,
        backdoors=(backdoor,),
        placement="none",
        seed=tampered.seed,
        class_names=tampered.class_names,
        digest_before=trained_on.digest,
        digest_after=trained_on.digest,
        originals=trained_on.samples,
        samples=(),
        versions=versions(),
    )


def save_tampering_truth(tampered: Tampered, truth: PoisonTruth, path: Path | str) -> None:
    """Write the truth file, as `save_truth` does for poisoned data, with what the trigger has learnt."""
    seal_without_data(truth, (tampered.backdoor,), path)
