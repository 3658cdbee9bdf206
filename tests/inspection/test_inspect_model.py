"""An inspection end to end on a network whose backdoor was planted by hand."""

from pathlib import Path

import pytest
import torch
from torch import nn

from bezoar.errors import ModelError, SpecError
from bezoar.inspection import InspectionSettings, inspect_model
from bezoar.inspection.calibration import model_calibration
from bezoar.records import FlipTest, RecoveredTrigger, Skipped, from_json, to_json
from bezoar.records.inspecting import InspectionRecord
from bezoar.report import write_report
from bezoar.training.opening import OpenedModel
from inversion_toys import NAMES, SIDE, TARGET, WAYS, Linear, Stamped, clean_data, planted_patch

QUICK = InspectionSettings(
    detectors=("neural-cleanse:steps=150,lessons=60", "mm-bd:steps=20"), commands=("bezoar inspect toy",)
)


def opened(model: nn.Module, **changes: object) -> OpenedModel:
    return OpenedModel("toy", model.eval(), "own", **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planted() -> InspectionRecord:
    return inspect_model(opened(planted_patch()), clean_data(), QUICK).record


def test_a_planted_patch_is_confirmed_with_its_target_place_and_controls(planted: InspectionRecord) -> None:
    assert planted.verdict == "confirmed"
    (finding,) = planted.findings
    assert (finding.target, finding.strength, finding.detector) == (NAMES[TARGET], "confirmed", QUICK.detectors[0])
    assert isinstance(finding.trigger, RecoveredTrigger)
    assert "rows 1 to 2, columns 9 to 10" in finding.trigger.description
    assert isinstance(finding.flip_test, FlipTest)
    assert finding.flip_test.flips.value > 0.6
    assert finding.flip_test.control.value < 0.2
    assert finding.flip_test.controls == 2


def test_the_record_goes_to_json_and_back_and_has_a_page(planted: InspectionRecord, tmp_path: Path) -> None:
    assert from_json(InspectionRecord, to_json(planted)) == planted
    page = write_report(planted, tmp_path).read_text(encoding="utf-8")
    assert "Backdoor confirmed" in page
    assert "This model carries a backdoor towards" in page
    assert "AML.T0018" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_a_clean_network_gives_no_evidence_and_is_not_called_clean() -> None:
    record = inspect_model(opened(Linear()), clean_data(), QUICK).record
    assert record.verdict == "no evidence"
    assert not record.findings
    assert len(record.statistics) == 2 * len(NAMES)


def test_progress_is_heard_of_every_detector_to_its_end() -> None:
    ends: dict[str, tuple[int, int]] = {}
    settings = InspectionSettings(detectors=("neural-cleanse:steps=3,lessons=60", "wave-probing:lessons=2"))
    stamped = opened(Stamped(next(iter(WAYS.values()))))
    inspect_model(
        stamped, clean_data(), settings, progress=lambda what, done, total: ends.update({what: (done, total)})
    )
    assert set(ends) == set(settings.detectors)
    assert ends[settings.detectors[0]] == (3, 3)
    assert all(done == total for done, total in ends.values())


def test_without_clean_samples_or_gradients_nothing_is_judged() -> None:
    blind = inspect_model(opened(Linear()), None, QUICK, class_names=NAMES, shape=(3, SIDE, SIDE)).record
    assert blind.verdict == "inconclusive"
    assert isinstance(blind.clean, Skipped)
    black = inspect_model(opened(Linear(), differentiable=False), clean_data(), QUICK).record
    assert black.verdict == "inconclusive"
    assert all(run.skipped is not None for run in black.detectors)
    with pytest.raises(ModelError, match="nothing tells which classes"):
        inspect_model(opened(Linear()), None, QUICK)


@pytest.mark.parametrize("kind", WAYS)
def test_a_stamp_is_confirmed_by_asking_alone(kind: str) -> None:
    settings = InspectionSettings(detectors=("neural-cleanse", "stamp-probing:positions=6"))
    record = inspect_model(opened(Stamped(WAYS[kind]), differentiable=False), clean_data(), settings).record
    assert record.verdict == "confirmed"
    assert [run.skipped is None for run in record.detectors] == [False, True]
    pairs = {(source, one.target) for one in record.findings for source in one.sources or ("any",)}
    planted = {("any" if kind == "all to one" else NAMES[source], NAMES[goal]) for source, goal in WAYS[kind].items()}
    assert pairs == planted
    for finding in record.findings:
        assert finding.strength == "confirmed"
        assert isinstance(finding.flip_test, FlipTest)
        assert finding.flip_test.flips.value == 1.0
        assert finding.flip_test.control.value < 0.1


def test_a_detector_that_does_not_exist_is_refused_before_anything_runs() -> None:
    with pytest.raises(SpecError):
        InspectionSettings(detectors=("neural-cleans",))


def test_the_same_inspection_gives_the_same_findings() -> None:
    first, second = (inspect_model(opened(planted_patch()), clean_data(120), QUICK).record for _ in range(2))
    assert first.statistics == second.statistics
    assert [one.fingerprint for one in first.findings] == [one.fingerprint for one in second.findings]


def test_the_calibration_names_every_detector_of_the_panel() -> None:
    from bezoar.inspection.settings import PANEL

    assert {one.detector for one in model_calibration().cuts} == set(PANEL)
    assert torch.tensor([one.suspicious or 1.0 for one in model_calibration().cuts]).min() > 0
