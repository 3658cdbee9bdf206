"""A nominee before its test: what its experts say of the class, and what the suspects show as they are."""

from __future__ import annotations

from dataclasses import dataclass

from bezoar.confirm.confirm import LARGE, shown_by
from bezoar.confirm.content import Content, labels_look_right
from bezoar.confirm.hypothesis import Hypothesis
from bezoar.confirm.witness import Witness
from bezoar.data.dataset import Dataset
from bezoar.scan.nominees import MOST_SUSPECTED, Nominee
from bezoar.scan.strength import WITH_FLIPS, could_matter

DOUBTFUL = 0.1
"""Samples with more than these odds, suspects or not, are kept from the networks that shall not meet any, unless that
were most of their class: a network that never met a class can't tell what suspects show."""


@dataclass(frozen=True, eq=False)
class Case:
    """A nominee, what each of its experts says of the class, and what the suspects show as they are."""

    nominee: Nominee
    rivals: tuple[Hypothesis, ...]
    shown: tuple[Content, ...]

    @property
    def matters(self) -> bool:
        """Whether any trigger could make a finding of it."""
        return could_matter(self.nominee.signal, self.shown)

    @property
    def looks_right(self) -> bool:
        """Whether suspects show what their labels say, whichever expert is asked."""
        return all(map(labels_look_right, self.shown))

    @property
    def may_be_turned(self) -> bool:
        """Whether the rest of the class may be the odd part. The network learnt the class from it: were it genuine, it
        would know a genuine half as well.
        """
        stands_out = self.nominee.signal.p_adjusted <= WITH_FLIPS
        return self.nominee.experts[0].share > LARGE and stands_out and not self.looks_right

    @property
    def wrong(self) -> float:
        """The largest share of wrong labels by any expert; half where none can be told."""
        return max(0.5 if one.mislabelled is None else one.mislabelled for one in self.shown)


def case_of(data: Dataset, nominee: Nominee, witness: Witness) -> Case:
    """The case of a nominee, as the network sees it that was to meet no suspect."""
    rivals = hypotheses_of(data, nominee)
    return Case(nominee, rivals, tuple(shown_by(data, one, witness) for one in rivals))


def doubtful(nominee: Nominee) -> list[int]:
    """Rows of the class that are kept from the networks beside the suspects; none where they are most of it."""
    experts = nominee.experts
    rows = set().union(*(expert.rows[expert.odds > DOUBTFUL].tolist() for expert in experts))
    return sorted(rows) if len(rows) <= MOST_SUSPECTED * len(experts[0].rows) else []


def hypotheses_of(data: Dataset, nominee: Nominee) -> tuple[Hypothesis, ...]:
    """What each expert says of the class."""
    return tuple(
        Hypothesis(nominee.label, tuple(data.ids[row] for row in expert.suspects), expert.signal.detector)
        for expert in nominee.experts
    )
