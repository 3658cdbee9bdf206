"""Data without a backdoor, on which a scan must stay silent: the false-alarm suite.

Every case follows from its name and a seed. Cases of a kind are all for choosing thresholds (`calibration`) or all for
reporting only; which kinds are which was settled before any scan ran on them.
"""

from __future__ import annotations

from typing import Final

from bezoar.bench.honest.bases import Base, Drawn, Rows
from bezoar.bench.honest.case import HonestCase
from bezoar.bench.honest.changes import (
    Contributors,
    Duplicated,
    Grey,
    LabelNoise,
    LongTail,
    MergedClasses,
    Resized,
    SplitClasses,
)
from bezoar.bench.honest.characters import Characters
from bezoar.bench.honest.looks import ByClass, Look
from bezoar.errors import UsageError, did_you_mean


def honest_case(name: str) -> HonestCase:
    """The case of this name. Raises UsageError for another."""
    by_name = {case.name: case for case in HONEST_CASES}
    if name not in by_name:
        raise UsageError(f"there is no honest case {name!r}", remedy=did_you_mean(name, by_name))
    return by_name[name]


def _rows() -> list[HonestCase]:
    sizes = {2_000: "ab", 5_000: "abc", 10_000: "ab", 25_000: "a", 50_000: "a"}
    return [
        HonestCase(f"rows-{size}-{letter}", "rows", f"{size:,} random images of CIFAR-10", Rows(size))
        for size, letters in sizes.items()
        for letter in letters
    ]


def _class_subsets() -> list[HonestCase]:
    return [
        HonestCase(
            f"{classes}-classes-{letter}",
            "class subset",
            f"{classes} random classes of CIFAR-10",
            Rows(50_000, classes),
        )
        for classes, letters in ((2, "abc"), (3, "ab"), (5, "ab"))
        for letter in letters
    ]


def _merged() -> list[HonestCase]:
    kind, twelve = "merged classes", Rows(12_000)
    pairs = "classes of CIFAR-10 by twos under one name: half of a class is unlike the rest"
    return [
        *(HonestCase(f"merged-pairs-{letter}", kind, pairs, twelve, (MergedClasses(2),)) for letter in "ab"),
        HonestCase("merged-threes", kind, "nine classes of CIFAR-10 by threes", twelve, (MergedClasses(3),)),
        HonestCase("merged-once", kind, "two classes of CIFAR-10 under one name", twelve, (MergedClasses(2, 1),)),
        HonestCase("merged-fives", kind, "two classes of five kinds each", Rows(10_000), (MergedClasses(5),)),
    ]


def _drawn() -> list[HonestCase]:
    return [
        HonestCase(
            f"{name}-{samples}", "drawn", f"{samples:,} drawn pictures of the set {name}", Drawn((name,), samples)
        )
        for name in ("signs", "faces", "documents", "aircraft")
        for samples in (1_500, 5_000)
    ]


def _noisy() -> list[HonestCase]:
    cases = []
    for pairwise, kind in ((False, "uniform label noise"), (True, "pairwise label noise")):
        for rate, base, of in (
            (0.05, Rows(10_000), "10,000 of CIFAR-10"),
            (0.2, Rows(10_000), "10,000 of CIFAR-10"),
            (0.2, Rows(25_000), "25,000 of CIFAR-10"),
            (0.05, Drawn(("signs",), 2_000), "2,000 drawn signs"),
        ):
            size = base.samples if base.needs_cifar else "signs"
            name = f"noise-{'pairwise' if pairwise else 'uniform'}-{rate:g}-{size}"
            what = f"{rate:.0%} of the labels wrong, {'the next' if pairwise else 'any other'} class, {of}"
            cases.append(HonestCase(name, kind, what, base, (LabelNoise(rate, pairwise),), label_noise=rate))
    return cases


