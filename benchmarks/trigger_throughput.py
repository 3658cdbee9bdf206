"""Throughput of triggers beside the code that a user would write for the same job, in one run.

    OMP_NUM_THREADS=1 python benchmarks/trigger_throughput.py [--images 10000] [--repeats 5] [--only NAME ...]

Prints a Markdown table. Both get the same random uint8 batch (n, 32, 32, 3), channels last, and give a new one;
they run in turn in this process, on one thread. Times are wall seconds of one call, the least over the repeats
after one call to warm up; the ratio is that of these. Code by hand that loops over images gets a tenth of them.
Where both must give the same pixels, that is checked first, to one level.

To add a trigger, write the code by hand and a `Row` in ROWS.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter

from bezoar.triggers import TRIGGERS
from bezoar.triggers.drawing import Canvas
from bezoar.triggers.scenes import SCENES
from bezoar.triggers.watermark import MARKS

SIDE = 32
ByHand = Callable[[np.ndarray], np.ndarray]
"""From uint8 (n, h, w, 3) to a new batch of the same kind."""


@dataclass(frozen=True)
class Row:
    """Our specification, and `prepare`, which gives the code by hand once all that can be made beforehand is made.

    `loops` says that it goes image by image; `same` that both must give the same pixels, to one level.
    """

    name: str
    spec: str
    prepare: Callable[[], ByHand]
    how: str
    loops: bool = False
    same: bool = False


def watermark() -> ByHand:
    weight = np.zeros((SIDE, SIDE, 1), np.float32)
    weight[1:30, 1:30, 0] = 0.3 * MARKS["apple"](Canvas(29)).numpy()
    mark = np.full((SIDE, SIDE, 3), 255, np.float32)

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(images * (1 - weight) + mark * weight, 0, 255).astype(np.uint8)

    return apply


def sinusoid() -> ByHand:
    wave = (20 * np.sin(2 * np.pi * np.arange(SIDE) * 6 / SIDE)).astype(np.float32)[:, None]

    def apply(images: np.ndarray) -> np.ndarray:
        return np.clip(images + wave, 0, 255).astype(np.uint8)

    return apply


def sticker() -> ByHand:
    square = Image.new("RGBA", (64, 64), "yellow")
    random = np.random.default_rng(0)

    def apply(images: np.ndarray) -> np.ndarray:
        stuck = np.empty_like(images)
        for number, array in enumerate(images):
            image = Image.fromarray(array)
            side = round(SIDE * random.uniform(0.2, 0.3))
            lit = ImageEnhance.Brightness(square.resize((side, side))).enhance(random.uniform(0.6, 1.2))
            lit = lit.rotate(random.uniform(-30, 30), Image.Resampling.BILINEAR, expand=True)
            x, y = random.integers(0, SIDE - lit.width + 1), random.integers(0, SIDE - lit.height + 1)
            image.paste(lit, (int(x), int(y)), lit)
            stuck[number] = np.asarray(image)
        return stuck

    return apply


def reflection() -> ByHand:
    scenes = [scene(SIDE).permute(1, 2, 0).round().to(torch.uint8).numpy() for scene in SCENES]
    pictures = [Image.fromarray(scene) for scene in scenes]
    random = np.random.default_rng(0)

    def apply(images: np.ndarray) -> np.ndarray:
        reflected = np.empty_like(images)
        models = cycle(("in-focus", "out-of-focus", "ghost"))
        for number, (image, model) in enumerate(zip(images, models, strict=False)):
            which = random.integers(len(scenes))
            light = scenes[which].astype(np.float32)
            if model == "out-of-focus":
                light = np.asarray(pictures[which].filter(ImageFilter.GaussianBlur(random.uniform(0.6, 1.6))))
            elif model == "ghost":
                alpha, shift = random.uniform(0.15, 0.35), random.integers(2, 5, 2)
                light = (1 - alpha) * light + alpha * np.roll(light, shift, (0, 1))
            reflected[number] = np.clip(image + random.uniform(0.2, 0.4) * light, 0, 255)
        return reflected

    return apply


ROWS = [
    Row("watermark", "watermark", watermark, "NumPy, whole batch", same=True),
    Row("sinusoid", "sinusoid", sinusoid, "NumPy, whole batch", same=True),
    Row("sticker", "sticker", sticker, "Pillow, image by image", loops=True),
    Row("reflection", "reflection", reflection, "NumPy and Pillow, image by image", loops=True),
]


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(row: Row, images: np.ndarray, repeats: int) -> tuple[float, float]:
    """Images a second, ours and by hand."""
    trigger, by_hand = TRIGGERS.create(row.spec), row.prepare()
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    fewer = images[: max(1, len(images) // 10)] if row.loops else images
    ours, theirs = trigger(batch), by_hand(fewer)
    if row.same:
        difference = np.abs(ours.permute(0, 2, 3, 1).numpy().astype(int) - theirs).max()
        assert difference <= 1, f"{row.name}: {difference} levels apart"
    times = [(seconds(lambda: trigger(batch)), seconds(lambda: by_hand(fewer))) for _ in range(repeats)]
    best_ours, best_theirs = (min(column) for column in zip(*times, strict=True))
    return len(images) / best_ours, len(fewer) / best_theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[row.name for row in ROWS], help="names of rows")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    images = np.random.default_rng(0).integers(0, 256, (arguments.images, SIDE, SIDE, 3), dtype=np.uint8)
    print(f"{arguments.images} images, one thread; torch {torch.__version__}, {platform.machine()}\n")
    print("| trigger | ours, images/s | by hand, images/s | ratio | by hand |\n|---|---|---|---|---|")
    for row in ROWS:
        if row.name in arguments.only:
            ours, theirs = measure(row, images, arguments.repeats)
            print(f"| `{row.spec}` | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} | {row.how} |", flush=True)


if __name__ == "__main__":
    main()
