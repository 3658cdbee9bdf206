"""The causal test of a hypothesis: recover its trigger and compare what it does with matched controls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from bezoar.confirm.content import (
    Content,
    apart,
    content_of,
    familiarity,
    is_one_kind,
    is_unfamiliar,
    labels_look_right,
    least_blame,
    looks_like_all_others,
)
from bezoar.confirm.flips import LEAST_FLIPS, Carriers, Rows, above_chance
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.measured import flip_test
from bezoar.confirm.recover.candidates import from_networks, from_samples
from bezoar.confirm.recover.recovered import FEWEST_SUSPECTS, Recovered
from bezoar.confirm.trials import ON_PLACEBO, Bench, Trial
from bezoar.confirm.witness import Witness, Witnesses
from bezoar.data.dataset import Dataset
from bezoar.records import FlipTest, Skipped

MOST_SUSPECTS, MOST_CARRIERS = 600, 4_000
MOST_VALUES = 1 << 27
"""Suspects and carriers hold at most this many values each, 134 million: 891 colour images of 224 pixels a side."""
MOST_ORDINARY = 1 << 26
"""Values of carriers that suspects are compared with before any network is asked."""
SOURCE_MARGIN = 0.25
"""On the choosing half a source's flips exceed the control's by at least this, and by half of what the best does."""
FEWEST_CARRIERS = 20
NEARLY = 0.15
"""A simpler trigger that gains less than the best by no more than this is taken for it."""
ENOUGH = 0.5
"""Triggers found in samples that gain this much leave no need for pieces and warps, which take seconds to find."""
FAMILIAR = 0.2
"""A network that is less sure of this share of held-out samples than of the median suspect sees what suspects show."""
RECOGNISED = 0.25
"""Under fine detail of others this share of genuine samples that were recognised must still be."""
LARGE, DETAIL = 1 / 3, "residual"
"""Suspects who make more than this share of their class, and the kind of trigger that is all their fine detail."""
LEAST_WORTH = 0.1
"""Pieces and warps that gain less are what can be made of any network: no trigger."""
LEAST_HOPE = LEAST_FLIPS / 2
"""A trigger that gains less even against no control turns less than it must of every source."""

NO_IMAGES = "triggers are recovered from images only"
REPLACED, REPLACED_OF = 96.0, 256
"""Levels by which a trigger changes the mean pixel of so many samples. What makes characters black on white in place of
white on black changes 162 levels, half of the loudest noise blended into pictures at most 64."""
FEW_SUSPECTS = f"no trigger can be recovered from fewer than {FEWEST_SUSPECTS} suspects"
FEW_CARRIERS = "too few clean samples to try a trigger on"
AT_CHANCE = "the network that met the suspects is hardly better than chance on held-out samples"
NO_TRIGGER = "nothing that was recovered from the suspects turns more clean samples than its controls do"


@dataclass(frozen=True, eq=False)
class Confirmation:
    """What became of a hypothesis: the trigger that did most, what it did, and what the suspects show.

    `trigger` may be Skipped where `flip_test` is not: there, the best was no better than its controls. `worth` is what
    it gained on the half of the samples that chose it, see `Trial.worth`; -1 where nothing was tried. `share` is that
    of the suspects in their class. `in_common` is what they teach each other, see there, None where it was not asked.
    """

    hypothesis: Hypothesis
    trigger: Recovered | Skipped
    flip_test: FlipTest | Skipped
    content: Content
    sources: tuple[int, ...]
    worth: float = -1.0
    share: float = 0.0
    in_common: float | None = None

    @property
    def is_detail(self) -> bool:
        """Whether the trigger is no more than all fine detail of the suspects."""
        return isinstance(self.trigger, Recovered) and self.trigger.kind == DETAIL

    @property
    def is_amplified(self) -> bool:
        """Whether the trigger is stronger than what the suspects bear of it."""
        return isinstance(self.trigger, Recovered) and self.trigger.borne is not None

    @property
    def is_filter(self) -> bool:
        """Whether the trigger is a change of all colours, which pictures of a kind may have by nature, as red cars."""
        return isinstance(self.trigger, Recovered) and self.trigger.kind == "colours"

    @property
    def may_be_its_own(self) -> bool:
        """Whether the trigger is made of what a large part of a class shows, all its fine detail or pieces of it.

        A network that learnt the class from what is left of it learns from such suspects what the class looks like.
        """
        made_of_content = isinstance(self.trigger, Recovered) and self.trigger.kind in (DETAIL, "pieces")
        return made_of_content and self.share > LARGE

    @property
    def may_be_a_kind(self) -> bool:
        """Whether suspects may be a kind of picture that shares the class with others, as frogs and airplanes might."""
        return self.share > LARGE and is_one_kind(self.content)


def confirm(
    data: Dataset, hypothesis: Hypothesis, witnesses: Witnesses, *, seed: int, from_samples_alone: bool = False
) -> Confirmation:
    """Recover the trigger from suspects in every way that is known and test the one that does most.

    Held-out samples are halved: one half chooses among the triggers and says which classes flip, the other measures.
    Controls, on the same samples: the trigger on the network that never met the suspects and on the one that met others
    in their place, and a trigger recovered the same way from innocent samples of the class. The strongest counts, for
    choosing as for measuring: a trigger that merely fools a network fools the control as well.

    Skipped, with the reason, are data that aren't images, fewer than 12 suspects or 20 carriers, and networks that are
    not clearly better than chance, of which nothing can be said. At most 600 suspects, and of large images as many as
    make 134 million values. The same for the same seed, whatever the order of the rows. With `from_samples_alone` no
    network is asked for a trigger, which takes seconds.
    """
    suspects, bench = samples_of(data, hypothesis), Bench(witnesses, hypothesis.target)
    choosing = np.arange(len(bench.carriers.labels)) % 2 == 0
    reason = _why_not(data, suspects, bench, choosing)
    classes = len(data.class_names)
    share = len(hypothesis.suspects) / max(1, int((data.labels == hypothesis.target).sum()))
    plain = content_of(witnesses.blind, suspects, hypothesis.target, None, classes)
    if reason is not None:
        return Confirmation(hypothesis, Skipped(reason), Skipped(reason), plain, (), share=share)
    asked = not (from_samples_alone or labels_look_right(plain))
    trial = _best(bench.part(choosing), suspects, bench.carriers, seed, ask_networks=asked, large=share > LARGE)
    trigger, sources = trial.candidate.trigger, _sources(trial, classes)
    measured = bench.part(~choosing).trial(trial.candidate)
    test = flip_test(measured, hypothesis.target, sources, data.class_names)
    plain = replace(
        plain,
        familiar=familiarity(witnesses.blind, suspects),
        apart=apart(witnesses.blind, plain.looks, hypothesis.target),
    )
    if labels_look_right(plain) and trial.worth < LEAST_WORTH:
        content = plain  # there is no trigger to allow for
    else:
        content = _content(bench, suspects, trigger, plain, classes)
    shown = Skipped(NO_TRIGGER) if trigger.by_network and trial.worth < LEAST_WORTH else trigger
    return Confirmation(hypothesis, shown, test, content, sources, trial.worth, share)


def _content(bench: Bench, suspects: Carriers, trigger: Recovered, plain: Content, classes: int) -> Content:
    """What the suspects show, the trigger allowed for; `plain` is what they show as they are."""
    blind = bench.witnesses.blind
    if is_unfamiliar(plain) and _replaces(trigger, bench.others):
        return replace(plain, mislabelled=None)  # black on white: a network that met white on black can't read it
    content = content_of(blind, suspects, bench.target, trigger.borne or trigger, classes)
    if trigger.kind != DETAIL:
        return replace(content, familiar=plain.familiar, apart=plain.apart)
    if (plain.familiar or 0.0) >= FAMILIAR and (_is_lost(content, plain) or looks_like_all_others(plain)):
        # Others' details on a picture make no picture of the kind, and sepia without its details looks like cats: the
        # suspects as they are the network knows well.
        content = plain
    content = least_blame(content, _seen_coarsely(bench, suspects, classes))
    return replace(content, familiar=plain.familiar, apart=plain.apart)


def _replaces(trigger: Recovered, others: Carriers) -> bool:
    """Whether the trigger leaves hardly a pixel as it was, so that it is no mark on pictures but a kind of them."""
    some = others.inputs[:REPLACED_OF]
    return float((trigger(some).float() - some.float()).abs().mean()) >= REPLACED


def _seen_coarsely(bench: Bench, suspects: Carriers, classes: int) -> Content | None:
    """What the suspects show to one who can't see their details, which may be no more than those of a noisy camera."""
    sight = bench.witnesses.coarse
    if sight is None:
        return None
    seen = content_of(Witness.of(sight.network, bench.carriers), suspects, bench.target, None, classes)
    return replace(seen, coarsely=True)


