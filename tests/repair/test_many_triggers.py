"""Many triggers on few samples: each is met on enough of them, and the likeliest class's are unlearnt by themselves."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from test_further_triggers import OTHER_TARGET, barred, trusted, turned, twice_poisoned

from bezoar.repair import REPAIRS, Given
from bezoar.repair.base import Work, unheard
from bezoar.repair.given import Aimed
from bezoar.repair.lessons import ENOUGH, Lesson, as_before
from bezoar.repair.meter import Meter
from bezoar.repair.methods.unlearn import MET, Unlearn
from bezoar.training import predict_logits
from repair_toys import TARGET, clean_accuracy, patched, stripes


def lit(row: int) -> Aimed:
    """A harmless trigger: one bright row, towards class 1."""

    def trigger(batch):
        changed = batch.clone()
        changed[:, :, row, :] = 250
        return changed

    return Aimed(trigger, 1)


def shown_with(lesson: Lesson, row: int) -> set[str]:
    """The samples that are shown with a bright row."""
    lit_up = (lesson.data.inputs[:, :, row, :] == 250).flatten(1).all(1)
    return {one.split("#")[0] for one, there in zip(lesson.data.ids, lit_up.tolist(), strict=True) if there}


def test_each_turn_pairs_the_samples_anew_and_keeps_their_share():
    plain = Lesson(stripes(40, seed=3, name="t"), torch.eye(4)[torch.arange(40) % 4])
    triggers = tuple(lit(row).trigger for row in range(4))
    once, thrice = (plain.beside(triggers, 0.5, 1, times) for times in (1, 3))
    assert (len(once.data), len(thrice.data)) == (60, 180)
    assert len(set(thrice.data.ids)) == 180
    assert thrice.goals.shape == (180, 4)
    assert len(shown_with(once, 2)) == 5
    assert 8 <= len(shown_with(thrice, 2)) <= 15
    assert plain.beside((), 0.5, 1).data.ids == plain.data.ids


def test_few_samples_are_joined_by_mixtures_that_are_answered_as_before():
    few, many = stripes(40, seed=3, name="t"), stripes(ENOUGH, seed=3, name="t")
    work = Work(copy.deepcopy(twice_poisoned()), Given(few), 1, torch.device("cpu"), Meter(), unheard)
    lesson = as_before(work, few, 0.9)
    assert len(lesson.data) == len(lesson.goals) == ENOUGH
    assert lesson.data.ids[:40] == few.ids
    assert len(set(lesson.data.ids)) == ENOUGH
    told = predict_logits(twice_poisoned(), lesson.data.inputs[40:]).softmax(1)
    assert torch.allclose(lesson.goals[40:], told, atol=1e-5)
    first = lesson.data.inputs[40:].float()
    assert float((first[:, None] - few.inputs[None].float()).flatten(2).abs().mean(2).amin(1).max()) < 64
    assert len(as_before(work, many, 0.9).data) == ENOUGH
    assert as_before(work, few, 0.0).data is few


def test_few_samples_are_shown_more_often_the_more_triggers_there_are():
    repair = Unlearn()
    assert [repair._times(count, 200) for count in (1, 4, 8)] == [1, 1, 2]
    assert repair._times(1, 10_000) == repair._times(50, 10_000) == 1
    assert repair._times(8, 75) * 0.5 * 75 / 8 >= MET


def test_the_likeliest_are_those_of_the_first_ones_class_where_no_trigger_is_known():
    supposed = (Aimed(barred, OTHER_TARGET), lit(3), Aimed(patched, OTHER_TARGET))
    assert Given(trusted(), supposed=supposed).likeliest == (supposed[0], supposed[2])
    assert Given(trusted(), trigger=patched, target=TARGET, supposed=supposed).likeliest == ()
    assert Given(trusted()).likeliest == Given(trusted(), supposed=supposed[::2]).likeliest == ()


def test_what_is_likeliest_is_unlearnt_by_itself_after_all_that_is_supposed():
    model, others = twice_poisoned(), tuple(lit(row) for row in range(8))
    first = Given(trusted(), supposed=(Aimed(barred, OTHER_TARGET), *others, Aimed(patched, TARGET)))
    done = REPAIRS.create("unlearn").repair(model, first, seed=1, device="cpu")
    assert done.notes[-1].startswith("then, of the likeliest class, unlearnt")
    assert max(turned(done.model)) <= 0.06
    assert clean_accuracy(done.model) >= clean_accuracy(model) - 0.04
    one = REPAIRS.create("unlearn").repair(model, Given(trusted(), supposed=first.supposed[:1]), seed=1, device="cpu")
    assert turned(one.model)[1] <= 0.06


def test_known_triggers_are_taught_as_often_as_all_that_are_supposed():
    known, kin = Given(trusted(), trigger=patched, target=TARGET), tuple(lit(row) for row in range(7))
    taught = replace(known, supposed=kin).aimed_in_shares
    assert [one.target for one in taught] == [TARGET] * 7 + [1] * 7
    assert [
        one.target for one in replace(known, further=(Aimed(barred, OTHER_TARGET),), supposed=kin).aimed_in_shares
    ] == ([TARGET, OTHER_TARGET] * 4 + [1] * 7)
    assert len(replace(known, supposed=kin).triggers_in_shares) == 14
    assert known.triggers_in_shares == (patched,)
    assert Given(trusted(), supposed=kin).aimed_in_shares == kin
    assert Given(trusted(), trigger=patched, supposed=kin).triggers_in_shares[0] is patched
