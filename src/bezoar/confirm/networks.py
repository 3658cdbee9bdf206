"""Networks that differ in one thing: whether they have met the suspects."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from bezoar.confirm.coarse import CoarseSight, coarse_sight
from bezoar.confirm.flips import Rows
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.data.dataset import Dataset
from bezoar.errors import DataError
from bezoar.evidence.probe import ProbeRecipe, fine_tune, train_probe
from bezoar.training import Progress
from bezoar.training.precision import choose_device

MOST_TRAINED, MOST_HELD_OUT, HELD_OUT_SHARE = 20_000, 3_000, 0.2
FEWEST_HELD_OUT = 20
"""As many are held out even of a rare class, if that is no more than a fifth of it."""
MOST_REHEARSED = 6_000
BATCH = 256
"""20,000 images of CIFAR-10 in batches of 256 make 80.7% right after 93 seconds, of 512 79.8% after 157."""
SUSPECTS_SHOWN, LEAST_SHOWN = 600, 400
EPOCHS, RATE_SHARE = 4, 0.5
"""Two epochs teach the suspects themselves; what they have in common takes two more."""
MOST_VALUES = 1 << 30
"""No training set holds more values, about a gigabyte: 7,133 colour images of 224 pixels a side."""


@dataclass(frozen=True, eq=False)
class Networks:
    """`blind` never met a suspect; `exposed` is `blind` trained further with the suspects of all hypotheses among other
    samples, `placebo` the same with as many other samples of their classes. `held_out` are rows that none of them met.
    `coarse` is what `blind` was trained on, without its details; None of data that have none.
    """

    blind: nn.Module
    exposed: nn.Module
    placebo: nn.Module
    held_out: Rows
    coarse: CoarseSight | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Rows for training, of which some come up again while suspects are shown, and rows held out."""

    trained: Rows
    held_out: Rows


@dataclass(frozen=True, eq=False)
class Blind:
    """A network that met no suspect, what it was trained on and not, and the same training set without its details."""

    model: nn.Module
    parts: Parts
    coarse: CoarseSight | None = None


def divided(data: Dataset, doubtful: set[str], seed: int, met: Rows | None = None) -> Parts:
    """Samples that nobody doubts: at most 3,000 or a fifth held out, at most 20,000 of the others to train on.

    Each class is held out in proportion, and a rare one to 20 samples if that is no more than a fifth of it. The order
    is random, the same samples for the same seed, whatever the order of the rows. Rows that another network has `met`
    are not held out.
    """
    ordered = sorted(range(len(data)), key=data.ids.__getitem__)
    clean = np.array([row for row in ordered if data.ids[row] not in doubtful], dtype=np.int64)
    clean = np.random.default_rng(seed).permutation(clean)
    labels = data.labels[torch.from_numpy(clean)].numpy()
    fresh = ~np.isin(clean, [] if met is None else met)
    held = _held_out(labels, min(MOST_HELD_OUT, int(HELD_OUT_SHARE * len(clean))), fresh)
    return Parts(clean[~held][: min(MOST_TRAINED, _most_rows(data))], clean[held])


def _held_out(labels: Rows, count: int, fresh: np.ndarray) -> np.ndarray:
    """Which of samples in random order (n,) are held out, about `count` in all: of each class the first fresh ones."""
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        share = max(round(len(members) * count / len(labels)), min(FEWEST_HELD_OUT, int(HELD_OUT_SHARE * len(members))))
        held[members[fresh[members]][:share]] = True
    return held


