"""A model beside models that are trusted: what is compared, kept, left out and refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import weight_toys
from bezoar.errors import ModelError, UsageError
from bezoar.inspection import InspectionSettings, Kind, References, gather_references, inspect_model
from bezoar.inspection.reference_cache import ReferenceCache, file_digest
from bezoar.inspection.samples import in_parts, relabelled
from bezoar.records import Skipped, from_json, to_json
from bezoar.records.inspecting import InspectionRecord
from bezoar.report import write_report
from bezoar.training.opening import OpenedModel, open_model
from inversion_toys import NAMES, TARGET, clean_data, planted_patch
from reference_toys import COLOURS, samples, small, varied, write_onnx, write_run

SETTINGS = InspectionSettings(detectors=("last-layer", "channel-bounds:followed=2,images=2"))
KIND = Kind(COLOURS, (3, 16, 16))


def runs(place: Path, count: int = 4, **given: object) -> Path:
    for seed in range(count):
        write_run(place / f"run-{seed}", seed, **given)  # type: ignore[arg-type]
    return place


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clean runs."""
    return runs(tmp_path_factory.mktemp("trusted"))


@pytest.fixture
def cache(tmp_path: Path) -> ReferenceCache:
    return ReferenceCache(tmp_path / "cache")


def asked(folder: Path, cache: ReferenceCache, **given: object) -> References:
    return gather_references(folder, KIND, None, SETTINGS, cache=cache, **given)  # type: ignore[arg-type]


def model(seed: int, favoured: int | None = None) -> OpenedModel:
    return OpenedModel("toy", small(seed, favoured=favoured), "own")


def inspected(opened: OpenedModel, references: References | None) -> InspectionRecord:
    return inspect_model(opened, None, SETTINGS, class_names=COLOURS, shape=(3, 16, 16), references=references).record


def test_a_favoured_class_stands_out_of_references_without_any_data(trusted, cache, tmp_path):
    references = asked(trusted, cache)
    record = inspected(model(9, favoured=2), references)
    assert record.verdict == "suspicious"
    (finding,) = record.findings
    assert (finding.target, finding.detector) == ("blue", "last-layer")
    assert "4 references" in finding.reason
    assert isinstance(finding.trigger, Skipped)
    assert record.cuts_from == f"4 references in {trusted}"
    assert "4 references" in record.false_alarm
    assert all(run.references == 4 and run.cut for run in record.detectors)
    assert record.references is not None
    assert [one.name for one in record.references.used] == [f"run-{seed}" for seed in range(4)]
    page = write_report(record, tmp_path).read_text(encoding="utf-8")
    assert "What they share passes for usual" in page
    assert "run-3" in page
    assert from_json(InspectionRecord, to_json(record)) == record


def test_a_model_like_the_references_gives_no_evidence_and_the_built_in_cuts_are_named_otherwise(trusted, cache):
    record = inspected(model(9), asked(trusted, cache))
    assert record.verdict == "no evidence"
    assert "references" in record.reason
    alone = inspected(model(9), None)
    assert alone.cuts_from == "the calibration that comes with bezoar"
    assert alone.references is None
    assert all(one.beside is None for one in alone.statistics)


def test_a_statistic_is_the_models_own_less_what_is_usual_in_spreads(trusted, cache):
    references = asked(trusted, cache)
    record = inspected(model(9, favoured=1), references)
    alone = inspected(model(9, favoured=1), None)
    for one, own in zip(record.statistics, alone.statistics, strict=True):
        assert one.beside is not None
        assert one.beside.own == own.statistic
        told = [used.told(one.detector)[one.class_name] for used in references.used]
        assert one.beside.usual == pytest.approx(np.mean(told), abs=1e-3)
        expected = (one.beside.own - one.beside.usual) / one.beside.spread
        assert one.statistic == pytest.approx(expected, rel=1e-2, abs=1e-2)


