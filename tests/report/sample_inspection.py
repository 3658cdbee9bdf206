"""Realistic inspection records for tests, drawn without asking any model."""

from __future__ import annotations

from dataclasses import replace

from sample_record import SIDE, SIGNS, dataset, rate, sign

from bezoar.records import FlipTest, Picture, RecoveredTrigger, Skipped, SourceFlips, StageTime
from bezoar.records.inspecting import ClassStatistic, InspectionRecord, ModelDetectorRun, ModelFinding
from bezoar.records.references import ClassReference, ReferenceModel, ReferenceModels, UnusableReference

CUTS: dict[str, float | None] = {
    "neural-cleanse": 3.0,
    "added-pattern": 4.5,
    "warp-inversion": 4.0,
    "colour-inversion": 5.2,
    "feature-re": 2.8,
    "stamp-probing": 1.25,
    "wave-probing": 2.0,
    "lone-weight": 6.0,
    "quiet-weights": 4.5,
    "mm-bd": None,
    "channel-bounds": None,
    "last-layer": None,
}
UNITS = {
    "neural-cleanse": "pixels",
    "added-pattern": "levels of 255",
    "warp-inversion": "pixels of shift",
    "colour-inversion": "levels of 255",
}
NO_CLEAN = Skipped("no clean samples were given")


def statistic(detector: str, place: int, name: str, *, beside: bool) -> ClassStatistic:
    """A loud second class, others about nothing."""
    said = (7.4 if detector == "neural-cleanse" else 1.1) if place == 1 else -12.25 + place
    size = 100.5 + place if detector in UNITS else None
    reference = ClassReference(said + 3, 3.0, 0.4, 4 if place else 0) if beside else None
    return ClassStatistic(detector, name, said, size, UNITS.get(detector, ""), reference)


def picture(*, sticker: bool) -> Picture:
    words = "with the trigger" if sticker else "clean"
    return Picture(sign(3, sticker=sticker), SIDE, SIDE, f"a sign, {words}")


def finding(names: tuple[str, ...]) -> ModelFinding:
    """A confirmed patch towards the second class."""
    by_source = tuple(SourceFlips(name, rate(19, 20), rate(1, 20)) for name in names if name != names[1])
    test = FlipTest(rate(190, 200), rate(4, 200), "the same trigger turned upside down", 2, 1e-40, by_source, "it")
    pair = (picture(sticker=False), picture(sticker=True))
    return ModelFinding(
        "5f1d" * 8,
        "confirmed",
        names[1],
        (),
        "neural-cleanse",
        "neural-cleanse finds a trigger of 101.5 pixels towards it, 7.4 spreads below the median of all classes",
        RecoveredTrigger("patch", "a patch, found in the model: 101.5 pixels", picture(sticker=True), (pair,) * 3),
        test,
        ("AML.T0018",),
        ("bezoar repair victim --clean signs --findings inspection --out repaired",),
    )


def sample_inspection(names: tuple[str, ...] = SIGNS, *, compared: bool = False) -> InspectionRecord:
    """Twelve detectors of a confirmed backdoor; beside references all of them judge."""
    runs = tuple(
        ModelDetectorRun(name, 12.5, 3.25 if compared else cut, None, 4 if compared else None)
        for name, cut in CUTS.items()
    )
    references = ReferenceModels(
        "trusted",
        tuple(ReferenceModel(f"run-{seed}", "ab12" * 16, len(names), False) for seed in range(4)),
        (UnusableReference("logs", "it holds no model"),),
    )
    return InspectionRecord(
        title="victim",
        created="2026-01-01T00:00:00+00:00",
        verdict="confirmed",
        reason="A trigger leads clean samples to a class, far more of them than any control does",
        false_alarm="2 of 40 models without a backdoor got a finding",
        model="victim",
        kind_of_model="run",
        class_names=names,
        clean=dataset("signs/test", names, 20),
        findings=(finding(names),),
        detectors=runs,
        statistics=tuple(
            statistic(detector, place, name, beside=compared) for detector in CUTS for place, name in enumerate(names)
        ),
        seed=0,
        notes=(),
        commands=("bezoar inspect victim --clean signs",),
        stages=tuple(StageTime(name, 12.5) for name in CUTS),
        versions=(("bezoar", "0.1.0"),),
        cuts_from="4 references in trusted" if compared else "the calibration that comes with bezoar",
        references=references if compared else None,
        accuracy=rate(192, 200),
    )


def blind_inspection() -> InspectionRecord:
    """Without clean samples: only lone-weight and those that are told."""
    without = Skipped("trigger inversion needs 40 clean samples")
    alone = {"lone-weight", "mm-bd", "channel-bounds", "last-layer"}
    whole = sample_inspection()
    runs = (one if one.detector in alone else replace(one, seconds=0.0, skipped=without) for one in whole.detectors)
    return replace(
        whole,
        verdict="inconclusive",
        reason="Only lone-weight judged, without a look at clean samples or for triggers, and found nothing",
        clean=NO_CLEAN,
        accuracy=NO_CLEAN,
        findings=(),
        detectors=tuple(runs),
        statistics=tuple(one for one in whole.statistics if one.detector in alone),
    )


def hostile_inspection(name: str) -> InspectionRecord:
    """Names from outside that mean harm, or are merely long."""
    names = (name, f"{name} 2", *SIGNS[2:])
    whole = sample_inspection(names)
    spec = f"{name}:steps=1,images=2"
    runs = (ModelDetectorRun(spec, 1.0, 3.0), *whole.detectors[1:])
    said = (replace(one, detector=spec) if one.detector == "neural-cleanse" else one for one in whole.statistics)
    return replace(whole, title=name, model=name, notes=(name,), detectors=runs, statistics=tuple(said))
