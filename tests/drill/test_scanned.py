"""The scan in a drill: told nothing, kept beside the drill, and held against the truth afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bezoar.attacks import Poisoned, create_attack
from bezoar.data import from_arrays
from bezoar.drill import stages
from bezoar.drill.scanned import scan_summary
from bezoar.drill.stages import scan_data
from bezoar.drill.state import DrillPlan, DrillState, run_stages
from bezoar.errors import BezoarError
from bezoar.evidence.probe import ProbeRecipe
from bezoar.metrics import wilson
from bezoar.records import (
    DetectionMeasurement,
    Finding,
    FlipTest,
    RecoveredTrigger,
    ScanRecord,
    Skipped,
    Suspect,
    from_json,
)
from bezoar.scan import Scanned
from bezoar.training import default_recipe
from bezoar.training.listening import Silence

POISONS = 20


@pytest.fixture
def poisoned() -> Poisoned:
    """20 of 100 grey squares carry a white patch and the other label."""
    pixels = np.random.default_rng(0).integers(60, 120, (100, 8, 8, 3), dtype=np.uint8)
    data = from_arrays(pixels, np.arange(100) % 2, class_names=("left", "right"))
    attack = create_attack("patch:size=2,color=white,mode=replace", source=("left",), target="right", count=POISONS)
    return attack.poison(data, seed=0)


def finding(ids: Sequence[str]) -> Finding:
    return Finding(
        fingerprint="f",
        strength="confirmed",
        target="right",
        sources=("left",),
        reason="it flips",
        suspects=tuple(Suspect(one, "right", 0.9) for one in ids),
        signals=(),
        trigger=RecoveredTrigger("patch", "4 pixels", None),
        flip_test=FlipTest(wilson(48, 50), wilson(1, 50), "the same on a blind network", 3, 1e-9, (), "a network"),
        content="",
        contributors=(),
        atlas=(),
        remedies=(),
    )


def scanned(poisoned: Poisoned, *findings: Finding) -> Scanned:
    """A scan that ranks samples by whether they are suspects, and has no more to say."""
    record = ScanRecord(
        title="t",
        created="2025-01-01",
        verdict="confirmed" if findings else "no evidence",
        reason="because",
        false_alarm="1%",
        dataset=poisoned.data.record(),
        budget="standard",
        seed=0,
        model=None,
        trusted=None,
        findings=findings,
        remarks=(),
        detectors=(),
        signals=(),
        projection=(),
        histograms=(),
        notes=(),
        commands=(),
        stages=(),
        versions=(),
    )
    named = {suspect.id for one in findings for suspect in one.suspects}
    return Scanned(record, {one: float(one in named) for one in poisoned.data.ids}, ())


def test_poisons_among_suspects_are_counted_by_the_truth(poisoned: Poisoned) -> None:
    guilty = sorted(poisoned.truth.poison_ids)
    innocent = [one for one in poisoned.data.ids if one not in poisoned.truth.poison_ids]
    both = (finding([*guilty[:12], *innocent[:3]]), finding(guilty[8:16]))
    summary = scan_summary(scanned(poisoned, *both), poisoned.truth)
    assert [one.poisons for one in summary.findings] == [wilson(12, 15), wilson(8, 8)]
    assert summary.caught == wilson(16, POISONS)
    first = summary.findings[0]
    assert (first.target, first.strength, first.control_kind) == ("right", "confirmed", "the same on a blind network")
    assert (first.flips, first.control) == (wilson(48, 50), wilson(1, 50))
    assert isinstance(summary.detection, DetectionMeasurement)
    # 16 of 20 poisons share the top with 3 of the others: a tie counts half.
    clean = len(innocent)
    expected = (16 * (clean - 3) + 16 * 3 / 2 + 4 * (clean - 3) / 2) / (20 * clean)
    assert summary.detection.auroc == pytest.approx(expected)


def test_a_scan_that_found_nothing_caught_nothing(poisoned: Poisoned) -> None:
    summary = scan_summary(scanned(poisoned), poisoned.truth)
    assert (summary.verdict, summary.findings, summary.caught) == ("no evidence", (), wilson(0, POISONS))
    assert isinstance(summary.detection, DetectionMeasurement)
    assert summary.detection.auroc == 0.5


def test_what_was_not_tested_stays_untested(poisoned: Poisoned) -> None:
    quick = replace(finding([]), trigger=Skipped("quick"), flip_test=Skipped("quick"))
    (told,) = scan_summary(scanned(poisoned, quick), poisoned.truth).findings
    assert (told.trigger, told.flips, told.control) == (Skipped("quick"),) * 3
    assert told.poisons == Skipped("the finding names no suspect")


def plan(**fields: object) -> DrillPlan:
    attack = create_attack("patch:size=2", target="right", count=POISONS)
    return DrillPlan("t", attack, "fast", default_recipe("fast"), seed=7, device="cpu", **fields)  # type: ignore[arg-type]


def test_the_scan_is_told_nothing_and_its_record_kept(
    poisoned: Poisoned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def remember(data, settings, *, listener):
        given.append((data, settings))
        return scanned(poisoned)

    monkeypatch.setattr(stages, "scan_all", remember)
    assert poisoned.data.mark is not None
    probe = ProbeRecipe(model="fast:finest=8")
    state = DrillState(plan(commands=("bezoar demo",)), tmp_path, poisoned=poisoned)
    done = run_stages(state, (scan_data(probe),), Silence())
    ((data, settings),) = given
    assert data.mark is None
    assert data.ids == poisoned.data.ids
    assert (settings.seed, settings.device, settings.probe) == (7, "cpu", probe)
    assert settings.commands == ("bezoar demo",)
    assert done.scanned is not None
    assert from_json(ScanRecord, (tmp_path / "scan/record.json").read_bytes()) == done.scanned.record


def test_without_poisoned_data_there_is_nothing_to_scan(tmp_path: Path) -> None:
    with pytest.raises(BezoarError, match="no poisoned data yet"):
        run_stages(DrillState(plan(), tmp_path), (scan_data(),), Silence())


@pytest.mark.slow
def test_a_small_scan_runs_from_end_to_end(poisoned: Poisoned, tmp_path: Path) -> None:
    probe = ProbeRecipe(model="fast:stem=8,widths=8/16")
    done = run_stages(DrillState(plan(), tmp_path, poisoned=poisoned), (scan_data(probe),), Silence())
    assert done.scanned is not None
    assert set(done.scanned.suspicion) == set(poisoned.data.ids)
    assert done.scanned.record.dataset == replace(poisoned.data, mark=None).record()
    summary = scan_summary(done.scanned, poisoned.truth)
    assert isinstance(summary.detection, DetectionMeasurement)
    assert summary.detection.poisons == POISONS
