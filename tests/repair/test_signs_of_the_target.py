"""What a search finds on a repaired model, towards the trigger's own class, is learnt from by the next try."""

from __future__ import annotations

import sys

import pytest
from sample_checks import search
from test_further_triggers import BARS, KNOWN, OTHER_TARGET, barred, trusted, turned, twice_poisoned
from torch import Tensor

from bezoar.repair.auto import Auto
from bezoar.repair.checks.search import Searched, Suspected
from bezoar.repair.given import Aimed, Given
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import Cured, repair_model
from bezoar.repair.trying import MOST_SIGNS
from repair_toys import TARGET, patched

SIGN = Suspected(barred, TARGET, True, "found by a search", "a bar")
FOUND = Searched(search("way0"), (SIGN,))
QUIET = Searched((), ())


def same(batch: Tensor) -> Tensor:
    """A trigger that does nothing, and so turns nothing."""
    return batch


def says(monkeypatch: pytest.MonkeyPatch, *told: Searched) -> list[int]:
    """Let searches on results say one after another what is told, the last over and over; the seeds of all."""
    seeds: list[int] = []

    def searched(*_, seed: int, **__) -> Searched:
        seeds.append(seed)
        return told[min(len(seeds), len(told)) - 1]

    monkeypatch.setattr(sys.modules["bezoar.repair.checks.look"], "searched", searched)
    return seeds


def cured(*methods: str) -> Cured:
    settings = RepairSettings(Auto(methods=methods), BARS, described="patch", device="cpu")
    return repair_model(Patient(twice_poisoned(), "toy", "run", trusted().class_names), KNOWN, settings)


def test_signs_of_the_known_target_are_learnt_from_and_searched_for_by_another_seed(monkeypatch):
    seeds = says(monkeypatch, FOUND, QUIET)
    done = cured("unlearn", "clp")
    assert len(set(seeds)) == len(seeds) == 2
    assert [one.method for one in done.record.attempts] == ["unlearn"]
    assert done.record.attempts[0].outcome.notes[-1].startswith("done again with 1 triggers")
    assert (done.record.verdict, done.record.further) == ("works no more", ())
    first, bar = turned(done.model)
    assert first <= 0.05
    assert bar <= 0.1 < turned(twice_poisoned())[1]  # what the sign does is unlearnt, whatever class it leads to


def test_kin_that_a_repair_left_at_work_are_learnt_from(monkeypatch):
    says(monkeypatch, QUIET)
    like = Suspected(patched, TARGET, True, "found", "a patch", supposed=(Aimed(barred, OTHER_TARGET), Aimed(same, 1)))
    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", lambda *_, **__: like)
    monkeypatch.setattr("bezoar.repair.checks.learnt.kin_of", lambda *_, **__: like.supposed)
    settings = RepairSettings(Auto(methods=("unlearn",)), BARS, device="cpu")
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    done = repair_model(patient, Given(trusted()), settings)
    assert max(turned(done.model)) <= 0.06
    (note,) = [one for one in done.record.attempts[0].outcome.notes if one.startswith("done again")]
    assert note.startswith("done again with 1 triggers that are like a known one")


def test_signs_that_stay_are_learnt_from_twice_and_then_the_next_method_is_tried(monkeypatch):
    seeds = says(monkeypatch, FOUND)
    record = cured("unlearn", "adversarial-training").record
    assert [one.method for one in record.attempts] == ["unlearn", "adversarial-training"]
    assert len(seeds) == MOST_SIGNS + 2
    assert record.verdict == "signs are left"


def test_a_method_that_learns_from_no_trigger_is_not_searched_again_until_nothing_is_found(monkeypatch):
    seeds = says(monkeypatch, FOUND, QUIET)
    idle = Given(trusted(), trigger=same, target=TARGET)  # nothing but a search speaks against any repair
    settings = RepairSettings(
        Auto(methods=("clp", "fine-tune"), allowed_loss=1.0), BARS, described="none", device="cpu"
    )
    patient = Patient(twice_poisoned(), "toy", "run", trusted().class_names)
    first, second = (one.outcome for one in repair_model(patient, idle, settings).record.attempts)
    assert (first.good, second.good, len(seeds)) == (False, True, 2)
    assert not any(note.startswith("done again") for note in first.notes)


def test_signs_of_other_classes_and_a_single_method_are_not_learnt_from(monkeypatch):
    elsewhere = Suspected(barred, OTHER_TARGET, True, "found by a search", "a bar")
    seeds = says(monkeypatch, Searched(search("way0"), (elsewhere,)))
    cured("unlearn", "clp")
    assert len(set(seeds)) == 1
    seeds = says(monkeypatch, FOUND)
    cured("unlearn")
    assert len(seeds) == 1