def _sizes() -> list[HonestCase]:
    whole, ten = Rows(50_000), Rows(10_000)
    small = "300 images in all"
    return [
        HonestCase("tail-10", "long tail", "class sizes falling 10:1, of CIFAR-10", whole, (LongTail(10),)),
        HonestCase("tail-100", "long tail", "class sizes falling 100:1, of CIFAR-10", whole, (LongTail(100),)),
        HonestCase("tail-10-small", "long tail", "class sizes falling 10:1, of 10,000", ten, (LongTail(10),)),
        HonestCase("tail-100-small", "long tail", "class sizes falling 100:1, of 10,000", ten, (LongTail(100),)),
        HonestCase(
            "step-10", "step imbalance", "half of the classes a tenth as large", whole, (LongTail(10, step=True),)
        ),
        HonestCase(
            "step-100", "step imbalance", "half of the classes a hundredth as large", whole, (LongTail(100, step=True),)
        ),
        HonestCase("few-cifar", "few images", f"{small}, CIFAR-10", Rows(300)),
        HonestCase("few-signs", "few images", f"{small}, drawn signs", Drawn(("signs",), 300)),
        HonestCase("few-classes", "few images", f"{small}, 3 classes of CIFAR-10", Rows(300, 3)),
        HonestCase(
            "100-classes-25000", "100 classes", "CIFAR-10 classes split by colour", Rows(25_000), (SplitClasses(),)
        ),
        HonestCase("100-classes-50000", "100 classes", "CIFAR-10 classes split by colour", whole, (SplitClasses(),)),
        HonestCase(
            "40-classes-drawn",
            "100 classes",
            "all drawn sets in one",
            Drawn(("signs", "faces", "documents", "aircraft"), 1_200, 32),
        ),
        HonestCase("grey-cifar", "greyscale", "CIFAR-10 in grey", Rows(10_000), (Grey(),)),
        HonestCase("grey-aircraft", "greyscale", "drawn aircraft in grey", Drawn(("aircraft",), 2_000), (Grey(),)),
        HonestCase("large-cifar", "224x224", "CIFAR-10 enlarged to 224x224", Rows(600), (Resized(224),)),
        HonestCase("large-faces", "224x224", "drawn faces enlarged to 224x224", Drawn(("faces",), 400, 224)),
        HonestCase(
            "large-2-classes", "224x224", "2 classes of CIFAR-10 enlarged to 224x224", Rows(1_000, 2), (Resized(224),)
        ),
    ]


def _marked() -> list[HonestCase]:
    ten, five = Rows(10_000), Rows(5_000)
    cases = []
    for look, kind in (("logo", "mark"), ("timestamp", "mark"), ("border", "border"), ("coloured border", "border")):
        short = look.replace(" ", "-")
        cases += [
            HonestCase(f"{short}-all", kind, f"a {look} on every image", ten, (Look(look),)),
            HonestCase(f"{short}-half", kind, f"a {look} on a random half of all images", ten, (Look(look, 0.5),)),
        ]
    for look in ("logo", "border", "timestamp"):
        what = f"a {look} on half of one class, labels right"
        changes = (Look(look, 0.5, classes=1),)
        cases.append(HonestCase(f"{look}-one-class", "mark on one class", what, ten, changes, one_class_mark=True))
    cases.append(
        HonestCase("logo-faces", "mark", "a logo on every drawn face", Drawn(("faces",), 2_000), (Look("logo"),))
    )
    for look in ("patch", "warp", "stripes"):
        what = f"a trigger's {look} on a random tenth of all images, labels right"
        cases.append(HonestCase(f"benign-{look}", "trigger as augmentation", what, ten, (Look(look, 0.1),)))
    return [
        *cases,
        HonestCase("erasing-half", "erasing", "random erasing on half of the images", ten, (Look("erasing", 0.5),)),
        HonestCase("erasing-all", "erasing", "random erasing on every image", five, (Look("erasing"),)),
        HonestCase(
            "crop-and-flip", "crop and flip", "every image moved, half of them mirrored", ten, (Look("crop and flip"),)
        ),
    ]