def _is_lost(content: Content, plain: Content) -> bool:
    """Whether under a trigger what suspects show can't be told, or only by the few genuine samples still recognised.

    Suspects that are recognised more often than those show what their label says all the same.
    """
    if content.mislabelled is None:
        return True
    few = (content.genuine_agree or 0.0) < RECOGNISED * (plain.genuine_agree or 0.0)
    return few and content.agree < (content.genuine_agree or 0.0)


def shown_by(data: Dataset, hypothesis: Hypothesis, blind: Witness) -> Content:
    """What the suspects show as they are. A trigger that is put on and taken off can only put their labels right."""
    return content_of(blind, samples_of(data, hypothesis), hypothesis.target, None, len(data.class_names))


def witness_of(data: Dataset, model: nn.Module, held_out: Rows) -> Witness:
    """The network before the held-out samples, as many as triggers are tried on."""
    return Witness.of(model, Carriers.of(data, held_out[: min(MOST_CARRIERS, _as_many(data, MOST_VALUES))]))


def samples_of(data: Dataset, hypothesis: Hypothesis) -> Carriers:
    """The suspects, as many as triggers are recovered from."""
    chosen = hypothesis.suspects[: min(MOST_SUSPECTS, _as_many(data, MOST_VALUES))]
    return Carriers.of(data, data.positions(chosen).numpy())


