"""The causal test of all nominees: networks trained with and without their suspects, and triggers tried on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np

from bezoar.confirm.company import in_common
from bezoar.confirm.confirm import witness_of
from bezoar.confirm.covers import bears
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.networks import Blind, halves, train_blind, train_shown
from bezoar.confirm.recover.recovered import Recovered
from bezoar.confirm.rest import rest_is_marked
from bezoar.confirm.rivals import confirm_rivals
from bezoar.confirm.witness import Witness, Witnesses
from bezoar.data.dataset import Dataset
from bezoar.errors import DataError, TrainingError
from bezoar.scan.case import Case, case_of, doubtful, hypotheses_of
from bezoar.scan.finding import Covering, Tested, Untested, proves
from bezoar.scan.gathering import untrainable
from bezoar.scan.glance import glance
from bezoar.scan.nominees import Expert, Nominee
from bezoar.scan.settings import ScanSettings
from bezoar.scan.strength import MOSTLY_WRONG, hangs_on_company
from bezoar.training import predict_logits
from bezoar.training.allocator import recycled_memory
from bezoar.training.clock import Clock

Outcome: TypeAlias = Tested | Covering | Untested | None
Outcomes: TypeAlias = tuple[Outcome, ...]
"""What became of each nominee; None of one that no test could make a finding of."""
MOST_MISSED = 0.2
"""Of a genuine half a network that learnt the class from poisons knows no more than the poisons in it. Of natural
halves either knows a fifth of the other at least."""


def causal_test(data: Dataset, chosen: Sequence[Nominee], settings: ScanSettings, clock: Clock) -> Outcomes:
    """What the causal test made of each nominee. At quick, and where nothing can be trained, none is made."""
    if not chosen:
        return ()
    if settings.budget == "quick":
        with clock.stage("see what the suspects show"):
            return glance(data, chosen, seed=settings.seed)
    reason = untrainable(data, settings.probe)
    if reason is not None:
        return (Untested(f"no trigger could be tried: {reason}"),) * len(chosen)
    try:
        with recycled_memory():  # hundreds of times some thousand samples are copied, changed and asked about
            return _Court(data, settings, clock).outcomes(chosen)
    except (DataError, TrainingError) as error:  # too few samples that nobody doubts, or a training that diverged
        return (Untested(f"no trigger could be tried: {error.what}"),) * len(chosen)


@dataclass(frozen=True, eq=False)
class _Court:
    """Where nominees of a data set are tested."""

    data: Dataset
    settings: ScanSettings
    clock: Clock

    def outcomes(self, chosen: Sequence[Nominee]) -> Outcomes:
        """What becomes of each nominee."""
        blind = self._blind(chosen)
        with self.clock.stage("see what the suspects show"):
            witness = witness_of(self.data, blind.model, blind.parts.held_out)
        found = self._tested(chosen, blind, witness, (), look=True)
        return tuple(found.get(one.label) for one in chosen)

    def _tested(
        self, chosen: Sequence[Nominee], blind: Blind, witness: Witness, proved: Sequence[Tested], *, look: bool
    ) -> dict[int, Outcome]:
        """What the test makes of nominees, by label; none of those that it could make no finding of.

        Those with most wrong labels come first, large parts before all. With `look`, once those are through of which
        the rest of a class may be the odd part, and nothing is proved, it is looked at: if that bears a trigger and is
        confirmed, all others are tested anew. Suspects that bear a proved trigger are its covers, unless that turns few
        classes and their own is confirmed as another target. Their labels don't tell: if a few poisons were met after
        all, covers look like the target to every network.
        """
        with self.clock.stage("see what the suspects show"):
            cases = [case for one in chosen if (case := case_of(self.data, one, witness)).matters]
        if not cases:
            return {}
        cases.sort(key=lambda case: (not (case.may_be_turned and case.wrong >= MOSTLY_WRONG), -case.wrong))
        with self.clock.stage("train networks with the suspects and with others"):
            left = [hypothesis for case in cases for hypothesis in case.rivals]
            networks = train_shown(self.data, blind, left, seed=self.settings.seed, device=self.settings.device)
            witnesses = Witnesses.of(networks, witness)
        turnable = [place for place, case in enumerate(cases) if look and case.may_be_turned]
        first = 1 + turnable[-1] if turnable else 0
        found, known = self._in_turn(cases[:first], witnesses, blind, proved)
        if turnable and not known:
            turned = self._turned(chosen, [cases[place] for place in turnable], found, blind, witness)
            if turned:
                return turned
        found.update(self._in_turn(cases[first:], witnesses, blind, known)[0])
        return found

    def _in_turn(
        self, cases: Sequence[Case], witnesses: Witnesses, blind: Blind, proved: Sequence[Tested]
    ) -> tuple[dict[int, Outcome], list[Tested]]:
        """What becomes of each case, by label, and all that is proved by then."""
        found: dict[int, Outcome] = {}
        known = list(proved)
        if not cases:
            return found, known
        with self.clock.stage("recover triggers and try them"):
            for case in cases:
                covering = _covering(self.data, case.rivals, known)
                if covering and (covering.certain or case.looks_right):
                    found[case.nominee.label] = covering
                    continue
                tested = self._tried(case.nominee, case.rivals, witnesses, blind, trigger_is_known=bool(covering))
                if not proves(case.nominee, tested):
                    found[case.nominee.label] = covering or self._in_company(case.nominee, tested, blind)
                    continue
                found[case.nominee.label] = tested
                if _is_proof(case.nominee, tested):
                    known.append(tested)
        return found, known

    def _turned(
        self,
        chosen: Sequence[Nominee],
        cases: Sequence[Case],
        found: Mapping[int, Outcome],
        blind: Blind,
        witness: Witness,
    ) -> dict[int, Outcome]:
        """What becomes of all nominees where the rest of a class is the odd part; nothing where that is not confirmed.

        The rest is tested on the network that learnt it, beside one that did not, and all others on the latter. Where
        `found` confirms the suspects already, the same test is made of them, turned round: the trigger that gains more
        is the trigger.
        """
        with self.clock.stage("look at what large parts leave of a class"):
            marked = [one for case in cases if (one := self._rest(case.nominee, witness)) is not None]
        if not marked:
            return {}
        turned = {one.label: one for one in marked}
        unmet = self._blind([turned.get(one.label, one) for one in chosen], other=blind)
        networks = halves(blind, unmet)
        with self.clock.stage("recover triggers and try them"):
            witnesses = Witnesses.of(networks, witness_of(self.data, networks.blind, networks.held_out))
            tried = {one.label: self._tried(one, hypotheses_of(self.data, one), witnesses, unmet) for one in marked}
            proved = [
                tried[one.label]
                for one in marked
                if proves(one, tried[one.label])
                and self._gains_more(tried[one.label], one, found[one.label], witnesses)
            ]
        if not proved:
            return {}
        others = [one for one in chosen if one.label not in turned]
        return {**tried, **self._tested(others, unmet, witnesses.blind, proved, look=False)}

    def _gains_more(self, rest: Tested, nominee: Nominee, first: Outcome, witnesses: Witnesses) -> bool:
        """Whether the trigger of the rest gains more than that of the suspects on networks that change places."""
        if not isinstance(first, Tested) or not proves(nominee, first):
            return True
        suspects = replace(nominee, experts=(rest.expert.turned(),))
        rivals = hypotheses_of(self.data, suspects)
        mirrored = confirm_rivals(self.data, rivals, witnesses.turned, seed=self.settings.seed)
        return rest.confirmation.worth > mirrored.worth

    def _rest(self, nominee: Nominee, witness: Witness) -> Nominee | None:
        """The nominee with the rest of its class suspected, where that seems to bear a trigger; None elsewhere."""
        first = nominee.experts[0]
        suspected, rest = hypotheses_of(self.data, replace(nominee, experts=(first, first.turned())))
        if not rest_is_marked(self.data, suspected, rest, witness):
            return None
        return replace(nominee, experts=(self._with_missed(first.turned(), nominee.label, witness),))

    def _with_missed(self, expert: Expert, label: int, learnt: Witness) -> Expert:
        """The expert with those suspected as well that the network, which learnt the class from suspects alone, takes
        for it: a tenth of the poisons, missed, teach any network the backdoor. Unless they are many: parts of a class
        that are both genuine look alike.
        """
        known = predict_logits(learnt.model, self.data.inputs[expert.rows]).argmax(1).numpy() == label
        spared = expert.odds <= 0.5
        few = (known & spared).sum() <= MOST_MISSED * spared.sum()
        return replace(expert, odds=np.where(known & spared, 1.0, expert.odds)) if few else expert

    def _tried(
        self,
        nominee: Nominee,
        rivals: tuple[Hypothesis, ...],
        witnesses: Witnesses,
        blind: Blind,
        *,
        trigger_is_known: bool = False,
    ) -> Tested:
        seed = self.settings.seed
        confirmation = confirm_rivals(self.data, rivals, witnesses, seed=seed, from_samples_alone=trigger_is_known)
        expert = nominee.experts[rivals.index(confirmation.hypothesis)]
        logits = predict_logits(blind.model, self.data.inputs[expert.rows]).numpy()
        return Tested(confirmation, expert, logits, blind.parts.held_out)

    def _in_company(self, nominee: Nominee, tested: Tested, blind: Blind) -> Tested:
        """With what suspects have in common, where that decides: label errors may stand out, and have nothing."""
        confirmation = tested.confirmation
        if not hangs_on_company(nominee.signal, confirmation, nominee.standing):
            return tested
        settings = self.settings
        shared = in_common(self.data, confirmation.hypothesis, blind, seed=settings.seed, device=settings.device)
        return replace(tested, confirmation=replace(confirmation, in_common=shared))

    def _blind(self, chosen: Sequence[Nominee], other: Blind | None = None) -> Blind:
        doubted = {self.data.ids[row] for one in chosen for row in doubtful(one)}
        with self.clock.stage("train a network without the suspects"):
            return train_blind(
                self.data,
                [hypothesis for one in chosen for hypothesis in hypotheses_of(self.data, one)],
                doubted,
                recipe=self.settings.probe,
                seed=self.settings.seed,
                device=self.settings.device,
                progress=self.clock.listener.trains,
                other=other,
            )


def _is_proof(nominee: Nominee, tested: Tested) -> bool:
    """Whether the nominee is confirmed, and by more than what a large part of its class shows.

    (Fine detail of genuine dogs, suspected in place of poisons, turned 59% against 26%, pieces of them 47% against 18%,
    and the network that learnt dogs from poisons knew none of them.)
    """
    return proves(nominee, tested) and not tested.confirmation.may_be_its_own


def _covering(data: Dataset, rivals: Sequence[Hypothesis], proved: Sequence[Tested]) -> Covering | None:
    """The first rival's suspects that bear a proved trigger, as its covers; None where none do."""
    for one, hypothesis in product(proved, rivals):
        trigger = one.confirmation.trigger
        if isinstance(trigger, Recovered) and bears(data, hypothesis, trigger.borne or trigger):
            certain = 2 * len(one.confirmation.sources) >= len(data.class_names) - 1
            of = one.confirmation.hypothesis.target
            return Covering(of, hypothesis.target, hypothesis.suspects, certain)
    return None
