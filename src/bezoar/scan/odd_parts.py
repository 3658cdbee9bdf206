"""Classes that stand out and are no findings: what is odd in them, shown, and why it is none."""

from __future__ import annotations

from collections.abc import Sequence

from bezoar.data.dataset import Dataset
from bezoar.evidence import Evidence
from bezoar.records import ClassSignal, Finding, OddPart, Skipped
from bezoar.scan.causal import Outcomes
from bezoar.scan.finding import Covering, Tested, Untested
from bezoar.scan.nominees import Nominee
from bezoar.scan.pictures import suspect_pictures
from bezoar.scan.shown import shown_in_words
from bezoar.scan.suspects import listed
from bezoar.scan.verdict import UNNAMED, why_no_finding

MOST_SHOWN = 12
NOT_TRIED = Skipped("no trigger could make a finding of them")


def odd_parts(
    data: Dataset,
    evidence: Evidence,
    signals: Sequence[ClassSignal],
    chosen: Sequence[Nominee],
    outcomes: Outcomes,
    findings: Sequence[Finding],
) -> tuple[OddPart, ...]:
    """Of each class that stands out what is odd, the classes in the order of their signals.

    Classes of findings are left out, and covers of a finding's trigger, which are told with it.
    """
    told = {finding.target for finding in findings}
    nominated = {one.signal.class_name: (one, outcome) for one, outcome in zip(chosen, outcomes, strict=True)}
    standing = dict.fromkeys(signal.class_name for signal in signals if signal.fired)
    parts = []
    for name in standing:
        nominee, outcome = nominated.get(name, (None, None))
        if name in told or isinstance(outcome, Covering):
            continue
        if nominee is None:
            parts.append(OddPart(name, UNNAMED, (), NOT_TRIED))
        else:
            parts.append(_part(data, evidence, nominee, outcome))
    return tuple(parts)


def _part(data: Dataset, evidence: Evidence, nominee: Nominee, outcome: Tested | Untested | None) -> OddPart:
    tested = outcome if isinstance(outcome, Tested) else None
    confirmation = tested.confirmation if tested else None
    expert = tested.expert if tested else nominee.experts[0]
    looks = tested.logits.argmax(1) if tested else None
    samples = listed(evidence, nominee.label, expert, expert.odds, looks, {})
    name = evidence.class_names[nominee.label]
    shown = confirmation.content if confirmation else outcome.shown if isinstance(outcome, Untested) else None
    return OddPart(
        name,
        why_no_finding(confirmation),
        tuple(one.id for one in samples),
        confirmation.flip_test if confirmation else NOT_TRIED,
        shown_in_words(shown, evidence.class_names, name) if shown else "",
        suspect_pictures(data, samples[:MOST_SHOWN], "odd sample"),
    )


def by_reason(parts: Sequence[OddPart]) -> dict[str, list[str]]:
    """The classes of parts, by what there is to say of them."""
    found: dict[str, list[str]] = {}
    for part in parts:
        found.setdefault(part.why, []).append(part.class_name)
    return found
