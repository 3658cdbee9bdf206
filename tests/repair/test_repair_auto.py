"""The automatic choice, the verdict, and the story of a repair on a planted toy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch
from sample_checks import check, search

from bezoar.errors import ModelError, TrainingError, UsageError
from bezoar.metrics import accuracy_lost
from bezoar.metrics.intervals import wilson
from bezoar.records import ClassRate, FlipCheck, Mending, ModelCheck, Rate, RepairTrigger, Skipped, from_json, to_json
from bezoar.repair import REPAIRS, Given
from bezoar.repair.auto import CHEAP_FIRST, CHOICES, Auto
from bezoar.repair.base import Mended, ModelRepair, Repaired, Used
from bezoar.repair.case import Case, Met
from bezoar.repair.checks import Bar
from bezoar.repair.checks.look import NOT_SEARCHED, NOT_SEARCHED_BEFORE, Looking
from bezoar.repair.checks.search import Suspected
from bezoar.repair.judgement import likely_loss
from bezoar.repair.meter import Cost
from bezoar.repair.settings import Patient, RepairSettings
from bezoar.repair.story import repair_model
from bezoar.repair.trying import Trials, Tried
from bezoar.repair.verdict import verdict_of
from repair_toys import TARGET, Victim, attack_success, clean_accuracy, patched, victim

BARS = (Bar("neural-cleanse:steps=30,lessons=60", 3.5), Bar("added-pattern:steps=30,lessons=60", 3.5))
FEW = (Bar("neural-cleanse:steps=5,lessons=60", 3.5),)
NOTHING_TO_SEE = Looking(None, None, None, 0, ())
HOUSE = [name for name in REPAIRS.names() if REPAIRS.get(name).__module__.startswith("bezoar.")]


@pytest.fixture(scope="module")
def fast() -> Victim:
    return victim("fast")


def patient(one: Victim) -> Patient:
    return Patient(one.model, "toy", "run", one.given.trusted.class_names)


def cured(one: Victim, given: Given, *, seed: int = 0, **auto):
    settings = RepairSettings(Auto(**auto), BARS, seed=seed, device="cpu")
    return repair_model(patient(one), given, settings)


def knowing(one: Victim) -> Given:
    return Given(one.given.trusted, trigger=patched, target=TARGET)


# The story


def test_the_first_good_one_is_kept_and_the_backdoor_is_gone(fast):
    found = cured(fast, knowing(fast))
    record = found.record
    assert (record.verdict, record.chosen) == ("works no more", "unlearn")
    assert [one.method for one in record.attempts] == ["unlearn"]
    assert record.attempts[0].outcome.good
    assert [one.stage for one in record.stages][-4:] == [
        "repair: unlearn",
        "look at the results",
        "search the results for a trigger",
        "relearning test",
    ]
    assert record.before.flips.flips.value > 0.9
    assert record.after.flips.flips.value <= 0.05
    assert record.sentence.startswith("The given trigger no longer works (0.0% of ")
    assert attack_success(found.model) <= 0.05
    assert clean_accuracy(found.model) >= clean_accuracy(fast.model) - 0.03
    assert record.given.learnt_from == 150
    assert record.given.held_out == 50
    assert record.cost.samples_backward > 0
    assert len(record.trigger.examples) == 4
    assert from_json(type(record), to_json(record)) == record
    assert not found.model.training


def test_before_the_repair_stands_the_search_that_found_the_trigger(fast):
    settings = RepairSettings(Auto(methods=("fine-tune:epochs=1",)), BARS, seed=0, device="cpu")
    searched = repair_model(patient(fast), Given(fast.given.trusted), settings).record.before.searches
    assert [one.detector for one in searched] == [one.detector for one in BARS]
    assert searched[0].samples == 150
    known = repair_model(patient(fast), knowing(fast), settings).record.before.searches
    assert known == NOT_SEARCHED_BEFORE
    few = Given(fast.given.trusted.select(range(16)))
    lacking = repair_model(patient(fast), few, settings).record
    assert lacking.before.searches == lacking.trigger


def found_before() -> Suspected:
    return Suspected(patched, TARGET, True, "found before", "a patch of an inspection")


def test_a_trigger_found_before_is_taken_without_trusted_samples(fast):
    given = Given(training=fast.given.training, suspects=fast.given.suspects)
    settings = RepairSettings(Auto(methods=("unlearn:epochs=1",)), seed=0, device="cpu")
    record = repair_model(patient(fast), given, settings, finder=found_before).record
    assert (record.trigger.origin, record.trigger.target) == ("recovered", "way0")
    assert record.trigger.description == "a patch of an inspection; found before"


def test_a_trigger_that_suspects_share_goes_before_one_found_before(fast):
    given = Given(fast.given.trusted, fast.given.training, fast.given.suspects)
    settings = RepairSettings(Auto(methods=("unlearn:epochs=1",)), seed=0, device="cpu")

    def never():
        raise AssertionError("a search was made although suspects show a trigger")

    record = repair_model(patient(fast), given, settings, finder=never).record
    assert "patch of 9 pixels" in record.trigger.description


def test_suspects_give_the_trigger_away_and_filtering_cures(fast):
    given = Given(fast.given.trusted, fast.given.training, fast.given.suspects)
    record = cured(fast, given, methods=("filter-retrain:epochs=4",)).record
    assert (record.trigger.origin, record.trigger.target) == ("recovered", "way0")
    assert "patch of 9 pixels" in record.trigger.description
    assert record.given.suspects == len(fast.given.suspects)
    assert record.after.flips.flips.value <= 0.1


def test_a_recovered_trigger_that_the_clean_samples_bear_is_told_and_they_are_left_out(fast):
    clean = fast.given.trusted
    rows = (clean.labels != TARGET).nonzero().flatten()[:20]
    inputs, labels = clean.inputs.clone(), clean.labels.clone()
    inputs[rows], labels[rows] = patched(inputs[rows]), TARGET
    given = Given(replace(clean, inputs=inputs, labels=labels), fast.given.training, fast.given.suspects)
    found = cured(fast, given, methods=("adversarial-training",))
    assert found.record.trigger.origin == "recovered"
    assert found.record.given.left_out == 20
    assert any("20 trusted samples under the label 'way0' bear the recovered" in one for one in found.record.notes)
    assert found.record.given.learnt_from + found.record.given.held_out == 180
    assert attack_success(found.model) <= 0.05


def test_a_good_one_is_kept_although_another_did_less_harm():
    nothing = Repaired(torch.nn.Identity(), Used(), Cost(0, 0, 1), ())
    judge = Auto().judged
    trials = Trials(Case(torch.nn.Identity(), Given(), NOTHING_TO_SEE, 0, "cpu", None, None), judge, Met, alone=False)
    seen = {"costly": check(flips=0, of=2000, gone=40), "good": check(flips=4, of=2000)}
    trials.tried = [Tried(name, nothing, 1.0, one, judge(one)) for name, one in seen.items()]
    costly, good = trials.tried
    assert costly.judgement.against
    assert not good.judgement.against
    assert costly.judgement.harm < good.judgement.harm
    assert trials.best(lambda best, count: f"{best.method} of {count}").rule == "good of 2"


def test_a_model_that_only_guesses_at_the_trusted_samples_is_not_repaired(fast):
    trusted = fast.given.trusted
    other = replace(trusted, labels=(trusted.labels + 1) % len(trusted.class_names))
    with pytest.raises(ModelError, match="does not know the classes of") as refused:
        cured(fast, replace(knowing(fast), trusted=other))
    assert "hardly more of the clean samples right than guessing would" in str(refused.value)


def test_where_none_is_good_the_least_harm_is_kept_and_told(fast):
    found = cured(fast, knowing(fast), methods=("nad:epochs=1,least_steps=0", "fine-tune:epochs=2,least_steps=20"))
    record = found.record
    assert record.verdict == "still works"
    assert len(record.attempts) == 2
    harms = {one.method: one.outcome.check.flips.flips.value for one in record.attempts}
    assert record.chosen == min(harms, key=lambda one: harms[one])
    assert "none of 2 tried was good" in record.rule
    kept = next(one.outcome for one in record.attempts if one.method == record.chosen)
    passed = next(one.outcome for one in record.attempts if one.method != record.chosen)
    assert passed.check.searches == NOT_SEARCHED
    assert kept.check.searches != NOT_SEARCHED
    assert kept.check == record.after
    assert "the trigger still turns" in kept.why
    assert record.sentence.startswith("The given trigger still works")


def test_with_nothing_given_pruning_without_data_is_done_and_nothing_claimed(fast):
    record = cured(fast, Given()).record
    assert (record.verdict, record.chosen) == ("could not be told", "clp")
    tried = {one.method: one.outcome for one in record.attempts}
    assert isinstance(tried["ft-sam"], Skipped)
    assert isinstance(tried["clp"], Mending)
    assert not tried["clp"].good
    assert isinstance(record.after.accuracy, Skipped)
    assert isinstance(record.relearning, Skipped)
    assert record.sentence.startswith("Whether a backdoor was taken out could not be told: ")


def test_a_trigger_that_does_not_stand_out_is_no_trigger(fast):
    record = cured(fast, Given(fast.given.trusted), methods=("ft-sam:epochs=1,least_steps=0",)).record
    assert "no trigger stands out" in record.trigger.reason
    assert record.verdict == "could not be told"


def test_a_method_that_lacks_something_says_what(fast):
    with pytest.raises(TrainingError, match=r"could not be repaired.*no trusted samples were given.*--clean"):
        cured(fast, Given(), methods=("ft-sam",))


def test_the_same_seed_gives_the_same_model_and_record(fast):
    first, second = (cured(fast, knowing(fast), methods=("ft-sam:epochs=1,least_steps=0",)) for _ in range(2))
    weights = second.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in first.model.state_dict().items())
    assert (first.record.after, first.record.relearning) == (second.record.after, second.record.relearning)
    assert first.record.before == second.record.before


# What a repair may see


@dataclass(frozen=True)
class Spy(ModelRepair):
    """Learns nothing, and remembers what it was shown."""

    seen: list[Given] = field(default_factory=list)

    def lacks(self, given):
        return ""

    def mend(self, work):
        self.seen.append(work.given)
        return Mended(Used(), ("looked",))


@dataclass(frozen=True)
class Diverges(ModelRepair):
    def lacks(self, given):
        return ""

    def mend(self, work):
        raise TrainingError("the repair diverged")


@dataclass(frozen=True, kw_only=True)
class Own(Auto):
    """A choice among methods that are at hand."""

    own: tuple[ModelRepair, ...] = ()

    def repairs(self):
        return self.own


def test_no_repair_sees_what_it_is_judged_by(fast):
    trusted, spy = fast.given.trusted, Spy()
    training = replace(trusted, ids=tuple(f"train{row}" for row in range(len(trusted))))
    given = Given(trusted, training, frozenset({"train1", "train2"}), patched, TARGET)
    settings = RepairSettings(Own(own=(spy,), methods=("one",)), FEW, device="cpu")
    record = repair_model(patient(fast), given, settings).record
    (shown,) = spy.seen
    assert record.verdict == "still works"
    assert record.given.left_out == 2  # the suspects, by whatever name
    assert len(shown.trusted) == record.given.learnt_from == 149
    held = set(trusted.ids) - set(shown.trusted.ids) - {"trusted1", "trusted2"}
    assert len(held) == record.given.held_out == 49
    rows = [row for row, one in enumerate(trusted.ids) if one in held]
    assert not {f"train{row}" for row in rows} & set(shown.training.ids)
    assert len(shown.training) == 151


def test_among_several_one_that_diverges_is_passed_over_and_alone_it_is_told(fast):
    both = Own(own=(Diverges(), Spy()), methods=("one", "two"))
    record = repair_model(patient(fast), knowing(fast), RepairSettings(both, FEW, device="cpu")).record
    assert "it failed: the repair diverged" in record.attempts[0].outcome.reason
    alone = Own(own=(Diverges(),), methods=("one",))
    with pytest.raises(TrainingError, match="diverged"):
        repair_model(patient(fast), knowing(fast), RepairSettings(alone, FEW, device="cpu"))


def test_what_no_method_can_do_without_is_told_before_anything_is_searched(fast, monkeypatch):
    def never(*_, **__):
        raise AssertionError("searched although nothing can be done")

    monkeypatch.setattr("bezoar.repair.finding.suspected_trigger", never)
    monkeypatch.setattr("bezoar.repair.story.look", never)
    with pytest.raises(TrainingError, match="filter-retrain: the data that the model was trained on were not given"):
        cured(fast, Given(fast.given.trusted), methods=("filter-retrain",))


def test_a_model_of_other_classes_is_told(fast):
    given = Given(replace(fast.given.trusted, class_names=("a", "b", "c", "d", "e")))
    with pytest.raises(ModelError, match="does not fit the data"):
        cured(fast, given, methods=("ft-sam",))


# The choice and its words


def test_the_specification_builds_it_and_names_are_methods():
    auto = CHOICES.create("auto:allowed_loss=0.03,methods=ft-sam/anp")
    assert auto == Auto(allowed_loss=0.03, methods=("ft-sam", "anp"))
    assert {spec.split(":")[0] for spec in CHEAP_FIRST} == {name for name in HOUSE if name != "fine-tune"}
    with pytest.raises(UsageError, match="allowed_loss"):
        Auto(allowed_loss=2)
    with pytest.raises(UsageError, match="no repair is called"):
        Auto(methods=("ft-samm",)).repairs()


def test_good_is_what_costs_little_turns_nothing_and_leaves_nothing_small():
    auto = Auto()
    assert auto.judged(check(flips=4, gone=3)).against == ()
    assert auto.judged(check(flips=6)).against == ("the trigger still turns 6.0%",)
    assert auto.judged(check(flips=6, control=6)).against == ()
    # Noise mirrored is noise: a control that works is no excuse.
    assert auto.judged(check(flips=100, control=100)).against == ("the trigger still turns 100.0%",)
    assert auto.judged(check(flips=16, control=16)).against == ("the trigger still turns 16.0%",)
    # One of 20 samples is 5 points: less can't be told, of the trigger neither.
    assert auto.judged(check(right=19, of=20, gone=1)).against == ()
    assert auto.judged(check(flips=1, asked=15)).against == ()
    assert auto.judged(check(flips=2, asked=15)).against == ("the trigger still turns 13.3%",)
    lost = auto.judged(check(right=15, of=20, gone=5))
    assert lost.against == ("accuracy fell by 25.0 points, give or take 9.7",)
    # What chance does not explain counts in full beside flips: 7 of 62 samples are a class that was forgotten.
    forgetful = auto.judged(check(right=50, of=62, gone=7))
    assert forgetful.harm == pytest.approx(7 / 62)
    assert forgetful.harm > auto.judged(check(right=58, of=62, gone=2, flips=3, asked=52)).harm
    small = auto.judged(check(flips=0, searches=search("way2")))
    assert small.against == ("neural-cleanse finds signs of a backdoor towards 'way2'",)
    assert small.harm == pytest.approx(0.9)


def one_source(flips: int, of: int = 9, name: str = "way1") -> ModelCheck:
    """A model of which a trigger turns one of twelve classes alone."""
    seen = check(flips=flips, asked=100)
    sources = (ClassRate(name, wilson(flips, of)), ClassRate("way2", wilson(0, 9)), ClassRate("way3", Skipped("none")))
    return replace(seen, flips=replace(seen.flips, by_source=sources))


def test_a_trigger_of_one_source_class_is_judged_by_that_class():
    # 4 of 100 are few, and 4 of 9 are not: by Wilson at least 19%, 5 of 9 at least 27%.
    assert Auto().judged(one_source(4)).against == ()
    assert Auto().judged(one_source(5)).against == ("the trigger still turns 5.0%, 55.6% of 'way1'",)
    told, sentence = verdict_of(GIVEN, one_source(8), one_source(5), Auto())
    assert (told, sentence) == (
        "still works",
        "The given trigger still works (5.0% of 100 samples, 55.6% of 'way1', before 8.0%, 88.9% of 'way1').",
    )
    told, sentence = verdict_of(GIVEN, one_source(9), one_source(0), Auto())
    assert (told, "hardly worked" in sentence) == ("works no more", False)


def test_a_class_that_stands_out_since_the_repair_alone_is_not_held_against_it():
    seen = check(flips=0, searches=search("way2"))
    assert Auto().judged(seen, None).against
    assert Auto().judged(seen, frozenset({"way2"})).against
    assert Auto().judged(seen, frozenset({"way1"})).against == ()
    own = check(flips=0, searches=search("way0"))  # the trigger's own target
    assert Auto().judged(own, frozenset()).against


def test_a_loss_counts_as_far_as_it_is_more_than_chance():
    # By hand: 4 of 200 changed answers, all for the worse, are 2.0 -+ 1.0 points, and 1.6 of these to reckon with.
    assert likely_loss(accuracy_lost(4, 0, 200)) == pytest.approx(0.02 * 0.0004 / (0.0004 + 0.02 * 0.98 / 200))
    assert Auto().judged(check(of=200, gone=4)).against
    assert not Auto().judged(check(of=200, gone=22, come=18)).against
    assert Auto().judged(check(of=2000, gone=100, come=40)).against
    assert not Auto().judged(check(of=2000, gone=80, come=52)).against
    assert not Auto().judged(check(right=20, of=25, gone=3)).against
    assert Auto().judged(check(right=20, of=25, gone=5)).against


GIVEN = RepairTrigger("given", "patch", "way0", False, None, ())


@pytest.mark.parametrize(
    ("before", "after", "verdict", "says"),
    [
        (check(flips=97), check(flips=2), "works no more", "(2.0% of 100 samples, before 97.0%), and an independent"),
        (check(flips=97), check(flips=60), "still works", "still works (60.0% of 100 samples, before 97.0%)"),
        (check(flips=97, control=97), check(flips=96, control=98), "still works", "still works (96.0%"),
        (check(flips=97), check(flips=0, searches=search("way0")), "signs are left", "but an independent search found"),
        (
            check(flips=97),
            check(flips=0, searches=search("way3")),
            "could not be told",
            "did not show before the repair",
        ),
        (
            check(flips=97, searches=search("way3")),
            check(flips=0, searches=search("way3")),
            "could not be told",
            "towards 'way3'.",
        ),
        (
            check(flips=97, searches=NOT_SEARCHED),
            check(searches=search("way3")),
            "could not be told",
            "towards 'way3'.",
        ),
        (check(flips=97), check(flips=2, gone=14), "works no more", "no sign of another, but accuracy fell by 7.0"),
        (check(flips=10), check(flips=1), "could not be told", "hardly worked before the repair"),
        (
            check(flips=40, control=35),
            check(flips=1),
            "could not be told",
            "worked hardly better before the repair than",
        ),
        (check(flips=97), check(flips=0, searches=NOT_SEARCHED), "works no more", "no other was looked for"),
        (check(flips=5, asked=6), check(flips=0, asked=6), "could not be told", "6 samples, too few"),
    ],
)
def test_verdicts(before: ModelCheck, after: ModelCheck, verdict: str, says: str):
    told, sentence = verdict_of(GIVEN, before, after, Auto())
    assert (told, says in sentence) == (verdict, True), sentence
    assert "clean" not in sentence


def test_a_recovered_trigger_stood_out_already_whatever_its_control_does():
    recovered = replace(GIVEN, origin="recovered")
    told, sentence = verdict_of(recovered, check(flips=97, control=97), check(flips=2), Auto())
    assert told == "works no more"
    assert sentence.startswith("The recovered trigger no longer works")


def test_without_a_trigger_it_could_not_be_told():
    nothing = Skipped("no trigger stands out")
    told, sentence = verdict_of(nothing, check(flips=97), check(flips=2), Auto())
    assert told == "could not be told"
    assert nothing.reason in sentence


def test_the_toys_of_this_file_are_what_they_seem():
    made = check(right=9, of=10, flips=3, asked=30, control=1)
    assert isinstance(made.flips, FlipCheck)
    assert made.flips.flips.value == 0.1
    assert isinstance(made.accuracy, Rate)
