"""Realistic scan records for tests, drawn without scanning anything."""

from __future__ import annotations

import random
from dataclasses import replace

from sample_record import SIDE, SIGNS, dataset, png, rate, sign

from bezoar.records import (
    ClassSignal,
    Contributor,
    Covers,
    DetectorRun,
    Finding,
    FlipTest,
    Histogram,
    OddPart,
    Picture,
    ProjectedPoint,
    RecoveredTrigger,
    Remark,
    ScanRecord,
    Skipped,
    SourceFlips,
    StageTime,
    Suspect,
    SuspectPicture,
)

DETECTORS = ("spectral-residual", "shared-pixels", "activation-clustering", "scan:rounds=3", "training-dynamics")
TARGET, SOURCE = SIGNS[1], SIGNS[0]
NO_TRIGGER = Skipped("the suspects share no pattern that stands out")
NO_TEST = Skipped("no trigger was recovered to test")


def picture(seed: int, alt: str, *, sticker: bool) -> Picture:
    return Picture(sign(seed, sticker=sticker), SIDE, SIDE, alt)


def pattern() -> Picture:
    """The sticker alone, on grey."""
    return Picture(
        png(
            [
                [(250, 220, 40) if 16 <= x < 21 and 21 <= y < 26 else (128, 128, 128) for x in range(32)]
                for y in range(32)
            ]
        ),
        SIDE,
        SIDE,
        "the recovered trigger on grey",
    )


def suspects(count: int, target: str = TARGET) -> tuple[Suspect, ...]:
    """Suspects with files of their own; every third has no source."""
    generator = random.Random(count)
    return tuple(
        Suspect(
            f"{generator.getrandbits(64):016x}:{target}/{number:05d} a.png",
            target,
            round(1 - number / (2 * count), 6),
            None if number % 3 == 2 else "uploads-batch-17",
            SOURCE,
            tuple((detector, round(generator.uniform(0.9, 1), 4)) for detector in DETECTORS),
            f"{generator.getrandbits(64):016x}:{target}/{number:05d} b.png",
        )
        for number in range(count)
    )


def signals(names: tuple[str, ...], fired: str | None) -> tuple[ClassSignal, ...]:
    generator = random.Random(5)
    return tuple(
        ClassSignal(detector, name, 11.3, 3.1e-9, 1.6e-7, True)
        if name == fired and number < 3
        else ClassSignal(
            detector, name, round(generator.uniform(0, 3), 3), round(generator.uniform(0.02, 1), 4), 1.0, False
        )
        for name in names
        for number, detector in enumerate(DETECTORS)
    )


def flip_test(names: tuple[str, ...] = SIGNS) -> FlipTest:
    return FlipTest(
        flips=rate(196, 200),
        control=rate(3, 200),
        control_kind="the same recovery from random samples of the class",
        controls=20,
        p_value=4.2e-31,
        by_source=(
            SourceFlips(names[0], rate(196, 200), rate(1, 200)),
            *(SourceFlips(name, rate(12 + number, 200), rate(3, 200)) for number, name in enumerate(names[2:6])),
            SourceFlips(names[-1], Skipped("no held-out sample that the model reads right"), Skipped("no such sample")),
        ),
        model="fast, trained on the data for 6 epochs",
    )


def finding(*, count: int = 60, pictures: int = 12, strength: str = "confirmed") -> Finding:
    shown = tuple(
        SuspectPicture(
            one.id,
            one.score,
            picture(number % 9, f"suspect {number}", sticker=True),
            None if number == 4 else picture(number % 9 + 20, f"neighbour {number}", sticker=False),
            f"labelled {TARGET}, looks like {SOURCE}",
        )
        for number, one in enumerate(suspects(count)[:pictures])
    )
    return Finding(
        fingerprint="9f2c51d07be34a18",
        strength=strength,  # type: ignore[arg-type]
        target=TARGET,
        sources=(SOURCE,),
        reason="spectral-residual, shared-pixels and activation-clustering fired on this class, and the recovered "
        "trigger leads clean stop signs to it",
        suspects=suspects(count),
        signals=signals((TARGET,), TARGET),
        trigger=RecoveredTrigger(
            "patch",
            "25 pixels, 5 by 5, in yellow near the lower right corner",
            pattern(),
            tuple(
                (picture(seed, "before", sticker=False), picture(seed, "after", sticker=True)) for seed in range(40, 44)
            ),
        ),
        flip_test=flip_test(),
        content="The suspects show what “stop” shows",
        contributors=(Contributor("uploads-batch-17", 40, 41, 2.2e-38),),
        atlas=("AML.T0020", "AML.T0019", "AML.T9999"),
        remedies=("bezoar clean signs --findings scan/record.json --out signs-clean",),
        pictures=shown,
    )