def test_figures_are_kept_and_an_interrupted_gathering_goes_on(trusted, cache, monkeypatch):
    from bezoar.detect.models.last_layer import LastLayer

    calls, inspect = [], LastLayer.inspect

    def stops(self, *given, **named):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return inspect(self, *given, **named)

    monkeypatch.setattr(LastLayer, "inspect", stops)
    with pytest.raises(KeyboardInterrupt):
        asked(trusted, cache)
    first = asked(trusted, cache)
    assert len(calls) == 5  # two before, one that was interrupted, and the two that were missing
    again = asked(trusted, cache)
    assert len(calls) == 5
    assert [one.model.kept for one in first.used] == [True, True, False, False]
    assert all(one.model.kept for one in again.used)
    assert [one.figures for one in again.used] == [one.figures for one in first.used]


def test_what_is_kept_belongs_to_settings_samples_and_file(trusted, cache, tmp_path):
    asked(trusted, cache)
    kept = sorted(cache.root.iterdir())
    gather_references(trusted, KIND, None, replace(SETTINGS, seed=1), cache=cache)
    gather_references(trusted, KIND, samples(), SETTINGS, cache=cache)
    assert len(list(cache.root.iterdir())) == 3 * len(kept)
    damaged = kept[0]
    damaged.write_text(damaged.read_text()[:20])
    assert sum(not one.model.kept for one in asked(trusted, cache).used) == 1
    assert damaged.read_text().endswith("}\n")


def test_a_cache_that_cannot_be_written_is_told_and_stops_nothing(trusted, tmp_path):
    (tmp_path / "file").write_text("no folder")
    references = asked(trusted, ReferenceCache(tmp_path / "file"))
    assert len(references.used) == 4
    assert "could not be kept" in references.notes[0]
    assert any("could not be kept" in note for note in inspected(model(9), references).notes)


def test_the_unusable_are_named_with_their_reasons(tmp_path, cache):
    folder = runs(tmp_path / "mixed", 5)
    (folder / "broken.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0nonsense")
    (folder / "weights.pt").write_bytes(b"no pickle")
    (folder / "logs").mkdir()
    (folder / "README.md").write_text("Not a model.")
    (folder / ".hidden.safetensors").write_bytes(b"")
    write_run(folder / "drill", 8, drill="a1b2")
    write_run(folder / "twin", 0)
    own = file_digest(folder / "run-4/model.safetensors")
    references = asked(folder, cache, apart_from=own)
    assert [one.model.name for one in references.used] == [f"run-{seed}" for seed in range(4)]
    reasons = {one.name: one.reason for one in references.unusable}
    assert set(reasons) == {"broken.safetensors", "weights.pt", "logs", "drill", "twin", "run-4"}
    assert "drill" in reasons["drill"]
    assert reasons["twin"] == "it is the same file as run-0"
    assert reasons["run-4"] == "it is the model that is inspected"
    assert reasons["logs"].endswith("logs is an empty folder")
    notes = inspected(model(9), references).notes
    assert sum(note.startswith("the reference ") and "was left out" in note for note in notes) == 6
    assert references.cuts_from.endswith("(6 more left out)")


