"""The causal test of a hypothesis: recover its trigger and compare what it does with matched controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bezoar.confirm.content import Content, content_of
from bezoar.confirm.flips import Carriers, Change, Flags, Flips, flips
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Networks
from bezoar.confirm.recover.levels import recover_levels
from bezoar.confirm.recover.patch import recover_patch
from bezoar.confirm.recover.pattern import recover_pattern
from bezoar.confirm.recover.pieces import recover_pieces
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.recover.warp import recover_warp
from bezoar.data.dataset import Dataset
from bezoar.metrics import mcnemar_exact, rate_or_skipped, wilson
from bezoar.records import FlipTest, Skipped, SourceFlips
from bezoar.shapes import Images

MOST_SUSPECTS, MOST_ORDINARY = 600, 4_000
SOURCE_MARGIN = 0.25
"""On the choosing half a source's flips exceed the control's by at least this, and by half of what the best does."""
FEWEST_CARRIERS = 20
ENOUGH = 0.5
"""Patches and patterns that gain this much leave no need for pieces and warps, which take seconds to find."""


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What became of a hypothesis: the trigger that did most, what it did, and what the suspects show."""

    hypothesis: Hypothesis
    trigger: Recovered | Skipped
    flip_test: FlipTest | Skipped
    content: Content
    sources: tuple[int, ...]


def confirm(data: Dataset, hypothesis: Hypothesis, networks: Networks, *, seed: int) -> Confirmation:
    """Recover the trigger from suspects in every way that is known and test the one that does most.

    Held-out samples are halved: one half chooses among the triggers and says which classes flip, the other measures.
    Controls, on the same samples: the trigger on the network that never met the suspects and on the one that met others
    in their place, and a trigger recovered the same way from innocent samples of the class. The strongest counts.
    """
    carriers = Carriers.of(data, networks.held_out)
    choosing = np.arange(len(carriers.labels)) % 2 == 0
    suspects = data.inputs[data.positions(hypothesis.suspects[:MOST_SUSPECTS])]
    ordinary = data.inputs[networks.held_out[:MOST_ORDINARY]]
    shown = Carriers(suspects, np.full(len(suspects), hypothesis.target))
    first = carriers.part(choosing)
    if not data.is_images or (first.labels != hypothesis.target).sum() < FEWEST_CARRIERS:
        reason = (
            "too few clean samples to try a trigger on" if data.is_images else "triggers are recovered from images only"
        )
        content = content_of(networks.blind, shown, carriers, hypothesis.target, None, len(data.class_names))
        return Confirmation(hypothesis, Skipped(reason), Skipped(reason), content, ())
    tried = _tried(suspects, ordinary, networks, first, hypothesis.target, seed)
    _, chosen, trigger = max(tried, key=lambda one: one[0])
    sources = _sources(chosen, flips(networks.placebo, first, trigger, hypothesis.target), first, len(data.class_names))
    innocent = _innocent_trigger(data, trigger, networks, hypothesis, ordinary, first, seed)
    test = _flip_test(data, carriers.part(~choosing), networks, trigger, innocent, hypothesis.target, sources)
    content = content_of(networks.blind, shown, carriers, hypothesis.target, trigger, len(data.class_names))
    return Confirmation(hypothesis, trigger, test, content, sources)


def _tried(
    suspects: Images, ordinary: Images, networks: Networks, first: Carriers, target: int, seed: int
) -> list[tuple[float, Flips, Recovered]]:
    """Each recovered trigger with what it does on the choosing half, and by how much that exceeds its control."""
    tried = []

    def attempt(one: Recovered | None) -> None:
        if one is not None:
            done = flips(networks.exposed, first, one, target)
            tried.append((_worth(done, flips(networks.blind, first, one, target), first), done, one))

    for found in (recover_patch(suspects, ordinary), *recover_pattern(suspects, ordinary)):
        attempt(found)
    attempt(recover_levels(suspects, ordinary))
    if max((worth for worth, _, _ in tried), default=0.0) < ENOUGH:
        attempt(recover_pieces(networks.exposed, suspects, target))
        others = first.part(first.labels != target)
        attempt(recover_warp(networks.exposed, others.inputs, target, seed=seed))
    return tried


