"""From a choice of samples to a poisoned set and its truth: the bookkeeping that every attack shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bezoar.attacks.base import Backdoor, Originals, Poisoned, trigger_spec
from bezoar.attacks.change import Change, Plan
from bezoar.attacks.choose import source_rows
from bezoar.attacks.composing.identity import Newcomer, id_kind, new_ids
from bezoar.attacks.composing.layout import Layout, lay_out
from bezoar.attacks.composing.stamping import SampleHashes, copy_rows, remake_rows, room_for
from bezoar.data.dataset import Dataset, EncodedSamples
from bezoar.data.mark import DrillMark
from bezoar.errors import AttackError
from bezoar.records import Saturation, Skipped
from bezoar.records.versions import versions
from bezoar.triggers.base import ImageTrigger, Trigger
from bezoar.triggers.learnt import LearntTrigger
from bezoar.triggers.saturation import saturation, warn_if_saturated
from bezoar.truth import PlantedBackdoor, PoisonedSample, PoisonTruth

SATURATION_IMAGES = 2048
"""Poisoned images on which saturation is measured; more would hardly make the share more exact."""


def compose(data: Dataset, plan: Plan, *, memory_share: float = 0.25, warn_above: float = 0.25) -> Poisoned:
    """Carry out the planned changes in a copy of `data`, and write down what was done.

    The copy is memory-mapped when larger than `memory_share` of RAM. Warns with SaturationWarning when
    clipping swallowed more than `warn_above` of the first trigger, on the poisons that show it, or on the samples
    that it shall lead astray where no poison shows any.

    Raises AttackError when no poison differs from its original, or a change gives another kind of samples.
    """
    originals = data.positions(plan.ids)
    layout = lay_out(
        data.labels.numpy(),
        originals.numpy(),
        np.array(plan.labels, dtype=np.int64),
        plan.placement,
        np.random.default_rng([plan.seed, 1]),
    )
    labels = _labels(data, plan, layout)
    inputs, hashes = _inputs(data, plan, layout, originals, memory_share)
    ids = _poison_ids(data, plan, layout, originals, hashes)
    poisoned = replace(
        data,
        inputs=inputs,
        labels=labels,
        ids=layout.merged(data.ids, ids),
        sources=_sources(data, layout, originals),
        name=f"{data.name}, poisoned",
        mark=DrillMark(_drill(data, plan)),
        encoded=None if data.encoded is None else _Untouched(data.encoded, frozenset(ids)),
    )
    return Poisoned(
        data=poisoned,
        truth=_truth(data, poisoned, plan, ids, hashes),
        originals=Originals(data, plan.ids if plan.placement == "replace" else ()),
        saturation=_saturation(data, plan, warn_above),
        backdoors=plan.backdoors,
    )


def require_unmarked(data: Dataset) -> None:
    """Raise AttackError when the data come from a drill already: two drills cannot be undone apart."""
    if data.mark is not None:
        raise AttackError(
            f"{data.name} is already poisoned by drill {data.mark.drill}",
            expected="data without a drill mark",
            remedy="Undo that drill first, or say allow_marked=yes in the attack to poison on top of it",
        )


@dataclass(frozen=True)
class _Untouched:
    """`Dataset.encoded` without the poisoned samples: they have no bytes of their own."""

    inner: EncodedSamples
    poisoned: frozenset[str]

    def encoded(self, sample_id: str) -> tuple[str, bytes] | None:
        """Suffix and original bytes of an untouched sample, None for a poisoned one."""
        return None if sample_id in self.poisoned else self.inner.encoded(sample_id)


def _drill(data: Dataset, plan: Plan) -> str:
    triggers = "\0".join(trigger_spec(backdoor.trigger) for backdoor in plan.backdoors)
    origin = f"{plan.attack}\0{triggers}\0{plan.seed}\0{data.digest()}"
    return hashlib.sha256(origin.encode()).hexdigest()[:12]


def _labels(data: Dataset, plan: Plan, layout: Layout) -> Tensor:
    labels = torch.empty(len(layout), dtype=torch.int64)
    labels[torch.from_numpy(layout.kept_rows)] = data.labels[torch.from_numpy(layout.kept)]
    labels[torch.from_numpy(layout.poison_rows)] = torch.tensor(plan.labels, dtype=torch.int64)
    return labels


def _inputs(
    data: Dataset, plan: Plan, layout: Layout, originals: Tensor, memory_share: float
) -> tuple[Tensor, list[SampleHashes]]:
    inputs = room_for(data, len(layout), memory_share)
    copy_rows(data.inputs, torch.from_numpy(layout.kept), inputs, torch.from_numpy(layout.kept_rows))
    as_file = data.encoded is not None or id_kind(data.ids) == "path"
    rows, hashes = torch.from_numpy(layout.poison_rows), []
    for change, place in plan.places():
        made = remake_rows(data, originals[place], inputs, rows[place], change.remade, as_file=as_file)
        _require_effect(plan, change, made)
        hashes.extend(made)
    return inputs, hashes


def _require_effect(plan: Plan, change: Change, hashes: Sequence[SampleHashes]) -> None:
    if change.role == "poison" and all(pair.before == pair.after for pair in hashes):
        shown = [backdoor.trigger for backdoor in plan.backdoors] if change.trigger is None else [change.trigger]
        triggers = " or ".join(dict.fromkeys(map(trigger_spec, shown)))
        raise AttackError(
            f"the trigger {triggers} changes none of the {len(hashes)} samples chosen",
            remedy="Let it learn for more steps, or allow it larger changes"
            if isinstance(change.trigger, LearntTrigger)
            else "Choose another colour, place, strength or mode: labels alone make no backdoor",
        )


def _poison_ids(
    data: Dataset, plan: Plan, layout: Layout, originals: Tensor, hashes: Sequence[SampleHashes]
) -> tuple[str, ...]:
    """Ids of the poisons in the order of the plan; they are given in the order of rows, as a reader does."""
    order = np.argsort(layout.poison_rows).tolist()
    rows = originals.tolist()
    newcomers = [
        Newcomer(
            original_id=plan.ids[index],
            label=plan.labels[index],
            original_label=int(data.labels[rows[index]]),
            source=None if data.sources is None else data.sources[rows[index]],
            written_hash=hashes[index].written,
        )
        for index in order
    ]
    given = dict(zip(order, new_ids(data, layout.kept.tolist(), newcomers, seed=(plan.seed, 2)), strict=True))
    return tuple(given[index] for index in range(len(order)))


def _sources(data: Dataset, layout: Layout, originals: Tensor) -> tuple[str | None, ...] | None:
    if data.sources is None:
        return None
    return layout.merged(data.sources, [data.sources[row] for row in originals.tolist()])


def trigger_saturation(trigger: Trigger, images: Tensor, *, warn_above: float = 0.25) -> Saturation | Skipped:
    """What clipping swallows of a trigger on these images; Skipped for one whose pattern is another on each."""
    if not getattr(trigger, "adds_pattern", True):
        return Skipped("the trigger adds no pattern of its own that clipping could swallow")
    # A stranger's trigger may write into what it is given, and saturation compares with that.
    measured = trigger if isinstance(trigger, ImageTrigger) else lambda batch: trigger(batch.clone())
    return saturation(measured, images, warn_above=warn_above)


def _saturation(data: Dataset, plan: Plan, warn_above: float) -> Saturation | Skipped:
    if not data.is_images:
        return Skipped("saturation is measured on images only")
    trigger, rows = _meeting(data, plan)
    if not len(rows):
        return Skipped("the data hold no sample that the trigger could be put on")
    images = data.inputs[rows[:: -(-len(rows) // SATURATION_IMAGES)]]
    found = trigger_saturation(trigger, images, warn_above=warn_above)
    if isinstance(found, Saturation):
        warn_if_saturated(found, trigger_spec(trigger))
    return found


def _meeting(data: Dataset, plan: Plan) -> tuple[Trigger, Tensor]:
    """A trigger and the rows of images that it meets: poisons that show it, or else samples that it leads astray."""
    for change in plan.changes:
        if change.role == "poison" and change.trigger is not None and change.ids:
            return change.trigger, data.positions(change.ids)
    backdoor = plan.backdoors[0]
    return backdoor.trigger, source_rows(data, backdoor.relabelling)


def _truth(
    data: Dataset, poisoned: Dataset, plan: Plan, ids: Sequence[str], hashes: Sequence[SampleHashes]
) -> PoisonTruth:
    assert poisoned.mark is not None
    names = data.class_names
    old_labels = data.labels[data.positions(plan.ids)].tolist()
    samples = tuple(
        PoisonedSample(new_id, old_id, names[label], names[old_label], pair.before, pair.after, role)
        for new_id, old_id, label, old_label, pair, role in zip(
            ids, plan.ids, plan.labels, old_labels, hashes, plan.roles, strict=True
        )
    )
    return PoisonTruth(
        drill=poisoned.mark.drill,
        attack=plan.attack,
        backdoors=tuple(planted(backdoor, names) for backdoor in plan.backdoors),
        placement=plan.placement,
        seed=plan.seed,
        class_names=names,
        digest_before=data.digest(),
        digest_after=poisoned.digest(),
        originals=len(data),
        samples=samples,
        versions=versions(),
    )


def planted(backdoor: Backdoor, class_names: Sequence[str]) -> PlantedBackdoor:
    """A backdoor as the truth keeps it: a specification, and classes by name."""
    pairs = sorted(backdoor.relabelling.items())
    return PlantedBackdoor(
        trigger_spec(backdoor.trigger), tuple((class_names[source], class_names[target]) for source, target in pairs)
    )
