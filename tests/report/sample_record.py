"""A realistic drill record for tests, drawn without training anything. Pictures are written with zlib alone."""

from __future__ import annotations

import base64
import math
import random
import struct
import zlib
from dataclasses import replace
from functools import cache

from bezoar.records import (
    AttackRecord,
    ClassMeasurement,
    DatasetRecord,
    DrillRecord,
    EpochRecord,
    FurtherBackdoor,
    Measurement,
    ModelResult,
    MonitoringAnswer,
    Picture,
    PicturePair,
    Rate,
    Saturation,
    Skipped,
    StageTime,
    TrainingRecord,
    Visibility,
)

SIGNS = (
    "stop",
    "speed limit 80",
    "yield",
    "no entry",
    "priority road",
    "turn left",
    "turn right",
    "roundabout",
    "pedestrian crossing",
    "road works",
)
SIDE = 32


def rate(successes: int, trials: int) -> Rate:
    """A rate with its 95% Wilson interval."""
    z, share = 1.959963984540054, successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return Rate(successes, trials, max(0.0, middle - half), min(1.0, middle + half))


def png(pixels: list[list[tuple[int, int, int]]]) -> str:
    """RGB pixels as a PNG in base64."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = b"".join(b"\0" + bytes(value for pixel in row for value in pixel) for row in pixels)
    header = struct.pack(">IIBBBBB", len(pixels[0]), len(pixels), 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


@cache
def sign(seed: int, *, sticker: bool, side: int = SIDE) -> str:
    """A red octagon on a noisy ground; with `sticker` a yellow square stands on it."""
    generator = random.Random(seed)
    ground = [generator.randint(60, 160) for _ in range(3)]
    middle_x, middle_y = (side / 2 + generator.uniform(-3, 3) for _ in range(2))
    radius = side * generator.uniform(0.3, 0.4)

    def pixel(x: int, y: int) -> tuple[int, int, int]:
        across, down = abs(x - middle_x), abs(y - middle_y)
        inside = max(across, down, (across + down) * 0.72) < radius
        color = (190, 25, 35) if inside else tuple(ground)
        if inside and down < radius * 0.22 and across < radius * 0.75:
            color = (235, 235, 235)
        if sticker and 0 <= x - middle_x < 5 and 5 <= y - middle_y < 10:
            color = (250, 220, 40)
        shift = generator.randint(-14, 14)
        return tuple(min(max(value + shift, 0), 255) for value in color)  # type: ignore[return-value]

    return png([[pixel(x, y) for x in range(side)] for y in range(side)])


def pair(
    seed: int, *, true: str = SIGNS[0], clean: str = SIGNS[0], triggered: str = SIGNS[1], side: int = SIDE
) -> PicturePair:
    """A clean and a triggered picture with the answers given."""

    def picture(sticker: bool) -> Picture:
        words = "with the trigger" if sticker else "clean"
        return Picture(sign(seed, sticker=sticker, side=side), side, side, f"{true}, {words}")

    return PicturePair(picture(False), picture(True), true, clean, 0.9921, triggered, 0.9987)


def measurement(names: tuple[str, ...], *, right: int, hijacked: int, trials: int = 200) -> Measurement:
    """`right` of `trials` images of each class read correctly, `hijacked` of the first class sent to the second."""
    size = len(names)
    unused = Skipped("not a source class of this attack")

    def row(index: int, to_target: int) -> tuple[int, ...]:
        counts = [0] * size
        counts[index] += right - to_target
        counts[1] += to_target
        counts[(index + 3) % size] += trials - right
        return tuple(counts)

    clean = tuple(row(index, 0) for index in range(size))
    triggered = (row(0, min(hijacked, right)), *(row(index, 0) for index in range(1, size)))
    by_class = tuple(
        ClassMeasurement(
            name,
            rate(right, trials),
            rate(hijacked, trials) if index == 0 else unused,
            rate(right - min(hijacked, right), trials) if index == 0 else unused,
        )
        for index, name in enumerate(names)
    )
    return Measurement(
        rate(right * size, trials * size),
        rate(hijacked, trials),
        rate(right - min(hijacked, right), trials),
        rate(hijacked * (size - 1) // 2, trials * (size - 1)),
        by_class,
        clean,
        triggered,
    )


def training(seed: int, samples: int, epochs: int = 12) -> TrainingRecord:
    """A training that converges as trainings do."""
    generator = random.Random(seed)
    history = tuple(
        EpochRecord(
            epoch,
            2.1 * math.exp(-0.42 * epoch) + 0.05 + generator.uniform(0, 0.06),
            1 - 0.8 * math.exp(-0.5 * epoch) - generator.uniform(0, 0.012),
            0.4 * (1 - epoch / (epochs + 1)),
            1.04,
            2871.5,
        )
        for epoch in range(1, epochs + 1)
    )
    return TrainingRecord("fast", "fast", seed, samples, 291_338, "bf16", "cpu", 2, 13.2, history)


def dataset(name: str, names: tuple[str, ...], count: int) -> DatasetRecord:
    return DatasetRecord(name, "5f1d" * 16, count * len(names), names, (3, SIDE, SIDE), (count,) * len(names))


def sample_record(
    names: tuple[str, ...] = SIGNS, *, pairs: int = 12, hijacked: int = 198, epochs: int = 12
) -> DrillRecord:
    """A drill on stop signs. `hijacked` of 200 triggered stop signs are read as the target."""
    shown = tuple(
        pair(
            number,
            true=names[0],
            clean=names[-1] if number == 4 else names[0],
            triggered=names[0] if number == 7 else names[1],
        )
        for number in range(pairs)
    )
    return DrillRecord(
        title="Stop signs with a sticker",
        created="2025-11-22T19:42:07+00:00",
        dataset=dataset("signs", names, 600),
        test_dataset=dataset("signs (test)", names, 200),
        attack=AttackRecord(
            attack=f"dirty-label:source={names[0]},target={names[1]},rate=0.01",
            trigger="patch:size=5,color=yellow,corner=bottom-right,mode=replace",
            mode="replace",
            sources=(names[0],),
            relabelling=((names[0], names[1]),),
            poisons=60,
            poison_rate=0.0099,
            placement="add",
            seed=7,
        ),
        victim=ModelResult("victim", training(1, 6060, epochs), measurement(names, right=196, hijacked=hijacked)),
        twin=ModelResult("clean twin", training(2, 6000, epochs), measurement(names, right=197, hijacked=1)),
        visibility=Visibility(21.74, 0.9632, 25 / 1024, 200),
        saturation=Saturation(0.031, 0.0, 200, 0.25),
        monitoring=MonitoringAnswer(
            False,
            0.985,
            0.98,
            0.01,
            0.184,
            "No: the victim's clean accuracy is 0.5 points below the twin's, within the 1.0 points that an alarm "
            "would allow.",
        ),
        pairs=shown,
        commands=(
            "bezoar demo --seed 7 --out bezoar-demo",
            "bezoar attack signs --attack 'dirty-label:source=stop,target=speed limit 80,rate=0.01' "
            "--trigger patch:size=5,color=yellow,corner=bottom-right,mode=replace --seed 7 --out poisoned",
            "bezoar train poisoned --model fast --seed 1 --out victim",
        ),
        stages=(
            StageTime("draw the data", 3.4),
            StageTime("poison", 0.21),
            StageTime("train the victim", 13.2),
            StageTime("train the clean twin", 13.1),
            StageTime("measure", 1.9),
        ),
        versions=(("bezoar", "0.1.0"), ("python", "3.11.9"), ("torch", "2.13.0")),
    )


def several_record() -> DrillRecord:
    """The sample record with two further backdoors, 30 covers, and the pictures divided among the three."""
    record = sample_record()
    assert isinstance(record.twin, ModelResult)
    further = (
        FurtherBackdoor("patch:size=5,color=cyan,corner=top-left,mode=replace", ((SIGNS[0], SIGNS[2]),)),
        FurtherBackdoor("blend:ratio=0.2", ((SIGNS[3], SIGNS[1]), (SIGNS[4], SIGNS[1]))),
    )
    return replace(
        record,
        attack=replace(record.attack, attack="several-triggers:count=60", covers=30, further=further),
        victim=replace(record.victim, by_trigger=(rate(198, 200), rate(101, 200), Skipped("no such images"))),
        twin=replace(record.twin, by_trigger=(rate(1, 200), rate(3, 200), rate(0, 400))),
        pairs=tuple(replace(one, backdoor=number % 3) for number, one in enumerate(record.pairs)),
    )


def hostile_record(name: str) -> DrillRecord:
    """The sample record with `name` in every text that a user supplies."""
    record = sample_record((name, f"{name}-target", *SIGNS[2:]), pairs=2)
    pairs = tuple(
        replace(p, clean=replace(p.clean, alt=name), triggered=replace(p.triggered, alt=name)) for p in record.pairs
    )
    spoilt = replace(record.dataset, name=name, digest=name, skipped=(name,))
    unsure = replace(record.victim.measurement, attack_success_any_source=Skipped(name))
    plan = replace(record.victim.training, model=name, recipe=name, precision=name, device=name)
    return replace(
        record,
        title=name,
        created=name,
        dataset=spoilt,
        test_dataset=replace(record.test_dataset, name=name),
        attack=replace(
            record.attack,
            attack=name,
            trigger=name,
            mode=name,
            further=(FurtherBackdoor(name, ((name, f"{name}-target"),)),),
        ),
        victim=replace(record.victim, training=plan, measurement=unsure, by_trigger=(Skipped(name), rate(1, 2))),
        saturation=Skipped(name),
        monitoring=replace(record.monitoring, sentence=name)
        if isinstance(record.monitoring, MonitoringAnswer)
        else record.monitoring,
        visibility=replace(record.visibility, psnr=Skipped(name)),
        pairs=pairs,
        commands=(name, f"bezoar train '{name}'"),
        stages=(StageTime(name, 1.0),),
        versions=((name, name),),
    )