def points(names: tuple[str, ...], suspicious: int = 60, each: int = 120) -> tuple[ProjectedPoint, ...]:
    generator = random.Random(3)
    others = [
        ProjectedPoint(
            generator.gauss(8 * (number % 4), 1.2),
            generator.gauss(7 * (number // 4), 1.2),
            name,
            generator.random() ** 4,
            False,
        )
        for number, name in enumerate(names)
        for _ in range(each)
    ]
    planted = [
        ProjectedPoint(generator.gauss(13, 0.4), generator.gauss(3.5, 0.4), TARGET, 0.8 + generator.random() / 5, True)
        for _ in range(suspicious)
    ]
    return (*others, *planted)


def histogram(detector: str, class_name: str) -> Histogram:
    edges = tuple(round(-2 + 0.25 * number, 2) for number in range(33))
    others = tuple(max(0, int(90 - (number - 10) ** 2 * 1.4)) for number in range(32))
    return Histogram(
        detector, class_name, edges, others, tuple(max(0, 12 - abs(number - 26) * 3) for number in range(32))
    )


REMARKS = (
    Remark("near-duplicates", "14 groups of samples are nearly identical", 31, (("aa:stop/1.png", "ab:stop/2.png"),)),
    Remark(
        "label errors", "9 samples of “yield” look like “no entry”", 9, tuple((f"ac:yield/{n}.png",) for n in range(9))
    ),
    Remark("imbalance", "“roundabout” has 12 times the samples of “yield”", 0),
    Remark("odd source", "The samples of “scanner-b” have a border", 240),
    Remark("too small", "“road works” has 6 samples, too few to judge", 6),
)


def sample_scan(names: tuple[str, ...] = SIGNS, *, found: tuple[Finding, ...] | None = None) -> ScanRecord:
    """A scan of 6,060 signs in which a sticker was found and confirmed."""
    return ScanRecord(
        title="Signs from outside",
        created="2025-11-25T19:42:07+00:00",
        verdict="confirmed",
        reason="A trigger recovered from the suspects works on clean samples, and no control does",
        false_alarm="none of 52 sets without a backdoor was called confirmed (95% interval 0 to 6.9%), 1 suspicious",
        dataset=dataset("signs", names, 606),
        budget="standard",
        seed=7,
        model="fast, trained on the data for 6 epochs",
        trusted=None,
        findings=(finding(),) if found is None else found,
        remarks=REMARKS,
        detectors=(
            *(DetectorRun(name, 1.25 + number, cut=5.5) for number, name in enumerate(DETECTORS[:4])),
            DetectorRun(DETECTORS[4], 0.4),
            DetectorRun("asset", 0.0, Skipped("no trusted set was given")),
        ),
        signals=signals(names, TARGET),
        projection=points(names),
        histograms=tuple(histogram(detector, name) for detector in DETECTORS for name in (SOURCE, TARGET)),
        notes=("The probe learnt the recovered trigger: it flips 98.0% of clean samples",),
        commands=("bezoar scan signs --seed 7 --out scan",),
        stages=(StageTime("look at samples", 6.2), StageTime("train the probe", 48.5), StageTime("detect", 12.4)),
        versions=(("bezoar", "0.1.0"), ("torch", "2.13.0")),
    )


def odd_part(name: str) -> OddPart:
    """Three samples of a class that stand out and are no finding."""
    whole = finding(pictures=3)
    return OddPart(
        name,
        "what is odd there shows what its label says",
        tuple(one.id for one in whole.suspects[:3]),
        replace(flip_test(), by_source=()),
        "A network that never met them gives 95% of the suspects their label.",
        whole.pictures,
    )


def suspicious_scan() -> ScanRecord:
    """The detectors fired, and nothing could be proven."""
    unproven = replace(
        finding(strength="suspicious"),
        reason="spectral-residual, shared-pixels and activation-clustering fired on this class",
        trigger=NO_TRIGGER,
        flip_test=NO_TEST,
        contributors=(),
    )
    return replace(
        sample_scan(found=(unproven,)),
        verdict="suspicious",
        reason="Three detectors fired on one class; no trigger was recovered",
        notes=(),
    )


def quiet_scan() -> ScanRecord:
    """Nothing was found."""
    return replace(
        sample_scan(found=()),
        verdict="no evidence",
        reason="No detector fired on any class",
        signals=signals(SIGNS, None),
        projection=points(SIGNS, suspicious=0),
        histograms=(),
        remarks=(),
        notes=(),
    )


def inconclusive_scan() -> ScanRecord:
    """Nothing could be checked."""
    return replace(
        quiet_scan(),
        verdict="inconclusive",
        reason="Every class has fewer than 30 samples",
        model=None,
        budget="quick",
        signals=(),
        projection=(),
        detectors=tuple(DetectorRun(name, 0.0, Skipped(f"{name} needs 30 samples a class")) for name in DETECTORS),
        commands=(),
        stages=(),
    )


def large_scan(count: int = 10_000) -> ScanRecord:
    """One finding with very many suspects, all of them pictured, and a projection of as many points."""
    big = finding(count=count, pictures=60)
    return replace(
        sample_scan(found=(replace(big, pictures=big.pictures * (count // 60)),)),
        projection=points(SIGNS, count, count // 10),
    )


def hostile_scan(name: str) -> ScanRecord:
    """The sample scan with `name` in every text that data or a user supply."""
    names = (name, f"{name}-target", *SIGNS[2:])
    skipped = Skipped(name)
    suspect = Suspect(name, name, 0.9, name, name, ((name, 0.9),), name)
    shown = replace(picture(1, name, sticker=True), alt=name)
    signal = ClassSignal(name, name, 9.0, 1e-9, 1e-7, True)
    one = Finding(
        fingerprint=name,
        strength="confirmed",
        target=name,
        sources=(name,),
        reason=name,
        suspects=(suspect, replace(suspect, id=f"0123456789abcdef:{name}")),
        signals=(signal,),
        trigger=RecoveredTrigger("blend", name, shown, ((shown, shown),)),
        flip_test=FlipTest(rate(9, 10), rate(0, 10), name, 3, 0.001, (SourceFlips(name, skipped, rate(0, 5)),), name),
        content=name,
        contributors=(Contributor(name, 1, 2, 0.5),),
        atlas=(name,),
        remedies=(name,),
        pictures=(SuspectPicture(name, 0.9, shown, shown, name),),
        covers=(Covers(name, (name,)),),
    )
    base = sample_scan(found=(one, replace(one, trigger=skipped, flip_test=skipped, strength="suspicious")))
    data = replace(dataset(name, names, 60), digest=name, skipped=(name,))
    return replace(
        base,
        title=name,
        created=name,
        reason=name,
        false_alarm=name,
        dataset=data,
        trusted=replace(data, skipped=()),
        model=name,
        remarks=(Remark("label errors", name, 2, ((name, name),)),),
        detectors=(DetectorRun(name, 1.0, cut=2.0), DetectorRun(f"{name}-2", 0.0, skipped)),
        signals=(signal,),
        projection=tuple(replace(point, class_name=name) for point in base.projection[:30]) + base.projection[30:60],
        histograms=(replace(histogram(name, name)),),
        notes=(name,),
        commands=(name,),
        stages=(StageTime(name, 1.0),),
        versions=((name, name),),
    )
