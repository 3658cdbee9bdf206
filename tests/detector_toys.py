"""Evidence that is made up: classes as Gaussian clouds, and poison planted among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.evidence import Evidence, History
from bezoar.truth import PlantedBackdoor, PoisonedSample, PoisonTruth

WIDTH = 24


@dataclass(frozen=True, eq=False)
class Planted:
    """Evidence, and which of its rows are poison."""

    evidence: Evidence
    poison: NDArray[np.bool_]
    target: int

    def of_target(self) -> NDArray[np.int64]:
        return self.evidence.members(self.target)


def clouds(
    sizes: Sequence[int],
    *,
    poison: int = 0,
    target: int = 1,
    width: int = WIDTH,
    far: float = 9.0,
    early: float = 0.7,
    seed: int = 0,
) -> Planted:
    """Classes of these sizes; `poison` samples of the target class lie `far` off their old class along a new axis.

    Poison comes from the other classes in turn and is on top of `sizes`; `early` of its trigger shows in the first
    layer. Rows are shuffled; ids say nothing.
    """
    generator = np.random.default_rng(seed)
    classes = len(sizes)
    centres = generator.normal(0, 2.0, (classes, width))
    trigger = np.zeros(width)
    trigger[-1] = far
    labels = np.concatenate([np.repeat(np.arange(classes), sizes), np.full(poison, target)])
    others = [label for label in range(classes) if label != target] or [target]
    origins = np.concatenate([labels[: sum(sizes)], np.resize(others, poison)]).astype(int)
    is_poison = np.arange(len(labels)) >= sum(sizes)
    # What a probe makes of poison: little of its origin, some of its target, and the trigger.
    blend = 0.3 * centres[origins] + 0.7 * centres[labels]
    deep = np.where(is_poison[:, None], blend + trigger, centres[labels]) + generator.normal(size=(len(labels), width))
    # The first layer hardly tells classes apart.
    shallow = (
        0.15 * centres[origins] + is_poison[:, None] * trigger * early + generator.normal(size=(len(labels), width))
    )
    order = generator.permutation(len(labels))
    logits = -((deep[:, None, :] - centres[None]) ** 2).mean(2) * 4
    return Planted(
        evidence_of(labels[order], shallow[order], deep[order], logits[order], is_poison[order], classes, generator),
        is_poison[order],
        target,
    )


def evidence_of(labels, shallow, deep, logits, is_poison, classes, generator) -> Evidence:
    n, epochs = len(labels), 5
    # Poison with a strong trigger is learnt at once, label errors last.
    pace = np.where(is_poison, 3.0, 1.0)[None] * np.arange(1, epochs + 1)[:, None]
    loss = 2.3 * np.exp(-0.4 * pace) * generator.uniform(0.8, 1.2, (epochs, n))
    return Evidence(
        ids=tuple(f"{generator.integers(1 << 40):012x}-{row}" for row in range(n)),
        labels=labels.astype(np.int64),
        class_names=tuple(f"class {label}" for label in range(classes)),
        inputs={"pixels": shallow.astype(np.float32)},
        layers={"first": shallow.astype(np.float16), "last": deep.astype(np.float16)},
        logits=logits.astype(np.float32),
        history=History(loss.astype(np.float32), loss < 1.0),
    )


def truth_about(planted: Planted) -> PoisonTruth:
    """The truth of a made-up poisoning, for the bookkeeping of `measure_detection`."""
    ids = [planted.evidence.ids[row] for row in np.flatnonzero(planted.poison)]
    names = planted.evidence.class_names
    return PoisonTruth(
        drill="drill",
        attack="dirty-label",
        backdoors=(PlantedBackdoor("patch", ((names[0], names[planted.target]),)),),
        placement="add",
        seed=0,
        class_names=names,
        digest_before="before",
        digest_after="after",
        originals=len(planted.evidence) - len(ids),
        samples=tuple(PoisonedSample(i, i, names[planted.target], names[0], "00", "11") for i in ids),
        versions=(),
    )