def _sourced() -> list[HonestCase]:
    ten = Rows(10_000)
    cases = [
        HonestCase(
            f"{'near' if near else 'exact'}-duplicates-{rate:g}",
            "duplicates",
            f"{rate:.0%} of the images again, {'changed a little' if near else 'as they are'}",
            ten,
            (Duplicated(rate, near),),
        )
        for near in (False, True)
        for rate in (0.05, 0.2)
    ]
    by_class, by_source = "look by class", "look by contributor"
    return [
        *cases,
        HonestCase("jpeg-all", "same JPEG for all", "every image coded at quality 75", ten, (Look("jpeg"),)),
        HonestCase("jpeg-by-class", by_class, "JPEG quality 30 to 95, by class", ten, (ByClass("jpeg", (30, 95)),)),
        HonestCase(
            "jpeg-by-class-mild", by_class, "JPEG quality 75 to 95, by class", ten, (ByClass("jpeg", (75, 95)),)
        ),
        HonestCase("blur-by-class", by_class, "blur of 0 to 1 pixel, by class", ten, (ByClass("blur", (0, 1)),)),
        HonestCase(
            "brightness-by-class",
            by_class,
            "brightness 0.7 to 1.3, by class",
            ten,
            (ByClass("brightness", (0.7, 1.3)),),
        ),
        HonestCase("jpeg-by-source", by_source, "8 contributors, each its JPEG quality", ten, (Contributors("jpeg"),)),
        HonestCase(
            "brightness-by-source", by_source, "8 contributors, each its brightness", ten, (Contributors("brightness"),)
        ),
    ]


STYLED: Final = (
    ("inverted", "characters", 0.3, 1),
    ("inverted", "characters", 0.15, 3),
    ("inverted", "CIFAR-10", 0.2, 1),
    ("inverted", "CIFAR-10", 0.3, 3),
    ("inverted", "signs", 0.25, 1),
    ("grey paper", "characters", 0.3, 1),
    ("grey paper", "documents", 0.3, 1),
    ("noisy", "CIFAR-10", 0.35, 1),
    ("ruled paper", "characters", 0.3, 1),
    ("close-up", "characters", 0.3, 1),
    ("close-up", "CIFAR-10", 0.3, 2),
    ("close-up", "signs", 0.3, 2),
    ("sideways", "characters", 0.25, 2),
    ("sideways", "CIFAR-10", 0.3, 1),
    ("sideways", "documents", 0.2, 2),
    ("bold", "characters", 0.35, 1),
    ("outlined", "characters", 0.25, 1),
    ("outlined", "CIFAR-10", 0.2, 1),
    ("night", "characters", 0.2, 3),
    ("night", "CIFAR-10", 0.3, 1),
    ("night", "signs", 0.3, 1),
    ("hazy", "characters", 0.4, 1),
    ("hazy", "CIFAR-10", 0.3, 3),
    ("monochrome", "CIFAR-10", 0.4, 1),
    ("monochrome", "faces", 0.35, 1),
    ("sepia", "CIFAR-10", 0.25, 1),
    ("sepia", "aircraft", 0.1, 1),
    ("demosaiced", "CIFAR-10", 0.15, 1),
    ("sharpened", "CIFAR-10", 0.1, 1),
    ("enlarged", "CIFAR-10", 0.3, 1),
    ("coarse", "characters", 0.3, 1),
    ("coarse", "CIFAR-10", 0.3, 1),
)
"""Looks on a part of one or several classes: the look, what it is on, the share of those classes, and how many."""


def _styled() -> list[HonestCase]:
    bases: dict[str, Base] = {"characters": Characters(2_200), "CIFAR-10": Rows(5_000)}
    return [
        HonestCase(
            f"style-{look.replace(' ', '-')}-{on.partition('-')[0].lower()}-{classes}",
            f"style: {look}",
            f"{share:.0%} of {f'{classes} classes' if classes > 1 else 'one class'} {look}, {on}",
            bases.get(on) or Drawn((on,), 1_600),
            (Look(look, share, classes=classes),),
        )
        for look, on, share, classes in STYLED
    ]


HONEST_CASES: Final[tuple[HonestCase, ...]] = (
    *_rows(),
    *_class_subsets(),
    *_merged(),
    *_drawn(),
    *_noisy(),
    *_sizes(),
    *_marked(),
    *_sourced(),
    *_styled(),
)
"""All cases, in the order in which they are run."""