def _as_many(data: Dataset, values: int) -> int:
    """Of how many samples there are no more than so many values."""
    return max(1, values // max(1, math.prod(data.shape)))


def _why_not(data: Dataset, suspects: Carriers, bench: Bench, choosing: np.ndarray) -> str | None:
    """Why no trigger can be tried, None where it can."""
    if not data.is_images:
        return NO_IMAGES
    if len(suspects.labels) < FEWEST_SUSPECTS:
        return FEW_SUSPECTS
    if (bench.carriers.labels[choosing] != bench.target).sum() < FEWEST_CARRIERS:
        return FEW_CARRIERS
    return None if above_chance(bench.witnesses.exposed.right, bench.carriers.labels) else AT_CHANCE


def _best(bench: Bench, suspects: Carriers, carriers: Carriers, seed: int, *, ask_networks: bool, large: bool) -> Trial:
    """Of all that is recovered, what gains most on the bench; pieces and warps only if they gain anything to speak of.

    Where nothing does, one that shows in the samples is preferred to one that a network was asked for. Networks are
    asked, which takes seconds, where `ask_networks` or nothing else is recovered: warps and pieces under right labels
    are no known attack, and most classes with a natural part come here. Of a `large` part fine detail comes last.
    """
    innocent = carriers.part(carriers.labels == bench.target).inputs[: len(suspects.labels)]
    ordinary = carriers.inputs[: max(1, MOST_ORDINARY // carriers.inputs[0].numel())]
    shown = bench.trials(from_samples(suspects.inputs, innocent, ordinary), near=NEARLY, least=LEAST_HOPE)
    details = [one for one in shown if large and one.candidate.trigger.kind == DETAIL]
    shown = [one for one in shown if one not in details]
    if (shown or details) and (not ask_networks or max((one.worth for one in shown), default=-1.0) >= ENOUGH):
        return _most(shown + details)
    exposed, placebo = bench.witnesses.exposed.model, bench.witnesses.placebo.model
    found = from_networks(exposed, placebo, suspects.inputs, innocent, bench.others.inputs, bench.target, seed)
    asked = bench.trials(found, near=NEARLY, least=LEAST_HOPE)
    good = [one for one in asked if one.worth >= LEAST_WORTH]
    return _most((shown + good + details) or asked)


def _most(trials: Sequence[Trial]) -> Trial:
    """The first that gains nearly as much as the best: a patch before a pattern, which shows the sources as well."""
    best = max(one.worth for one in trials)
    return next(one for one in trials if one.worth >= best - NEARLY)


def _sources(trial: Trial, classes: int) -> tuple[int, ...]:
    """Classes that flip clearly more than under the placebo, at least half as much as the best of them."""
    gains = trial.gains(classes, trial.controls[ON_PLACEBO])
    if not np.isfinite(gains).any():
        return ()
    bar = max(SOURCE_MARGIN, 0.5 * float(np.nanmax(gains)))
    return tuple(int(label) for label in np.flatnonzero(np.nan_to_num(gains, nan=-1.0) >= bar))
