"""Throughput of triggers beside the code that a user would write for the same job, in one run.

    OMP_NUM_THREADS=1 python benchmarks/trigger_throughput.py [--images 10000] [--repeats 5] [--only NAME ...]

Prints a Markdown table. Both get the same random uint8 batch (n, 32, 32, 3), channels last, and give a new one;
they run in turn in this process, on one thread. Times are wall seconds of one call, the least over the repeats
after one call to warm up; the ratio is that of these. Code by hand that loops over images gets fewer of them.
Where both must give the same pixels, that is checked first, to one level.

To add a trigger, write the code by hand in by_hand.py and a `Row` in ROWS.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

import by_hand
import by_hand_learnt
from bezoar.triggers import TRIGGERS, Trigger
from bezoar.triggers.learnt import LearntTrigger

SIDE = by_hand.SIDE


@dataclass(frozen=True)
class Row:
    """Our specification, and `prepare`, which gives the code by hand once all that can be made beforehand is made.

    `one_in` says how many of the images it gets; `same` that both must give the same pixels, to one level.
    """

    name: str
    spec: str
    prepare: Callable[[], by_hand.ByHand]
    how: str
    one_in: int = 1
    same: bool = False

    def both(self) -> tuple[Trigger, by_hand.ByHand]:
        """Our trigger, and the code by hand."""
        return TRIGGERS.create(self.spec), self.prepare()


@dataclass(frozen=True)
class LearntRow:
    """A trigger that learns: `prepare` gives what was learnt, and the code by hand that uses it; same pixels."""

    name: str
    prepare: Callable[[], tuple[dict[str, torch.Tensor], by_hand.ByHand]]
    how: str
    one_in: int = 1
    same: bool = True

    @property
    def spec(self) -> str:
        """All fields at their defaults."""
        return self.name

    def both(self) -> tuple[Trigger, by_hand.ByHand]:
        """Our trigger, and the code by hand."""
        tensors, plain = self.prepare()
        trigger = TRIGGERS.create(self.name)
        assert isinstance(trigger, LearntTrigger)
        return trigger.with_tensors(tensors), plain


ROWS = [
    Row("patch", "patch:size=3,color=white,corner=bottom-right", by_hand.patch, "NumPy, whole batch", same=True),
    Row("blend", "blend", by_hand.blend, "NumPy, whole batch"),
    Row("corners", "corners", by_hand.corners, "NumPy, whole batch", same=True),
    Row("watermark", "watermark", by_hand.watermark, "NumPy, whole batch", same=True),
    Row("sinusoid", "sinusoid", by_hand.sinusoid, "NumPy, whole batch", same=True),
    Row("sticker", "sticker", by_hand.sticker, "Pillow, image by image", 10),
    Row("reflection", "reflection", by_hand.reflection, "NumPy and Pillow, image by image", 10),
    Row("wanet", "wanet", by_hand.warp, "PyTorch grid_sample, whole batch", same=True),
    Row("bpp", "bpp", by_hand.dither, "NumPy, pixel by pixel", 500, same=True),
    Row("ftrojan", "ftrojan", by_hand.frequency, "SciPy, image by image", 10, same=True),
    Row("pieces", "pieces", by_hand.pieces, "NumPy, whole batch"),
    LearntRow("low-frequency", by_hand_learnt.smooth, "NumPy, whole batch"),
    LearntRow("narcissus", by_hand_learnt.noise, "NumPy, whole batch"),
    LearntRow("trojan", by_hand_learnt.mark, "NumPy, whole batch"),
    LearntRow("weight-patching", by_hand_learnt.patch, "NumPy, whole batch"),
    LearntRow("sample-specific", by_hand_learnt.encoder, "PyTorch, the same network, 256 at a time", 5),
    LearntRow("input-aware", by_hand_learnt.generator, "PyTorch, the same networks, 256 at a time", 5),
]


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(row: Row | LearntRow, images: np.ndarray, repeats: int) -> tuple[float, float]:
    """Images a second, ours and by hand."""
    trigger, plain = row.both()
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    fewer = images[: max(1, len(images) // row.one_in)]
    ours, theirs = trigger(batch[: len(fewer)]), plain(fewer)
    if row.same:
        difference = np.abs(ours.permute(0, 2, 3, 1).numpy().astype(int) - theirs).max()
        assert difference <= 1, f"{row.name}: {difference} levels apart"
    times = [(seconds(lambda: trigger(batch)), seconds(lambda: plain(fewer))) for _ in range(repeats)]
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