def _most_rows(data: Dataset) -> int:
    return max(1, MOST_VALUES // max(1, math.prod(data.shape)))


def train_blind(
    data: Dataset,
    hypotheses: Sequence[Hypothesis],
    doubtful: set[str],
    *,
    recipe: ProbeRecipe,
    seed: int,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
    other: Blind | None = None,
) -> Blind:
    """Train the network that meets no suspect, even if they are not among the `doubtful`, and none of those either.

    Beside an `other` network only samples are held out that neither has met.
    Raises DataError where fewer than two samples remain that nobody doubts.
    """
    suspects = {sample_id for hypothesis in hypotheses for sample_id in hypothesis.suspects}
    parts = divided(data, doubtful | suspects, seed, other.parts.trained if other else None)
    if len(parts.trained) < 2:
        raise DataError(
            "hardly a sample is beyond doubt", expected="2 samples to train on", found=str(len(parts.trained))
        )
    trained = data.select(parts.trained.tolist())
    smaller = replace(recipe, batch_size=min(recipe.batch_size, BATCH))
    probe = train_probe(trained, recipe=smaller, seed=seed, device=device, progress=progress)
    return Blind(probe.model, parts, coarse_sight(data, parts.trained))


def train_shown(
    data: Dataset, blind: Blind, hypotheses: Sequence[Hypothesis], *, seed: int, device: str = "auto"
) -> Networks:
    """Train the two others from it. Whatever differs between `exposed` and `placebo` is due to the suspects.

    Hypotheses of one class are rivals: their suspects are shown together, those that most rivals name first.
    """
    trained = blind.parts.trained
    together = united(hypotheses)
    shown = [data.positions(hypothesis.suspects[:SUSPECTS_SHOWN]).numpy() for hypothesis in together]
    spare = trained[MOST_REHEARSED:] if len(trained) > 2 * MOST_REHEARSED else trained
    in_place = [_innocent(data, spare, one.target, len(rows)) for one, rows in zip(together, shown, strict=True)]
    model = blind.model.to("cpu")
    exposed, placebo = (_shown(data, blind, groups, seed, device) for groups in (shown, in_place))
    return Networks(model.to(choose_device(device)), exposed, placebo, blind.parts.held_out, blind.coarse)


def train_taught(data: Dataset, blind: Blind, hypothesis: Hypothesis, *, seed: int, device: str = "auto") -> nn.Module:
    """The network trained further, as `exposed` is, with the suspects of one hypothesis among other samples."""
    return _shown(data, blind, [data.positions(hypothesis.suspects[:SUSPECTS_SHOWN]).numpy()], seed, device)


def _shown(data: Dataset, blind: Blind, groups: Sequence[Rows], seed: int, device: str) -> nn.Module:
    together = _with(data, blind.parts.trained[:MOST_REHEARSED], groups)
    further = fine_tune(blind.model, together, epochs=EPOCHS, rate_share=RATE_SHARE, seed=seed, device=device)
    return further.to(choose_device(device))


def halves(learnt: Blind, unmet: Blind) -> Networks:
    """The networks that test half of a class: one that learnt the class from it, and one that learnt it from the rest.

    `unmet` was trained beside `learnt`, so that nothing that is held out was met by either.
    """
    return Networks(unmet.model, learnt.model, unmet.model, unmet.parts.held_out, unmet.coarse)


def united(hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """One hypothesis for each target: suspects that more rivals name come first, then those whose best rank is best."""
    rivals: dict[int, list[Hypothesis]] = {}
    for one in hypotheses:
        rivals.setdefault(one.target, []).append(one)
    return tuple(
        Hypothesis(target, _together([one.suspects for one in of_one]), " + ".join(one.signal for one in of_one))
        for target, of_one in rivals.items()
    )


def _together(rankings: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    votes: Counter[str] = Counter()
    best: dict[str, int] = {}
    for ranking in rankings:
        votes.update(ranking)
        for rank, sample_id in enumerate(ranking):
            best[sample_id] = min(rank, best.get(sample_id, rank))
    return tuple(sorted(votes, key=lambda one: (-votes[one], best[one], one)))


def _innocent(data: Dataset, rows: Rows, target: int, count: int) -> Rows:
    """As many samples of the class that nobody doubts, repeated where there are fewer; none where there are none."""
    found: Rows = rows[data.labels[torch.from_numpy(rows)].numpy() == target][:count]
    return np.resize(found, count) if len(found) else found


def _with(data: Dataset, rehearsed: Rows, groups: Sequence[Rows]) -> Dataset:
    """Rehearsed samples and every group, small groups repeated until they have 400 rows."""
    repeated = [np.tile(rows, max(1, -(-LEAST_SHOWN // max(1, len(rows))))) for rows in groups]
    shown = sum(len(rows) for rows in repeated)
    rows = np.concatenate([rehearsed[: max(1, _most_rows(data) - shown)], *repeated])
    index = torch.from_numpy(rows)
    # A sample that comes up several times needs an id each time.
    ids = tuple(f"{data.ids[row]}#{turn}" for turn, row in enumerate(rows.tolist()))
    return replace(data, inputs=data.inputs[index], labels=data.labels[index], ids=ids, sources=None, skipped=())
