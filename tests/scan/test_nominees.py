"""From signals to nominees: planted scores name the class, its experts and their suspects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from signal_toys import POISON, answers, bare_evidence, planted, reference

from bezoar.scan.nominees import Nominee, nominees
from bezoar.scan.panel import IN_DETAIL, kinds_of
from bezoar.scan.signals import Answers, signals_of


def chosen(three: Answers) -> tuple[Nominee, ...]:
    evidence = bare_evidence()
    return nominees(three, signals_of(three, evidence), evidence)


def test_planted_scores_are_nominated_with_their_suspects_first(known: Callable[..., None]) -> None:
    known(loud=reference())
    (found,) = chosen(answers(loud=planted((0.2, 5.0, 0.1))))
    assert (found.label, found.signal.class_name, found.signal.detector) == (1, "bee", "loud")
    (expert,) = found.experts
    assert expert.signal == found.signal
    assert sorted(expert.suspects.tolist()) == POISON.tolist()
    odds = dict(zip(expert.rows.tolist(), expert.odds.tolist(), strict=True))
    scores = dict(zip(expert.rows.tolist(), expert.scores.tolist(), strict=True))
    ranked = [(odds[row], scores[row]) for row in expert.suspects.tolist()]
    assert ranked == sorted(ranked, reverse=True)
    assert all(odds[row] < 0.5 for row in range(120, 200))


def test_nobody_is_nominated_where_nothing_speaks(known: Callable[..., None]) -> None:
    known(loud=reference())
    assert chosen(answers(loud=planted((0.3, 0.4, 0.2)))) == ()


def test_fine_detail_alone_nominates_sooner_but_beside_another_detector_it_says_nothing_more(
    known: Callable[..., None],
) -> None:
    faint = reference().start + 1.5 * reference().excess
    assert 0.005 < reference().p_value(faint) <= 0.05
    known(**{kinds_of([IN_DETAIL])[IN_DETAIL]: reference(), "loud": reference()})
    scores = planted((0.0, faint, 0.0))
    (found,) = chosen(answers(**{IN_DETAIL: scores}))
    assert (found.label, found.signal.detector) == (1, IN_DETAIL)
    assert chosen(answers(loud=scores)) == ()
    (found,) = chosen(answers(**{IN_DETAIL: scores, "loud": planted((0.0, 9.0, 0.0), rows=np.arange(150, 180))}))
    assert [one.signal.detector for one in found.experts] == ["loud"]


@pytest.mark.parametrize("order", [("clear", "vague"), ("vague", "clear")])
def test_the_clearest_expert_comes_first_although_both_reach_the_least_p_value(
    known: Callable[..., None], order: tuple[str, str]
) -> None:
    known(clear=reference(0.1), vague=reference(1.0))
    # The vague one's scores lie farther apart, in the wrong rows: how far says nothing between detectors.
    speak = {"clear": planted((0.0, 5.0, 0.0)), "vague": planted((0.0, 5.0, 0.0), rows=np.arange(150, 180), far=90.0)}
    both = answers(**{name: speak[name] for name in order})
    p_values = {one.p_value for one in signals_of(both, bare_evidence()) if one.class_name == "bee"}
    assert len(p_values) == 1
    (found,) = chosen(both)
    assert [one.signal.detector for one in found.experts] == ["clear", "vague"]
    assert sorted(found.experts[0].suspects.tolist()) == POISON.tolist()


def test_an_expert_without_suspects_is_passed_over_and_still_speaks_for_its_class(known: Callable[..., None]) -> None:
    known(clear=reference(0.1), vague=reference(1.0))
    three = planted((0.0, 5.0, 0.0), rows=POISON[:3])
    (found,) = chosen(answers(clear=three, vague=planted((0.0, 5.0, 0.0))))
    assert [one.signal.detector for one in found.experts] == ["vague"]
    assert found.signal.detector == "clear"
    assert chosen(answers(clear=three)) == ()


def test_the_clearest_class_comes_first(known: Callable[..., None]) -> None:
    known(loud=reference())
    scores = planted((3.0, 9.0, 0.0), rows=np.concatenate([np.arange(15), POISON]))
    assert [found.signal.class_name for found in chosen(answers(loud=scores))] == ["bee", "ant"]


def test_the_expert_with_whom_others_agree_comes_first(known: Callable[..., None]) -> None:
    known(odd=reference(0.01), one=reference(), other=reference())
    others = np.arange(150, 175)
    experts = answers(
        odd=planted((0.0, 9.0, 0.0), rows=others),
        one=planted((0.0, 9.0, 0.0), seed=1),
        other=planted((0.0, 9.0, 0.0), rows=POISON[1:], seed=2),
    )
    (found,) = chosen(experts)
    # The other one names nearly the same suspects, so it is no rival.
    assert [one.signal.detector for one in found.experts] == ["one", "odd"]


def test_rivals_name_other_suspects_leave_most_of_the_class_alone_and_are_few(known: Callable[..., None]) -> None:
    known(**{f"expert{number}": reference(1 + number) for number in range(5)})
    parts = [POISON, np.arange(120, 170), *(np.arange(start, start + 10) for start in (170, 180, 190))]
    rivals = {
        f"expert{number}": planted((0.0, 50.0, 0.0), rows=rows, far=30.0, seed=number)
        for number, rows in enumerate(parts)
    }
    (found,) = chosen(answers(**rivals))
    # With the second one 70 of 100 bees would be suspected.
    assert [one.signal.detector for one in found.experts] == ["expert0", "expert2", "expert3"]