def _innocent_trigger(
    data: Dataset,
    trigger: Recovered,
    networks: Networks,
    hypothesis: Hypothesis,
    ordinary: Images,
    first: Carriers,
    seed: int,
) -> Change | None:
    """A trigger of the same kind, from held-out samples of the class in place of suspects."""
    if trigger.kind == "warp":
        others = first.part(first.labels != hypothesis.target)
        return recover_warp(networks.placebo, others.inputs, hypothesis.target, seed=seed)
    rows = networks.held_out[data.labels[networks.held_out].numpy() == hypothesis.target][: len(hypothesis.suspects)]
    innocent = data.inputs[rows]
    if trigger.kind == "pieces":
        return recover_pieces(networks.exposed, innocent, hypothesis.target)
    if trigger.kind in ("patch", "levels"):
        return (recover_patch if trigger.kind == "patch" else recover_levels)(innocent, ordinary)
    return next(iter(recover_pattern(innocent, ordinary)), None)


def _by_class(flags: Flips, carriers: Carriers, classes: int) -> NDArray[np.float64]:
    """Flip rate of each class, NaN where fewer than 10 carriers count."""
    rates = np.full(classes, np.nan)
    for label in range(classes):
        counted = flags.counted & (carriers.labels == label)
        if counted.sum() >= 10:
            rates[label] = flags.flipped[counted].mean()
    return rates


def _worth(done: Flips, control: Flips, carriers: Carriers) -> float:
    """Gain over the control, half that of the best source and half of all: some triggers work on one source alone."""
    classes = int(carriers.labels.max()) + 1
    gain = _by_class(done, carriers, classes) - np.nan_to_num(_by_class(control, carriers, classes))
    best = float(np.nanmax(gain)) if np.isfinite(gain).any() else 0.0
    return 0.5 * (best + done.rate - control.rate)


def _sources(chosen: Flips, placebo: Flips, carriers: Carriers, classes: int) -> tuple[int, ...]:
    """Classes that flip clearly more than under the placebo, at least half as much as the best of them."""
    gain = _by_class(chosen, carriers, classes) - np.nan_to_num(_by_class(placebo, carriers, classes))
    if not np.isfinite(gain).any():
        return ()
    bar = max(SOURCE_MARGIN, 0.5 * float(np.nanmax(gain)))
    return tuple(int(label) for label in np.flatnonzero(np.nan_to_num(gain, nan=-1.0) >= bar))


def _flip_test(
    data: Dataset,
    second: Carriers,
    networks: Networks,
    trigger: Recovered,
    innocent: Change | None,
    target: int,
    sources: Sequence[int],
) -> FlipTest | Skipped:
    among = np.isin(second.labels, sources) if sources else second.labels != target
    exposed = flips(networks.exposed, second, trigger, target)
    counted = exposed.counted & among
    if not counted.any():
        return Skipped("the network gets no held-out sample of the source classes right")
    controls = {
        "the same trigger on a network that never met the suspects": flips(networks.blind, second, trigger, target),
        "the same trigger on a network that met innocent samples in their place": flips(
            networks.placebo, second, trigger, target
        ),
    }
    if innocent is not None:
        model = networks.placebo if trigger.kind == "warp" else networks.exposed
        controls["a trigger recovered the same way from innocent samples"] = flips(model, second, innocent, target)
    controls = {name: one for name, one in controls.items() if (one.counted & among).any()}
    if not controls:
        return Skipped("the controls get no held-out sample of the source classes right")
    name, strongest = max(controls.items(), key=lambda pair: _share(pair[1].flipped, pair[1].counted & among))
    both = counted & strongest.counted
    only, other = (
        int((exposed.flipped & ~strongest.flipped & both).sum()),
        int((~exposed.flipped & strongest.flipped & both).sum()),
    )
    return FlipTest(
        flips=wilson(int(exposed.flipped[counted].sum()), int(counted.sum())),
        control=wilson(int(strongest.flipped[among].sum()), int((strongest.counted & among).sum())),
        control_kind=name,
        controls=len(controls),
        p_value=mcnemar_exact(only, other).first_worse,
        by_source=tuple(
            _source_flips(data.class_names[label], exposed, strongest, second.labels == label)
            for label in range(len(data.class_names))
            if label != target
        ),
        model="a small network that met the suspects among other samples",
    )


def _share(flipped: Flags, counted: Flags) -> float:
    return float(flipped[counted].mean()) if counted.any() else 0.0


def _source_flips(name: str, exposed: Flips, control: Flips, among: Flags) -> SourceFlips:
    none = "the network gets no held-out sample of this class right"
    return SourceFlips(
        name,
        rate_or_skipped(int(exposed.flipped[among].sum()), int((exposed.counted & among).sum()), none),
        rate_or_skipped(int(control.flipped[among].sum()), int((control.counted & among).sum()), none),
    )
