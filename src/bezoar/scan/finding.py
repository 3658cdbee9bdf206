"""A finding put together from a nominee and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.confirm import Confirmation
from bezoar.confirm.content import Content
from bezoar.data.dataset import Dataset
from bezoar.evidence import Evidence, Real
from bezoar.records import ClassSignal, Contributor, Finding, Skipped, Suspect
from bezoar.scan.honest.sources import concentration
from bezoar.scan.pictures import suspect_pictures, trigger_record
from bezoar.scan.signals import Answers, Nominee
from bezoar.scan.suspects import listed, with_content
from bezoar.scan.verdict import MISLABELLED, reason_of, strength_of

ATLAS = ("AML.T0020", "AML.T0019")
QUICK = "no trigger is tried at the budget quick"


@dataclass(frozen=True, eq=False)
class Found:
    """A finding, and the chance of each sample of its class (rows) to belong to it."""

    finding: Finding
    rows: NDArray[np.int64]
    odds: Real


def finding_of(
    data: Dataset,
    evidence: Evidence,
    answers: Answers,
    signals: Sequence[ClassSignal],
    nominee: Nominee,
    confirmation: Confirmation | None,
    logits: NDArray[np.float32] | None,
    held_out: NDArray[np.int64] | None,
) -> Found | None:
    """The finding, or None where neither statistics nor flips say anything. `logits` are the blind network's for the
    rows of the nominee, `held_out` rows that no network has met, to show the trigger on.
    """
    strength = strength_of(nominee.signal, confirmation)
    if strength is None:
        return None
    target = evidence.class_names[nominee.label]
    odds = _odds(nominee, confirmation, logits)
    suspects = listed(evidence, nominee, odds, None if logits is None else logits.argmax(1), answers.scores)
    fired = sorted(
        (one for one in signals if one.class_name == target and (one.fired or one == nominee.signal)),
        key=lambda one: one.p_value,
    )
    trigger = confirmation.trigger if confirmation else Skipped(QUICK)
    shown = (
        [] if held_out is None or confirmation is None else _source_rows(data, held_out, nominee.label, confirmation)
    )
    finding = Finding(
        fingerprint=_fingerprint(target, suspects),
        strength=strength,
        target=target,
        sources=_sources(evidence, nominee.label, confirmation),
        reason=reason_of(strength, nominee.signal, confirmation),
        suspects=suspects,
        signals=tuple(fired),
        trigger=trigger if isinstance(trigger, Skipped) else trigger_record(data, trigger, shown),
        flip_test=confirmation.flip_test if confirmation else Skipped(QUICK),
        content=_content(confirmation.content, evidence.class_names, target)
        if confirmation
        else "what the suspects show was not asked at the budget quick",
        contributors=_contributors(evidence, suspects),
        atlas=ATLAS,
        remedies=("bezoar clean DATA --findings record.json --out cleaned",),
        pictures=suspect_pictures(data, suspects),
    )
    return Found(finding, nominee.rows, odds)


def _odds(nominee: Nominee, confirmation: Confirmation | None, logits: NDArray[np.float32] | None) -> Real:
    """The expert's odds, sharpened by what samples show where most suspects carry a wrong label."""
    wrong = confirmation.content.mislabelled if confirmation else None
    if logits is None or wrong is None or wrong < MISLABELLED:
        return nominee.odds
    return with_content(nominee.odds, logits, nominee.label)


def _sources(evidence: Evidence, label: int, confirmation: Confirmation | None) -> tuple[str, ...]:
    """Names of the classes that the trigger turns."""
    return tuple(evidence.class_names[one] for one in (confirmation.sources if confirmation else ()) if one != label)


def _source_rows(data: Dataset, held_out: NDArray[np.int64], label: int, confirmation: Confirmation) -> list[int]:
    labels = data.labels[held_out].numpy()
    among = np.isin(labels, confirmation.sources) if confirmation.sources else labels != label
    return [int(row) for row in held_out[among][:8]]


def _content(content: Content, names: Sequence[str], target: str) -> str:
    """What the suspects show, in a sentence."""
    looks = sorted(
        ((count, name) for count, name in zip(content.looks, names, strict=True) if count and name != target),
        reverse=True,
    )
    seen = ", ".join(f"{name} ({count})" for count, name in looks[:4])
    said = f"A network that never met the suspects gives {content.agree:.0%} of them their label"
    if content.genuine_agree is None:
        return f"{said}; too few genuine samples of {target} to compare with."
    said += f", and {content.genuine_agree:.0%} of genuine samples of {target}"
    return f"{said}. Others look to it like {seen}." if seen else f"{said}."


def _contributors(evidence: Evidence, suspects: Sequence[Suspect]) -> tuple[Contributor, ...]:
    if evidence.sources is None:
        return ()
    return concentration([suspect.id for suspect in suspects], evidence.ids, evidence.sources)


def _fingerprint(target: str, suspects: Sequence[Suspect]) -> str:
    """The same for the same target and suspects, in whatever order."""
    digest = hashlib.sha256(target.encode())
    for sample_id in sorted(suspect.id for suspect in suspects):
        digest.update(f"\0{sample_id}".encode(errors="surrogatepass"))
    return digest.hexdigest()[:32]
