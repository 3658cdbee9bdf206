"""What a verdict rests on and says: samples that nobody looked at, sizes that nobody compared, controls that say nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from bezoar.data.dataset import Dataset
from bezoar.detect.models.base import MODEL_DETECTORS, ModelScores
from bezoar.errors import DataError
from bezoar.inspection import InspectionSettings, inspect_model
from bezoar.inspection.heard import heard
from bezoar.inspection.samples import in_parts
from bezoar.inspection.settings import PANEL
from bezoar.inspection.trial import ELSEWHERE, OTHERS
from bezoar.inspection.verdict import about_control, reason_of, verdict_of
from bezoar.metrics.intervals import wilson
from bezoar.records import FlipTest, RecoveredTrigger, Skipped, from_json, to_json
from bezoar.records.inspecting import NOT_ASKED, InspectionRecord, ModelFinding
from bezoar.training.listening import Silence
from bezoar.training.opening import OpenedModel
from inversion_toys import NAMES, SIDE, TARGET, Linear, clean_data, planted_patch

QUICK = "neural-cleanse:steps=150,lessons=60"


def layered(source: Linear, order: tuple[int, ...] = (0, 1, 2, 3)) -> OpenedModel:
    """A toy as a network with a last linear layer, its classes in some order."""
    last = nn.Linear(3 * SIDE * SIDE, len(order))
    rows = source.weight.detach().flatten(1)[list(order)]
    last.weight.data, last.bias.data = rows.clone(), -rows @ source.mean.flatten()  # type: ignore[operator]
    return OpenedModel("toy", nn.Sequential(nn.Flatten(), last).eval(), "own")


def inspected(opened: OpenedModel, *detectors: str, clean: Dataset | None = None) -> InspectionRecord:
    return inspect_model(opened, clean, InspectionSettings(detectors), class_names=NAMES, shape=(3, SIDE, SIDE)).record


def trial_of(flips: int, control: int, kind: str = ELSEWHERE) -> FlipTest:
    return FlipTest(wilson(flips, 100), wilson(control, 100), kind, 2, 0.5, (), "the model")


def finding(test: FlipTest | Skipped) -> ModelFinding:
    trigger = RecoveredTrigger("additive", "a pattern", Skipped("no picture"), ())
    return ModelFinding("f", "suspicious", NAMES[TARGET], (), "feature-re", "reason", trigger, test, (), ())


def test_samples_of_other_classes_leave_it_open_whether_there_is_a_backdoor() -> None:
    record = inspected(layered(Linear(), (1, 2, 3, 0)), QUICK, clean=clean_data())
    assert record.verdict == "inconclusive"
    assert "hardly more of the clean samples right than guessing" in record.reason
    assert record.accuracy == wilson(0, 240)
    right = inspected(layered(Linear()), QUICK, clean=clean_data())
    assert (right.verdict, right.accuracy) == ("no evidence", wilson(240, 240))
    assert from_json(InspectionRecord, to_json(right)) == right


def test_a_finding_on_samples_of_other_classes_stays_one_and_the_doubt_is_noted() -> None:
    record = inspected(layered(planted_patch(), (1, 2, 3, 0)), "lone-weight", clean=clean_data())
    assert record.verdict == "suspicious"
    assert "guessing would" in record.notes[0]


def test_a_record_of_before_is_opened_and_tells_no_accuracy() -> None:
    record = inspected(layered(Linear()), "lone-weight")
    text = to_json(record, indent=None)
    mark = f',"accuracy":{{"reason":"{record.accuracy.reason}"}}'  # type: ignore[union-attr]
    assert mark in text
    assert from_json(InspectionRecord, text.replace(mark, "")).accuracy == NOT_ASKED


@pytest.mark.parametrize("clean", [None, clean_data()], ids=["blind", "with clean samples"])
def test_weights_alone_are_too_little_for_a_verdict(clean: Dataset | None) -> None:
    record = inspected(layered(Linear()), "lone-weight", "mm-bd:steps=5", clean=clean)
    assert record.verdict == "inconclusive"
    assert record.reason.startswith("Only lone-weight judged, without a look at clean samples or for triggers")
    few = inspected(layered(Linear()), QUICK, "lone-weight", clean=clean_data(20))
    assert few.verdict == "inconclusive"
    assert "trigger inversion needs 40 clean samples" in few.reason
    assert "Of the 20 clean samples 16 are for finding triggers, the others for trying them" in few.notes


def test_nothing_is_said_of_triggers_where_none_was_looked_for() -> None:
    record = inspected(layered(Linear()), "quiet-weights", clean=clean_data())
    assert (record.verdict, record.reason) == (
        "no evidence",
        "No class stands out from the others; no trigger was looked for",
    )
    also = inspected(layered(Linear()), "quiet-weights", QUICK, clean=clean_data())
    assert also.reason == "No class stands out from the others by any trigger that was looked for"


@pytest.mark.parametrize("name", PANEL)
def test_every_detector_says_truly_whether_it_looks_at_samples(name: str) -> None:
    said = MODEL_DETECTORS.create(name).inspect(layered(Linear()).model, None, (3, SIDE, SIDE), len(NAMES), seed=0)
    assert isinstance(said, Skipped) or not said.from_samples


def test_detectors_that_compare_no_sizes_name_none() -> None:
    spec = "feature-re:steps=5"
    said = MODEL_DETECTORS.create(spec).inspect(
        layered(Linear()).model, clean_data(), (3, SIDE, SIDE), len(NAMES), seed=0
    )
    assert isinstance(said, ModelScores)
    one = heard(spec, said, NAMES, None)
    reason = reason_of(one, TARGET)
    assert reason.startswith(f"{spec} has it ")
    assert "spreads above the median of all classes by how close together the features" in reason
    assert "levels" not in reason
    assert all(statistic.size is None for statistic in one.told(NAMES))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("neural-cleanse:steps=3,lessons=2", "pixels towards it, 3.5 spreads below the median of all classes (3 is"),
        ("stamp-probing:positions=3", "towards it, 3.5 times as effective as the best stamps usually are on models"),
        ("wave-probing:lessons=2", "towards it, 3.5 above any other class's best wave in the natural logarithm of the"),
        ("lone-weight", "has it 3.5 spreads above the median of all classes by the largest of its last weights"),
        ("quiet-weights", "has it 3.5 spreads above the median of all classes by the last weights along quiet"),
    ],
)
def test_measures_read_as_sentences(name: str, words: str) -> None:
    said = MODEL_DETECTORS.create(name).inspect(
        layered(Linear()).model, clean_data(), (3, SIDE, SIDE), len(NAMES), seed=0
    )
    assert isinstance(said, ModelScores)
    loud = heard(name, replace(said, classes=said.classes * 0 + 3.5), NAMES, None)
    assert words in reason_of(loud, TARGET)


def test_why_a_class_is_suspected_says_nothing_of_sizes_and_what_the_trial_came_to() -> None:
    def why(test: FlipTest | Skipped, *, compared: bool = False) -> str:
        return verdict_of([finding(test)], (), (), compared=compared)[1]

    assert (
        why(trial_of(100, 100))
        == "A class stands out from the others, but a control does nearly as well as its trigger"
    )
    assert why(trial_of(40, 2)).endswith(
        "but its trigger turns fewer than half of the clean samples that it was tried on"
    )
    assert why(Skipped("none right")).endswith("and its trigger could not be tried")
    assert why(trial_of(100, 90), compared=True).startswith(
        "A class stands out of what the references show, but a control"
    )


def test_a_control_that_is_the_trigger_itself_is_told_with_what_it_proves() -> None:
    told = about_control(trial_of(100, 100))
    assert told.startswith(f"; its strongest control, {ELSEWHERE}, turns as many clean samples")
    assert "neither for nor against" in told
    assert "turns nearly as many" in about_control(trial_of(100, 90))
    assert about_control(trial_of(100, 100, OTHERS)) == ""
    assert about_control(trial_of(100, 10)) == ""
    assert about_control(Skipped("none right")) == ""


def test_too_few_clean_samples_are_counted_and_so_are_those_that_are_needed() -> None:
    with pytest.raises(DataError, match="too few to inspect a model with") as refused:
        in_parts(clean_data(5), 0)
    assert "at least 54" in (refused.value.expected or "")
    assert "5, no more than 2 of a class" in (refused.value.found or "")


def test_many_classes_of_two_samples_each_are_parted_all_together() -> None:
    labels = torch.arange(60) % 30
    data = Dataset(
        torch.zeros(60, 3, 4, 4, dtype=torch.uint8),
        labels,
        tuple(f"class {label}" for label in range(30)),
        tuple(f"sample-{row}" for row in range(60)),
        name="pairs",
    )
    fit, held_out = in_parts(data, 0)
    assert (len(fit), len(held_out)) == (45, 15)
    assert not set(fit.ids) & set(held_out.ids)
    assert in_parts(data, 0)[1].ids == held_out.ids


class Heard(Silence):
    """Keeps what ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def ends(self, stage: str, seconds: float) -> None:
        self.ended.append(stage)


def test_a_detector_that_did_not_run_is_heard_of_as_such() -> None:
    listener = Heard()
    settings = InspectionSettings((QUICK, "lone-weight"))
    inspect_model(layered(Linear()), None, settings, class_names=NAMES, shape=(3, SIDE, SIDE), listener=listener)
    assert listener.ended == [f"{QUICK} did not run: trigger inversion needs 40 clean samples", "lone-weight"]
