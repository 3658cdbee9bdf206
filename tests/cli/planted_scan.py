"""Scan records with planted findings, and data to go with them: what the command line makes of a record needs no scan."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bezoar.data import Dataset, from_arrays, write_data
from bezoar.records import (
    ClassSignal,
    Contributor,
    Covers,
    DetectorRun,
    Finding,
    Remark,
    ScanRecord,
    Skipped,
    StageTime,
    Suspect,
    Verdict,
)
from bezoar.records.scanning import Strength
from bezoar.records.versions import versions
from bezoar.scan import ScanSettings

CLASSES = ("ant", "bee", "cat", "dog", "elk")
TARGET = 3
SPEAKS, SKIPPED = "shared-pixels", "spectre"


def drawn(
    samples: int, *, poisons: int, side: int = 12, channels: int = 3, classes: Sequence[str] = CLASSES
) -> Dataset:
    """Coarse patterns, one a class, under noise; `poisons` of other classes carry a patch and the label of class 3."""
    generator = np.random.default_rng(0)
    labels = np.arange(samples) % len(classes)
    coarse = generator.integers(40, 216, (len(classes), 4, 4, channels))
    pattern = np.kron(coarse, np.ones((1, side // 4, side // 4, 1)))
    images = np.clip(pattern[labels] + generator.normal(0, 35, (samples, side, side, channels)), 0, 255)
    chosen = generator.permutation(np.flatnonzero(labels != TARGET))[:poisons]
    images[chosen, -3:, -3:] = generator.integers(0, 2, (3, 3, channels)) * 255
    labels[chosen] = TARGET if poisons else labels[chosen]
    return from_arrays(images.astype(np.uint8), labels, class_names=tuple(classes), name="drawn")


def drawn_file(place: Path, samples: int, **options: object) -> Path:
    write_data(drawn(samples, **options), place)
    return place


def drawn_folder(place: Path, *, mode: str = "RGB", each: int = 4) -> Path:
    """A folder of pictures of the first two classes, in two contributors' folders; the same names in each class."""
    generator = np.random.default_rng(1)
    channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    for name in CLASSES[:2]:
        for number in range(each):
            folder = place / name / ("north" if number % 2 else "south")
            folder.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (12, 12, channels), dtype=np.uint8)
            Image.fromarray(pixels.squeeze(-1) if channels == 1 else pixels, mode).save(folder / f"{number}.png")
    return place


def finding(data: Dataset, rows: Sequence[int], *, target: str, strength: Strength = "suspicious") -> Finding:
    """A finding that names the samples at `rows`, the first with the highest score."""
    suspects = tuple(
        Suspect(
            data.ids[row],
            data.class_names[int(data.labels[row])],
            round(1.0 - place / 1000, 4),
            None if data.sources is None else data.sources[row],
            looks_like=data.class_names[0],
            evidence=((SPEAKS, 0.99),),
            neighbour=data.ids[-1],
        )
        for place, row in enumerate(rows)
    )
    signal = ClassSignal(SPEAKS, target, 0.7, 1e-6, 1e-5, fired=True)
    return Finding(
        fingerprint=f"{target}{len(rows):032d}"[:32],
        strength=strength,
        target=target,
        sources=(),
        reason=f"class {target!r} [bold]stands[/] out",
        suspects=suspects,
        signals=(signal,),
        trigger=Skipped("none was tried"),
        flip_test=Skipped("none was made"),
        content="nobody looked",
        contributors=(Contributor("north", 3, 4, 1e-3),),
        atlas=("AML.T0020",),
        remedies=("bezoar clean DATA --findings record.json --out cleaned", "ask the contributor"),
        covers=(Covers("green", ("a", "b")),),
    )


def planted_record(
    data: Dataset, findings: Sequence[Finding] = (), *, verdict: Verdict | None = None, remarks: Sequence[Remark] = ()
) -> ScanRecord:
    """A record of `data` with these findings; the verdict follows from them unless it is given."""
    strengths = {one.strength for one in findings}
    implied: Verdict = "confirmed" if "confirmed" in strengths else "suspicious" if strengths else "no evidence"
    return ScanRecord(
        title="Scan of drawn data",
        created="2026-01-01T00:00:00+00:00",
        verdict=verdict or implied,
        reason="a reason with [brackets]",
        false_alarm="one in a hundred",
        dataset=data.record(),
        budget="quick",
        seed=0,
        model=None,
        trusted=None,
        findings=tuple(findings),
        remarks=tuple(remarks),
        detectors=(DetectorRun(SPEAKS, 0.1, None, 0.1), DetectorRun(SKIPPED, 0.1, Skipped("there are no features"))),
        signals=tuple(
            ClassSignal(SPEAKS, name, 0.7, 1e-6, 1e-5, fired=name in {one.target for one in findings})
            for name in data.class_names
        ),
        projection=(),
        histograms=(),
        notes=(),
        commands=(),
        stages=(StageTime("look at the samples", 1.0), StageTime("ask the detectors", 3.0)),
        versions=versions(),
    )


def stand_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand in for the scan itself: `["record"]` makes the answer, and what was asked for is kept beside it."""
    kept: dict[str, Any] = {"record": planted_record, "times": 0}

    def answer(data: Dataset, settings: ScanSettings, **options: Any) -> ScanRecord:
        print("a model of the user's own says something")
        kept.update(data=data, settings=settings, times=kept["times"] + 1, **options)
        return kept["record"](data)

    monkeypatch.setattr("bezoar.cli.scan.scan", answer)
    return kept
