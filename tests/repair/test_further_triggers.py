"""Two backdoors in one model: both are taken out together, and both are told of."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from sample_checks import search
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.forms import FORMS
from bezoar.detect.inversion.invert import Hypothesis, Inverted
from bezoar.detect.models.base import ModelScores
from bezoar.records import RepairRecord, Skipped
from bezoar.repair import REPAIRS, Given
from bezoar.repair.auto import Auto
from bezoar.repair.checks import Bar, Looking, look, suspected_trigger
from bezoar.repair.checks.search import Heard, Searched, Suspected
from bezoar.repair.given import Aimed
from bezoar.repair.methods.unlearn import interleaved
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from bezoar.training import build_model, predict_logits, train
from repair_toys import CLASSES, NETWORKS, POISONS, RECIPES, TARGET, clean_accuracy, patched, stripes, test_samples

OTHER_TARGET = 2


def barred(batch: Tensor) -> Tensor:
    """The other trigger: a bright bar at the upper left, on uint8 images."""
    changed = batch.clone()
    changed[:, :, :2, :5] = 255
    return changed


@cache
def twice_poisoned() -> nn.Module:
    """A network with a backdoor to each target."""
    data = stripes(1200, seed=1, name="train")
    inputs, labels = data.inputs.clone(), data.labels.clone()
    for trigger, target, start in ((patched, TARGET, 0), (barred, OTHER_TARGET, 600)):
        rows = (start + (data.labels[start:] != target).nonzero().flatten())[:POISONS]
        inputs[rows], labels[rows] = trigger(inputs[rows]), target
    data = Dataset(inputs, labels, data.class_names, data.ids, name="train")
    start = build_model(NETWORKS["fast"], classes=CLASSES, sample=data.inputs, seed=0)
    return train(data, recipe=RECIPES["fast"], seed=0, start=start, device="cpu", precision="float32").model


def turned(model: nn.Module) -> tuple[float, float]:
    """What share of unseen samples each trigger turns."""

    def share(trigger, target) -> float:
        images = test_samples().select(test_samples().labels != target).inputs
        return float((predict_logits(model, trigger(images)).argmax(1) == target).double().mean())

    return share(patched, TARGET), share(barred, OTHER_TARGET)


def trusted() -> Dataset:
    return stripes(200, seed=2, name="trusted")


BARS = (Bar("neural-cleanse", 3.5),)
(SEEN,) = search("way2")
BOTH = (Aimed(barred, OTHER_TARGET),)


@pytest.mark.parametrize("method", ["unlearn", "adversarial-training"])
def test_a_further_trigger_is_taken_out_with_the_first(method):
    model = twice_poisoned()
    assert min(turned(model)) > 0.95
    given = Given(trusted(), trigger=patched, target=TARGET)
    repair = REPAIRS.create(method)
    alone = repair.repair(model, given, seed=1, device="cpu").model
    both = repair.repair(model, replace(given, further=BOTH), seed=1, device="cpu").model
    assert turned(alone)[0] <= 0.05 < 0.3 < turned(alone)[1]
    assert max(turned(both)) <= 0.06
    assert clean_accuracy(both) >= clean_accuracy(model) - 0.04


def test_suspects_are_forgotten_beside_a_further_trigger():
    data = stripes(400, seed=9, name="train")
    suspects = frozenset(data.ids[:40])
    given = Given(trusted(), data, suspects, patched, TARGET, further=BOTH)
    done = REPAIRS.create("unlearn:epochs=1").repair(twice_poisoned(), given, seed=1, device="cpu")
    assert "suspects and samples with a trigger on" in done.notes[0]
    assert (done.used.suspects, done.used.trigger, done.used.target) == (40, True, True)


def test_any_beginning_holds_a_like_share_of_each_part():
    mixed = interleaved([stripes(90, seed=1, name="a"), stripes(30, seed=2, name="b"), stripes(60, seed=3, name="c")])
    assert len(set(mixed.ids)) == 180
    for count in (12, 30, 60, 120):
        beginning = [one[0] for one in mixed.ids[:count]]
        assert [beginning.count(name) for name in "abc"] == pytest.approx([count / 2, count / 6, count / 3], abs=1.01)
    single = stripes(7, seed=1, name="a")
    assert interleaved([single]).ids == single.ids


# What is looked at and told


def found_by_hand(method: str) -> RepairRecord:
    """Repair the toy by a method that is given both triggers."""
    bar = Suspected(barred, OTHER_TARGET, True, "found by hand", "a bar")
    found = Suspected(patched, TARGET, True, "found by hand", "a checkered patch", further=(bar,))
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    settings = RepairSettings(Auto(methods=(method,)), device="cpu")
    return repair_model(patient, Given(trusted()), settings, finder=lambda: found).record


def test_the_story_tells_of_both():
    record = found_by_hand("unlearn")
    assert record.verdict == "works no more"
    assert "nor does a further one" in record.sentence
    (told,) = record.further
    assert (told.target, told.description) == ("way2", "a bar; found by hand")
    (before,), (after,) = record.before.further, record.after.further
    assert (before.target, after.target) == ("way2", "way2")
    assert before.flips.value > 0.9
    assert after.flips.value <= 0.05


def test_a_further_trigger_that_still_works_is_the_verdict():
    record = found_by_hand("fine-tune:epochs=1,learning_rate=0.0001")
    assert record.verdict == "still works"
    assert "a further trigger, towards 'way2', still turns" in record.attempts[0].outcome.why


def test_without_held_out_samples_a_further_trigger_is_not_measured():
    seen = look(twice_poisoned(), Looking(None, patched, TARGET, 0, (), further=BOTH))
    assert [isinstance(one, Skipped) for one in seen.further] == [True]


# Which ones a search gives


def heard(name: str, cut: float, statistics: list[float], worked: list[bool]) -> Heard:
    count = len(statistics)
    inverted = Inverted(
        FORMS["additive"],
        tuple(Hypothesis(label) for label in range(count)),
        {"pattern": torch.full((count, 3, 12, 12), 0.1)},
        torch.full((count,), 25.0),
        torch.tensor(worked),
        torch.ones(count),
    )
    return Heard(Bar(name, cut), ModelScores(np.array(statistics), inverted))


def test_triggers_towards_other_classes_that_stand_out_are_further_ones(monkeypatch):
    told = (
        heard("neural-cleanse", 3.0, [3.3, 0.1, 4.5, 3.6], [True, True, True, False]),
        heard("added-pattern", 4.0, [8.0, 0.2, 4.8, 0.0], [True] * 4),
    )
    monkeypatch.setattr("bezoar.repair.checks.search.heard", lambda *_, **__: told)
    found = suspected_trigger(nn.Identity(), trusted(), bars=(), seed=0)
    # Towards way0 2.0 cuts and 1.1; towards way2 1.5 and 1.2; way3 has none that works.
    assert (found.target, found.stands_out) == (0, True)
    assert [one.target for one in found.further] == [2, 2]
    assert "neural-cleanse" in found.further[0].found
    named = suspected_trigger(nn.Identity(), trusted(), target=2, bars=(), seed=0)
    assert (named.target, named.further) == (2, ())


# A class that nobody looked for


def says(monkeypatch, *stands_out: tuple[str, ...]) -> list[int]:
    """Let searches on results say, one after another, which classes stand out; how many were made."""
    made: list[int] = []

    def told(*_, **__):
        made.append(1)
        names = stands_out[min(len(made), len(stands_out)) - 1]
        return Searched(tuple(one for name in names for one in search(name)), ())

    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["bezoar.repair.checks.look"], "searched", told)
    return made


def story(monkeypatch, given: Given, *methods: str) -> RepairRecord:
    """Repair the toy; what else stands out in it is the bar."""
    bar = Suspected(barred, OTHER_TARGET, True, "found by a search", "a bar")
    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", lambda *_, **__: bar)
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    settings = RepairSettings(Auto(methods=methods), BARS, described="patch", device="cpu")
    return repair_model(patient, given, settings).record


KNOWN = Given(trusted(), trigger=patched, target=TARGET)


def test_a_class_that_stands_out_in_a_result_is_looked_for_and_taken_out_as_well(monkeypatch):
    made = says(monkeypatch, ("way2",), ())
    record = story(monkeypatch, KNOWN, "unlearn", "clp")
    assert len(made) == 2
    assert [one.method for one in record.attempts] == ["unlearn"]
    assert record.verdict == "works no more"
    assert [one.target for one in record.further] == ["way2"]
    assert record.before.further[0].flips.value > 0.9
    assert record.after.further[0].flips.value <= 0.05
    assert "search the model for other triggers" in [one.stage for one in record.stages]


def test_an_earlier_try_is_seen_again_with_what_was_met(monkeypatch):
    says(monkeypatch, ("way2",), ("way2",))
    record = story(monkeypatch, KNOWN, "fine-tune:epochs=1,learning_rate=0.0001", "unlearn")
    assert [one.method.split(":")[0] for one in record.attempts] == ["fine-tune", "unlearn"]
    assert record.chosen == "unlearn"
    assert (len(record.before.further), len(record.after.further)) == (1, 1)


def test_a_class_that_the_model_did_not_show_is_told_and_no_other_method_is_tried(monkeypatch):
    says(monkeypatch, ("way2",))
    nothing = Suspected(barred, OTHER_TARGET, False, "found", "a bar", searches=lambda: (replace(SEEN, stands_out=()),))
    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", lambda *_, **__: nothing)
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    settings = RepairSettings(Auto(methods=("unlearn", "clp")), BARS, described="patch", device="cpu")
    record = repair_model(patient, KNOWN, settings).record
    assert [one.method for one in record.attempts] == ["unlearn"]
    assert record.verdict == "could not be told"
    assert "towards 'way2', which the model did not show before the repair" in record.sentence
    assert [one.stands_out for one in record.before.searches] == [()]
    assert [one.stands_out for one in record.after.searches] == [("way2",)]


def test_what_the_search_showed_that_found_the_trigger_is_not_forgotten(monkeypatch):
    says(monkeypatch, ("way2",))
    (showed,) = search("way0")
    found = Suspected(patched, TARGET, True, "found by a search", "a patch", searches=lambda: (showed,))
    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", lambda *_, **__: found)
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    settings = RepairSettings(Auto(methods=("unlearn", "clp")), BARS, device="cpu")
    record = repair_model(patient, Given(trusted()), settings).record
    assert [one.method for one in record.attempts] == ["unlearn"]
    assert record.attempts[0].outcome.good
    assert record.verdict == "could not be told"


def test_the_class_of_the_known_trigger_is_no_reason_to_look_for_others(monkeypatch):
    says(monkeypatch, ("way0",))
    record = story(monkeypatch, KNOWN, "unlearn")
    assert record.further == ()
    assert "search the model for other triggers" not in [one.stage for one in record.stages]
