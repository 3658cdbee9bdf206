"""What a defender sees of a model: parts, flips beside a control, a search for triggers, and relearning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from bezoar.drill.bars import calibrated_bars
from bezoar.inspection.calibration import model_calibration
from bezoar.inspection.settings import PANEL
from bezoar.records import Skipped
from bezoar.repair import REPAIRS, Given
from bezoar.repair.checks import Bar, Looking, look, parted, relearning, suspected_trigger, trigger_of_suspects
from bezoar.repair.checks.flips import control_of, flip_check
from bezoar.repair.checks.look import NOT_SEARCHED, with_search
from bezoar.repair.checks.parts import Parts, cleared, contents, sorted_out, unseen_training
from bezoar.repair.checks.search import searched
from bezoar.repair.given import joined
from bezoar.training import build_model, predict_logits, train
from repair_toys import CLASSES, NETWORKS, RECIPES, SIDE, TARGET, patched, poisoned, stripes, victim

QUICK = (Bar("neural-cleanse:steps=150,lessons=60", 3.5), Bar("added-pattern:steps=150,lessons=60", 3.5))
FEW = (Bar("neural-cleanse:steps=8,lessons=60", 3.5),)


# Parts


def test_one_of_four_is_held_out_of_every_class_and_by_the_seed_alone():
    trusted = stripes(200, seed=2, name="t")
    parts = parted(trusted, 3)
    assert (len(parts.fit), len(parts.held_out)) == (150, 50)
    assert not set(parts.fit.ids) & set(parts.held_out.ids)
    assert all(12 <= count <= 13 for count in parts.held_out.class_counts)
    assert parted(trusted, 3).held_out.ids == parts.held_out.ids
    assert parted(trusted, 4).held_out.ids != parts.held_out.ids
    assert "50 held-out samples tell accuracy in steps of 2 points" in parts.coarse


def test_of_a_handful_none_is_held_out():
    parts = parted(stripes(12, seed=2, name="t"), 0)
    assert parts.held_out is None
    assert len(parts.fit) == 12
    assert "12 trusted samples are too few" in parts.coarse


def test_what_is_held_out_is_not_learnt_under_another_name():
    trusted = stripes(100, seed=2, name="t")
    twice = joined(trusted, replace(trusted, ids=tuple(f"again{row}" for row in range(100))))
    parts = parted(twice, 0)
    assert not set(contents(parts.fit)) & set(contents(parts.held_out))
    training = replace(parts.held_out, ids=tuple(f"train{row}" for row in range(len(parts.held_out))))
    both = joined(training, replace(stripes(30, seed=9, name="o")))
    given = unseen_training(Given(parts.fit, both, frozenset({"train0", "o1"})), parts.held_out)
    assert len(given.training) == 30
    assert given.suspects == {"o1"}


def test_trusted_samples_that_are_poisoned_are_left_out_and_it_is_said():
    data, suspects = poisoned()
    clean = stripes(100, seed=2, name="t")
    stamped = replace(clean.select(range(1, 4)), inputs=patched(clean.inputs[1:4]), ids=("a", "b", "c"))
    under_target = replace(stamped, labels=torch.full_like(stamped.labels, TARGET))
    flagged = data.select([row for row, one in enumerate(data.ids) if one in suspects][:3])
    trusted = joined(clean, under_target, replace(flagged, ids=("x", "y", "z")))
    told = sorted_out(Given(trusted, data, suspects, patched, TARGET))
    assert told.left_out == 6
    assert set(told.trusted.ids) == set(clean.ids)
    assert "3 of the trusted samples are suspects" in told.notes[0]
    assert "3 trusted samples under the label 'way0' bear the trigger already" in told.notes[1]
    # Under its own label a triggered sample teaches the right thing.
    assert sorted_out(Given(joined(clean, stamped), None, frozenset(), patched, TARGET)).left_out == 0


def test_parts_are_cleared_of_what_bears_a_recovered_trigger():
    clean = stripes(100, seed=2, name="t")
    stamped = replace(clean.select(range(1, 4)), inputs=patched(clean.inputs[1:4]), ids=("a", "b", "c"))
    under_target = replace(stamped, labels=torch.full_like(stamped.labels, TARGET))
    parts = Parts(joined(clean, under_target), stripes(40, seed=4, name="h"))
    found, count = cleared(parts, patched, TARGET)
    assert count == 3
    assert set(found.fit.ids) == set(clean.ids)
    assert found.held_out.ids == parts.held_out.ids
    alone = Parts(under_target, None)
    assert cleared(alone, patched, TARGET)[1] == 0
    # A trigger that is added can't be told so.
    assert cleared(parts, lambda batch: batch // 2, TARGET)[1] == 0


# Flips


def test_flips_are_counted_as_by_hand_beside_a_turned_trigger():
    model, data = victim("fast").model, stripes(120, seed=5, name="t")
    found = flip_check(model, data, patched, TARGET)
    clean, triggered = (predict_logits(model, one).argmax(1) for one in (data.inputs, patched(data.inputs)))
    counted = (clean == data.labels) & (data.labels != TARGET)
    assert found.flips.trials == int(counted.sum())
    assert found.flips.successes == int((triggered[counted] == TARGET).sum()) > 0.9 * found.flips.trials
    assert found.control.value < 0.1
    assert [one.class_name for one in found.by_source] == ["way1", "way2", "way3"]
    assert sum(one.rate.trials for one in found.by_source) == found.flips.trials


def test_the_control_is_elsewhere_and_a_trigger_like_itself_has_none():
    data = stripes(10, seed=5, name="t")
    _, turned = control_of(patched, data)
    rows, columns = (turned(data.inputs) != data.inputs).any(1).any(0).nonzero(as_tuple=True)
    assert not ((rows >= SIDE - 3) & (columns >= SIDE - 3)).any()
    assert control_of(lambda batch: 255 - batch, data) is None


def test_without_samples_that_it_gets_right_there_is_no_rate():
    class Wrong(nn.Module):
        def forward(self, images):
            return torch.eye(CLASSES)[torch.zeros(len(images), dtype=torch.int64)]

    assert isinstance(flip_check(Wrong(), stripes(40, seed=5, name="t"), patched, TARGET), Skipped)


# The search


class Quarters(nn.Module):
    """Each class has a quarter of the image; whoever is brightest there wins. Maybe four red pixels lead to class 2."""

    def __init__(self, planted: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 12, 12))
        for label in range(4):
            top, left = 6 * (label // 2), 6 * (label % 2)
            self.weight.data[label, :, top : top + 6, left : left + 6] = 0.2
        if planted:
            self.weight.data[2, 0, 1:3, 9:11] = 6.0
        self.mean = quarters().inputs.float().mean(0) / 255

    def forward(self, images):
        return (images - self.mean).flatten(1) @ self.weight.flatten(1).T


def quarters(count: int = 200):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 4
    pixels = 60 + 60 * torch.rand(count, 3, 12, 12, generator=generator)
    for row, label in enumerate(labels.tolist()):
        top, left = 6 * (label // 2), 6 * (label % 2)
        pixels[row, :, top : top + 6, left : left + 6] += 100
    return replace(stripes(count, seed=0, name="q"), inputs=pixels.round().to(torch.uint8), labels=labels)


def test_a_planted_trigger_is_suspected_and_works_and_a_sound_model_is_not():
    data = quarters()
    found = suspected_trigger(Quarters(planted=True), data, bars=QUICK, seed=1)
    assert (found.target, found.stands_out) == (2, True)
    assert flip_check(Quarters(planted=True), data, found.trigger, 2).flips.value > 0.6
    assert found.picture.dtype == torch.uint8
    sound = suspected_trigger(Quarters(planted=False), data, bars=QUICK, seed=1)
    assert not sound.stands_out
    other = suspected_trigger(Quarters(planted=True), data, target=3, bars=QUICK, seed=1)
    assert (other.target, other.stands_out) == (3, False)


def test_a_search_names_the_class_that_stands_out():
    found = searched(Quarters(planted=True), quarters(), bars=QUICK, seed=4)
    assert found.signs[0].target == 2
    assert all(one.stands_out and one.target == 2 for one in found.signs)
    patch = next(one for one in found.told if one.detector == "neural-cleanse:steps=150,lessons=60")
    assert patch.stands_out == ("way2",)
    assert (
        patch.classes[2].statistic > patch.cut > max(one.statistic for one in patch.classes if one.class_name != "way2")
    )
    assert (patch.unit, patch.samples) == ("pixels", 200)
    assert patch.classes[2].flips >= 0.6
    sound = searched(Quarters(planted=False), quarters(), bars=QUICK, seed=4)
    assert all(one.stands_out == () for one in sound.told)
    assert sound.signs == ()


def test_the_cut_is_the_one_that_is_handed_in():
    def said(cut):
        bars = (Bar("neural-cleanse:steps=150,lessons=60", cut),)
        found = suspected_trigger(Quarters(planted=True), quarters(), bars=bars, seed=1)
        (seen,) = searched(Quarters(planted=True), quarters(), bars=bars, seed=1).told
        return found.stands_out, seen.cut, seen.stands_out

    assert said(3.5) == (True, 3.5, ("way2",))
    assert said(50.0) == (False, 50.0, ())
    assert "no detector" in searched(Quarters(planted=True), quarters(), bars=(), seed=1).reason


def test_what_a_repair_searches_by_is_what_an_inspection_goes_by():
    bars = {one.detector: one.cut for one in calibrated_bars()}
    assert bars == {one: model_calibration().cut(one) for one in PANEL if model_calibration().cut(one) is not None}
    assert "neural-cleanse" in bars


def test_too_little_to_compare_is_skipped():
    few = quarters().select(range(14))
    assert isinstance(searched(Quarters(planted=True), few, bars=QUICK, seed=0), Skipped)
    pair = replace(quarters(), class_names=("a", "b"), labels=quarters().labels % 2)
    assert "3 classes" in searched(Quarters(planted=True), pair, bars=QUICK, seed=0).reason


# The trigger of the suspects


def test_the_patch_that_suspects_share_is_recovered_and_stands_out():
    data, suspects = poisoned()
    found = trigger_of_suspects(
        victim("fast").model, stripes(100, seed=2, name="t"), Given(None, data, suspects), seed=0
    )
    assert (found.target, found.stands_out) == (TARGET, True)
    changed = (found.trigger(data.inputs[:50]) != data.inputs[:50]).any(1).any(0)
    assert changed[-3:, -3:].float().mean() > 0.8
    assert changed.sum() <= 9


def test_innocent_suspects_give_no_trigger_away():
    data, _ = poisoned()
    innocent = [one for one, label in zip(data.ids, data.labels.tolist(), strict=True) if label == 1][:60]
    found = trigger_of_suspects(
        victim("fast").model, stripes(100, seed=2, name="t"), Given(None, data, frozenset(innocent)), seed=0
    )
    assert isinstance(found, Skipped) or not found.stands_out
    few = trigger_of_suspects(
        victim("fast").model, stripes(100, seed=2, name="t"), Given(None, data, frozenset(innocent[:5])), seed=0
    )
    assert isinstance(few, Skipped)


# A look, and relearning


def test_a_look_spares_the_search_and_makes_it_later():
    by = Looking(stripes(80, seed=5, name="t"), patched, TARGET, 7, FEW)
    model = victim("fast").model
    seen = look(model, by)
    assert seen.searches == NOT_SEARCHED
    assert seen.accuracy.trials == 80
    assert [one.rate.trials for one in seen.by_class] == [20] * 4
    later, signs = with_search(model, seen, by)
    assert (later.accuracy, later.flips) == (seen.accuracy, seen.flips)
    assert [one.detector for one in later.searches] == ["neural-cleanse:steps=8,lessons=60"]
    assert with_search(model, later, by) == (later, ())
    assert all(one.target in range(4) for one in signs)


def test_a_look_tells_by_how_much_accuracy_fell_beside_another_model():
    data, model = stripes(80, seed=5, name="t"), victim("fast").model
    stranger = build_model(NETWORKS["fast"], classes=CLASSES, sample=data.inputs, seed=3)
    alone = Looking(data, patched, TARGET, 7, FEW)
    assert look(model, alone).lost is None
    first, second = (look(one, alone.beside(model)) for one in (model, stranger))
    assert (first.lost.lost, first.lost.gone, first.lost.come) == (0.0, 0, 0)
    assert abs(second.lost.lost - (first.accuracy.value - second.accuracy.value)) < 1e-9
    assert second.lost.gone > second.lost.come
    assert Looking(None, patched, TARGET, 7, FEW).beside(model).right is None


def test_without_held_out_samples_nothing_is_seen():
    seen = look(victim("fast").model, Looking(None, patched, TARGET, 0, QUICK))
    assert all(isinstance(one, Skipped) for one in (seen.accuracy, seen.flips, seen.searches))


def test_a_model_tuned_over_a_backdoor_relearns_it_and_one_that_never_met_it_does_not():
    trusted = victim("fast").given.trusted
    parts = parted(trusted, 0)
    weak = REPAIRS.create("ft-sam:learning_rate=0.03,distillation=0")
    tuned = weak.repair(victim("fast").model, Given(parts.fit), seed=0, device="cpu").model
    before = {name: tensor.clone() for name, tensor in tuned.state_dict().items()}
    dormant = relearning(tuned, parts.fit, parts.held_out, patched, TARGET, seed=0, device="cpu")
    assert dormant.returns
    assert dormant.after.value > dormant.control_after.value + 0.3
    assert all(torch.equal(before[name], tensor) for name, tensor in tuned.state_dict().items())
    clean = stripes(1200, seed=1, name="train")
    start = build_model(NETWORKS["fast"], classes=CLASSES, sample=clean.inputs, seed=0)
    never = train(clean, recipe=RECIPES["fast"], seed=0, start=start, device="cpu", precision="float32").model
    sound = relearning(never, parts.fit, parts.held_out, patched, TARGET, seed=0, device="cpu")
    assert not sound.returns
    assert sound.stamped == 12
    assert relearning(never, parts.fit, parts.held_out, patched, TARGET, seed=0, device="cpu") == sound


def test_relearning_says_why_it_cannot_be_tried():
    model, data = victim("fast").model, stripes(80, seed=5, name="t")
    few = relearning(model, data, data.select(range(12)), patched, TARGET, seed=0, device="cpu")
    assert "too few" in few.reason
    alike = relearning(model, data, data, lambda batch: 255 - batch, TARGET, seed=0, device="cpu")
    assert "however it is turned" in alike.reason
    frozen = build_model(NETWORKS["fast"], classes=CLASSES, sample=data.inputs, seed=0).requires_grad_(False)
    assert "frozen" in relearning(frozen, data, data, patched, TARGET, seed=0, device="cpu").reason


def test_nothing_of_it_is_random():
    data, model = stripes(60, seed=5, name="t"), victim("fast").model
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (look(model, Looking(data, patched, TARGET, 7, FEW)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.random.get_rng_state(), state[0])
    assert (np.random.get_state()[1] == state[1]).all()
