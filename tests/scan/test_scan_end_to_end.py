"""Whole scans of drawn data: what is planted is found, and what isn't is not; nothing crashes on what can't be judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scan_toys import SMALL, TARGET, Toy, toy
from torch import nn

from bezoar.data import Dataset, from_arrays
from bezoar.evidence.store import Store
from bezoar.records import FlipTest, RecoveredTrigger, ScanRecord, Skipped, from_json, to_json
from bezoar.scan import Scanned, ScanSettings, TrainedModel, scan, scan_all
from bezoar.scan.gathering import gather
from bezoar.training import Progress
from bezoar.training.clock import Clock

QUICK = ScanSettings(budget="quick", device="cpu")
STANDARD = ScanSettings(budget="standard", device="cpu", probe=SMALL)
THOROUGH = replace(STANDARD, budget="thorough")


@pytest.fixture(scope="module")
def poisoned() -> Toy:
    return toy(each=90, share=0.15)


@pytest.fixture(scope="module")
def quick(poisoned: Toy) -> Scanned:
    return scan_all(poisoned.data, QUICK)


@pytest.fixture(scope="module")
def larger() -> Toy:
    """Classes large enough that samples are left to try a trigger on; of smaller ones some machines see a part only."""
    return toy(classes=5, each=200, share=0.2)


@pytest.fixture(scope="module")
def standard(larger: Toy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scanned, Store]:
    store = Store(tmp_path_factory.mktemp("evidence"))
    return scan_all(larger.data, STANDARD, store=store), store


def require_sound(record: ScanRecord, data: Dataset) -> None:
    """What holds for every record: it can be written and read, and whatever it names exists."""
    assert from_json(ScanRecord, to_json(record), origin="here") == record
    ids, labels = set(data.ids), dict(zip(data.ids, data.labels.tolist(), strict=True))
    for finding in record.findings:
        label = data.class_names.index(finding.target)
        assert [one.score for one in finding.suspects] == sorted((one.score for one in finding.suspects), reverse=True)
        for one in finding.suspects:
            assert labels[one.id] == label
            assert one.neighbour is None or labels[one.neighbour] == label
            assert 0.5 < one.score <= 1
        listed = {one.id for one in finding.suspects}
        assert listed.isdisjoint({one.neighbour for one in finding.suspects})
        assert {one.id for one in finding.pictures} <= listed <= ids
        assert set(finding.sources) <= set(data.class_names) - {finding.target}
    assert {signal.class_name for signal in record.signals} <= set(data.class_names)


def require_found(record: ScanRecord, planted: Toy, *, strength: str) -> None:
    first = record.findings[0]
    assert (first.target, first.strength) == (planted.data.class_names[TARGET], strength)
    suspects = {one.id for one in first.suspects}
    assert len(suspects & planted.poisons) >= 0.9 * len(planted.poisons)
    assert len(suspects & planted.poisons) >= 0.9 * len(suspects)


def require_ranked(scanned: Scanned, planted: Toy) -> None:
    """Every sample has a suspicion, and poisons have the highest."""
    assert set(scanned.suspicion) == set(planted.data.ids)
    assert np.isfinite(list(scanned.suspicion.values())).all()
    ranked = sorted(scanned.suspicion, key=scanned.suspicion.__getitem__, reverse=True)
    top = ranked[: len(planted.poisons)]
    assert len(set(top) & planted.poisons) >= 0.9 * len(planted.poisons)


def test_a_quick_scan_finds_the_patch_and_confirms_nothing(quick: Scanned, poisoned: Toy) -> None:
    record = quick.record
    assert record.verdict == "suspicious"
    assert len(record.findings) == 1
    require_sound(record, poisoned.data)
    require_found(record, poisoned, strength="suspicious")
    require_ranked(quick, poisoned)
    (finding,) = record.findings
    assert isinstance(finding.flip_test, Skipped)
    assert isinstance(finding.trigger, Skipped)
    assert quick.tested == ()
    assert record.projection
    assert record.histograms


@pytest.mark.slow
def test_a_quick_scan_of_clean_data_finds_no_evidence() -> None:
    planted = toy(each=64, seed=4)
    scanned = scan_all(planted.data, QUICK)
    assert (scanned.record.verdict, scanned.record.findings) == ("no evidence", ())
    assert set(scanned.suspicion) == set(planted.data.ids)
    assert "trigger" not in scanned.record.reason  # none was tried
    require_sound(scanned.record, planted.data)


@pytest.mark.slow
def test_the_order_of_rows_changes_nothing(quick: Scanned, poisoned: Toy) -> None:
    order = np.random.default_rng(8).permutation(len(poisoned.data)).tolist()
    again = scan_all(poisoned.data.select(order), QUICK)
    assert [one.fingerprint for one in again.record.findings] == [one.fingerprint for one in quick.record.findings]
    assert [one.id for one in again.record.findings[0].suspects] == [
        one.id for one in quick.record.findings[0].suspects
    ]
    assert again.record.verdict == quick.record.verdict
    assert again.suspicion == pytest.approx(quick.suspicion, abs=1e-3)


@pytest.mark.slow
def test_a_standard_scan_confirms_the_patch_and_no_other_class(standard: tuple[Scanned, Store], larger: Toy) -> None:
    scanned, _ = standard
    record = scanned.record
    assert record.verdict == "confirmed"
    require_sound(record, larger.data)
    require_found(record, larger, strength="confirmed")
    require_ranked(scanned, larger)
    assert [one.target for one in record.findings if one.strength == "confirmed"] == [larger.data.class_names[TARGET]]
    finding = record.findings[0]
    assert isinstance(finding.flip_test, FlipTest)
    assert finding.flip_test.flips.low > finding.flip_test.control.value
    assert isinstance(finding.trigger, RecoveredTrigger)
    assert finding.trigger.examples
    assert finding.sources
    # What suspects look like is what they were before they were relabelled.
    assert sum(one.looks_like != one.label for one in finding.suspects) >= 0.8 * len(finding.suspects)
    assert {one.hypothesis.target for one in scanned.tested} >= {TARGET}


@pytest.mark.slow
def test_a_second_scan_reads_the_evidence_of_the_first(standard: tuple[Scanned, Store], larger: Toy) -> None:
    first, store = standard
    told = Heard()
    before = store.size()
    gathered = scan_all(larger.data, replace(STANDARD, budget="quick"), store=store, listener=told)
    assert store.size() == before
    assert told.trained == 0
    assert gathered.record.signals[0].statistic == first.record.signals[0].statistic
    times = {stage.stage: stage.seconds for stage in first.record.stages}
    clock = Clock(told)
    seen = gather(larger.data, STANDARD, model=None, trusted=None, store=store, clock=clock)
    assert told.trained == 0
    assert seen.evidence.layers
    again = {stage.stage: stage.seconds for stage in clock.times}
    assert again["train a probe"] < 0.5 * times["train a probe"]


class Heard:
    """Counts what a scan says of itself."""

    def __init__(self) -> None:
        self.trained = 0
        self.stages: list[str] = []
        self.ended: list[str] = []

    def begins(self, stage: str) -> None:
        self.stages.append(stage)

    def trains(self, progress: Progress) -> None:
        self.trained += 1

    def ends(self, stage: str, seconds: float) -> None:
        self.ended.append(stage)


def vectors(n: int = 240) -> Dataset:
    generator = np.random.default_rng(0)
    labels = np.arange(n) % 3
    inputs = generator.normal(size=(n, 12)) + labels[:, None]
    ids = tuple(f"sample {row}" for row in range(n))
    return Dataset(
        torch.from_numpy(inputs.astype(np.float32)),
        torch.from_numpy(labels),
        ("ant", "bee", "cat"),
        ids,
        name="vectors",
    )


@pytest.mark.parametrize("settings", [QUICK, STANDARD], ids=["quick", "standard"])
def test_samples_that_are_no_images_are_inconclusive_with_a_reason(settings: ScanSettings) -> None:
    data = vectors()
    scanned = scan_all(data, settings)
    assert scanned.record.verdict == "inconclusive"
    assert "no evidence spectrum" in scanned.record.reason
    assert set(scanned.suspicion) == set(data.ids)
    assert any("no images" in note for note in scanned.record.notes) == (settings is STANDARD)
    require_sound(scanned.record, data)


def test_a_model_of_ones_own_judges_samples_that_are_no_images() -> None:
    data = vectors()
    heard = Heard()
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))
    record = scan(data, STANDARD, model=TrainedModel(model, "mine"), listener=heard)
    assert record.model == "mine"
    assert heard.stages == heard.ended == [stage.stage for stage in record.stages]
    assert "read the model's features" in heard.stages
    assert heard.trained == 0
    assert record.verdict != "confirmed"
    assert record.signals
    require_sound(record, data)


def test_one_class_is_no_crash() -> None:
    planted = toy(classes=1, each=90)
    record = scan(planted.data, STANDARD)
    assert record.verdict == "inconclusive"
    assert any("one class" in note for note in record.notes)
    require_sound(record, planted.data)


@pytest.mark.parametrize("each", [1, 12])
def test_tiny_data_are_inconclusive(each: int) -> None:
    planted = toy(classes=2, each=each)
    record = scan(planted.data, QUICK)
    assert record.verdict == "inconclusive"
    require_sound(record, planted.data)


def test_tiny_data_are_inconclusive_with_a_probe_too() -> None:
    planted = toy(classes=2, each=12)
    record = scan(planted.data, STANDARD)
    assert record.verdict == "inconclusive"
    assert "train a probe" in [stage.stage for stage in record.stages]
    require_sound(record, planted.data)


@pytest.mark.parametrize("kind", ["grey", "oblong"])
def test_images_of_other_shapes_are_scanned_as_well(kind: str) -> None:
    images = toy(classes=2, each=60, side=21).data.inputs.permute(0, 2, 3, 1).numpy()
    images = {"grey": images[..., :1], "oblong": images[:, :9]}[kind]
    data = from_arrays(np.ascontiguousarray(images), np.arange(120) % 2, class_names=("ant", "bee"))
    record = scan(data, QUICK)
    assert {signal.class_name for signal in record.signals} == {"ant", "bee"}
    require_sound(record, data)


def test_what_was_given_and_not_used_is_told() -> None:
    planted = toy(classes=2, each=12)
    record = scan(planted.data, QUICK, model=TrainedModel(nn.Identity(), "mine"), trusted=planted.data)
    assert len(record.notes) == 2
    assert all("not used" in note for note in record.notes)


@pytest.mark.slow
def test_a_thorough_scan_asks_every_detector_and_uses_trusted_data() -> None:
    data, trusted = toy(classes=2, each=40).data, toy(classes=2, each=20, seed=6).data
    record = scan(data, THOROUGH, trusted=trusted)
    assert {run.detector: run.skipped for run in record.detectors if run.skipped is not None} == {}
    asked = {run.detector.partition(":")[0] for run in record.detectors}
    assert asked >= {"strip", "asset", "confusion-training", "roni", "beatrix", "training-dynamics"}
    assert record.trusted is not None
    assert record.trusted.samples == len(trusted)
    require_sound(record, data)
