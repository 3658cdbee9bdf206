"""What a search finds in a repaired model that was not in the model before: told, and no attacker's."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sample_checks import check, search
from torch import Tensor, nn

from bezoar.data import from_arrays
from bezoar.detect.models.base import ModelScores, Proposal
from bezoar.detect.probing.stamps import Stamp
from bezoar.records import Mending, RepairTrigger, Skipped, from_json, to_json
from bezoar.records.repairing import ModelCheck, RepairAttempt, RepairCost
from bezoar.repair.auto import Auto
from bezoar.repair.checks import Bar
from bezoar.repair.checks import search as search_room
from bezoar.repair.checks.search import Heard, searched
from bezoar.repair.judgement import new_since, standing_out
from bezoar.repair.verdict import verdict_of

SHAPE, STAMP = (3, 8, 8), Stamp(0, 0, 2, (1.0, 1.0, 1.0))
NAMES = ("way0", "way1", "way2", "way3")


class Levels(nn.Module):
    """Tells four levels of grey; of those in `follows` an image with a white corner goes to class 2."""

    def __init__(self, follows: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.follows = follows

    def forward(self, images: Tensor) -> Tensor:
        label = (images[:, 0, 4, 4] * 4).long().clamp(0, 3)
        led = torch.isin(label, torch.tensor(self.follows, dtype=torch.int64)) & (images[:, 0, 0, 0] > 0.99)
        return nn.functional.one_hot(torch.where(led, 2, label), 4).float() * 9


def samples():
    labels = torch.tensor([0] * 6 + [1, 2, 3] * 12)
    images = (labels * 64 + 20).to(torch.uint8)[:, None, None, None].expand(len(labels), *SHAPE).clone()
    return from_arrays(images, labels, class_names=NAMES, name="levels")


def found_in(after: Levels, before: Levels | None, monkeypatch: pytest.MonkeyPatch, sources: tuple[int, ...] = (0,)):
    proposals = tuple(Proposal(label, sources, "patch", STAMP.as_patch(SHAPE), 4.0) for label in range(4))
    told = (Heard(Bar("stamp-probing", 1.25), ModelScores(np.array([0.3, 0.2, 1.4, 0.1]), proposals=proposals)),)
    monkeypatch.setattr(search_room, "heard", lambda *_, **__: told)
    (seen,) = searched(after, samples(), bars=(), seed=0, device="cpu", before=before).told
    assert seen.stands_out == ("way2",)
    assert not any(one.new for one in seen.classes if one.class_name != "way2")
    return seen.classes[2]


def test_what_turned_nothing_before_and_turns_little_now_is_new(monkeypatch):
    found = found_in(Levels((0,)), Levels(), monkeypatch)
    assert found.new
    assert found.flips == pytest.approx(0.2)


def test_what_did_the_same_before_is_not_new(monkeypatch):
    assert not found_in(Levels((0,)), Levels((0,)), monkeypatch).new


def test_what_turns_many_is_never_new(monkeypatch):
    """A poisoned clean set could have taught it."""
    assert not found_in(Levels((0, 1, 3)), Levels(), monkeypatch).new


def test_without_the_model_before_nothing_is_new(monkeypatch):
    assert not found_in(Levels((0,)), None, monkeypatch).new


def with_new(name: str) -> ModelCheck:
    (one,) = search(name)
    return check(searches=(replace(one, classes=(replace(one.classes[0], new=True),)),))


def test_new_signs_are_told_and_leave_the_verdict_alone():
    trigger = RepairTrigger("recovered", "a patch", "way0", True, None, ())
    seen = with_new("way2")
    assert standing_out(seen) == ()
    assert new_since(seen) == ("way2",)
    assert Auto().judged(seen, frozenset()).against == ()
    verdict, sentence = verdict_of(trigger, check(flips=90), seen, Auto())
    assert verdict == "works no more"
    assert sentence.endswith(
        "; what an independent search found, towards 'way2', is weak and hardly worked before the repair."
    )


def test_new_signs_of_the_triggers_own_target_count():
    trigger = RepairTrigger("recovered", "a patch", "way0", True, None, ())
    seen = with_new("way0")
    assert new_since(seen) == ()
    assert verdict_of(trigger, check(flips=90), seen, Auto())[0] == "signs are left"


def test_records_from_before_know_nothing_of_it():
    text = to_json(with_new("way2"))
    assert from_json(ModelCheck, text, origin="now") == with_new("way2")
    old = json.loads(text)
    for one in old["searches"]:
        for each in one["classes"]:
            del each["new"]
    assert new_since(from_json(ModelCheck, json.dumps(old), origin="then")) == ()


def attempt(method: str, seen: ModelCheck) -> RepairAttempt:
    cost = RepairCost(1.0, 1.0, 10, 10)
    return RepairAttempt(method, Mending(10, 0, 0, True, True, cost=cost, check=seen, good=True, why="", notes=()))


def test_a_search_that_told_of_the_target_after_other_repairs_is_not_believed_when_it_is_quiet():
    trigger = RepairTrigger("recovered", "a patch", "way0", True, None, ())
    quiet = check()
    told = attempt("unlearn", check(searches=search("way0")))
    other = attempt("unlearn", check(searches=search("way2")))
    failed = RepairAttempt("anp", Skipped("it failed"))
    kept = attempt("ft-sam", quiet)
    assert verdict_of(trigger, check(flips=90), quiet, Auto(), (other, failed, kept))[0] == "works no more"
    verdict, sentence = verdict_of(trigger, check(flips=90), quiet, Auto(), (told, failed, kept))
    assert verdict == "could not be told"
    assert "found no sign of it; but after another repair it did" in sentence
    assert "after 2 other repairs" in verdict_of(trigger, check(flips=90), quiet, Auto(), (told, told, kept))[1]