def test_wrong_folders_and_too_few_are_refused(tmp_path, cache, trusted):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="does not exist"):
        asked(tmp_path / "nowhere", cache)
    with pytest.raises(ModelError, match="a file"):
        asked(tmp_path / "file", cache)
    with pytest.raises(ModelError, match="too few references"):
        asked(tmp_path / "empty", cache)
    with pytest.raises(ModelError, match="is a single model"):
        asked(trusted / "run-0", cache)
    few = runs(tmp_path / "few", 2)
    (few / "broken.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match=r"at least 3 models.*2; left out: broken\.safetensors"):
        asked(few, cache)
    assert not cache.root.exists()  # nothing was asked


def test_classes_of_other_names_are_compared_with_all_of_them(tmp_path, cache):
    others = runs(tmp_path / "others", 4, names=("cat", "dog", "cow", "blue", "hen"))
    references = asked(others, cache)
    assert {one.model.shared_classes for one in references.used} == {1}
    record = inspected(model(9, favoured=1), references)
    beside = {one.class_name: one.beside for one in record.statistics if one.detector == "last-layer"}
    assert {name: one.models for name, one in beside.items() if one} == {"red": 0, "green": 0, "blue": 4, "grey": 0}
    usual = np.mean([value for one in references.used for value in one.figures["last-layer"]])
    assert beside["red"].usual == pytest.approx(usual, abs=1e-3)
    assert [one.target for one in record.findings] == ["green"]
    assert "not two know this one" in record.findings[0].reason


def test_clean_samples_are_shown_under_each_references_own_labels() -> None:
    clean = in_parts(samples(), 0)[0]
    turned = Kind(("grey", "red", "cow"), (3, 16, 16))
    shown = relabelled(clean, turned)
    assert shown is not None
    assert set(shown.labels.tolist()) == {0, 1}
    for sample_id, label in zip(shown.ids, shown.labels.tolist(), strict=True):
        row = clean.ids.index(sample_id)
        assert COLOURS[int(clean.labels[row])] == turned.class_names[label]
    assert relabelled(clean, Kind(COLOURS, (3, 16, 16))) is clean
    assert relabelled(clean, Kind(COLOURS, (3, 8, 8))) is None
    assert relabelled(clean, Kind(("cat", "dog"), (3, 16, 16))) is None
    assert relabelled(None, turned) is None


def test_a_detector_with_too_few_figures_judges_nothing(tmp_path, cache, trusted):
    wanted = InspectionSettings(detectors=("last-layer", "added-pattern:steps=2,lessons=60"))
    references = gather_references(trusted, KIND, None, wanted, cache=cache)
    assert all(one.model.silent == ("added-pattern:steps=2,lessons=60",) for one in references.used)
    record = inspect_model(OpenedModel("toy", small(9), "own"), samples(), wanted, references=references).record
    silent = next(run for run in record.detectors if run.detector.startswith("added"))
    assert silent.cut is None
    assert any("judges nothing: 0 of 4 references" in note for note in record.notes)


def test_an_odd_reference_is_named_and_the_cut_rises_with_it(tmp_path, cache):
    folder = runs(tmp_path / "odd", 6)
    usual = inspected(model(9), asked(folder, cache))
    write_run(folder / "run-5", 5, favoured=3)
    record = inspected(model(9), asked(folder, cache))
    assert any("the reference run-5 stands out of the others itself" in note for note in record.notes)
    assert not any("stands out" in note for note in usual.notes)
    cuts = [next(run.cut for run in one.detectors if run.detector == "last-layer") for one in (usual, record)]
    assert cuts[1] > cuts[0]


def test_references_of_another_build_are_told(tmp_path, cache, trusted):
    references = asked(trusted, cache)
    assert not any("built otherwise" in note for note in inspected(model(9), references).notes)
    wider = OpenedModel("toy", weight_toys.network_of(len(COLOURS)), "own")
    assert any(note.startswith("4 of 4 references are built otherwise") for note in inspected(wider, references).notes)


def test_models_that_can_only_be_asked_are_compared_by_their_answers(tmp_path, cache):
    wanted = InspectionSettings(detectors=("stamp-probing", "last-layer"))
    folder = tmp_path / "boxes"
    folder.mkdir()
    for seed in range(4):
        write_onnx(folder / f"box-{seed}.onnx", varied(seed))
    data = clean_data()
    kind = Kind(data.class_names, data.shape)
    references = gather_references(folder, kind, data, wanted, cache=cache)
    assert [one.model.silent for one in references.used] == [("last-layer",)] * 4
    box = open_model(str(write_onnx(tmp_path / "planted.onnx", planted_patch())), shape=data.shape)
    record = inspect_model(box, data, wanted, references=references).record
    assert record.findings[0].target == NAMES[TARGET]
    assert [run.cut is None for run in record.detectors] == [False, True]


def test_references_asked_by_other_settings_are_refused(trusted, cache):
    references = asked(trusted, cache)
    with pytest.raises(UsageError, match="other settings"):
        inspect_model(model(9), samples(), replace(SETTINGS, seed=3), references=references)
