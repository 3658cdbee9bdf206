"""A million 32x32 images: made, opened, poisoned, scanned in one pass, in memory that does not grow with them.

    python benchmarks/million_images.py [--images N] [--memory-share S]

Makes an .npz file (about 3 GB for a million) in the temporary folder, or in BEZOAR_CACHE, and removes it at
the end. With a memory share below the size of the data, images are mapped: what counts is anonymous memory
(RssAnon), for mapped pages are the system's to drop. Sample ids, labels and the truth are in memory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from bezoar.attacks.dirty.dirty_label import DirtyLabel
from bezoar.data import Dataset, open_data
from bezoar.data.memory import physical_memory, scratch_folder
from bezoar.triggers.patch import Patch

SIDE, CHANNELS, CLASSES, CHUNK = 32, 3, 10, 10_000


def anonymous_memory() -> int:
    """Bytes of anonymous memory of this process (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell RssAnon; run on Linux")


class Sampler:
    """The highest anonymous memory since the last reset, looked at every 10 ms."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def reset(self) -> None:
        self.peak = anonymous_memory()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self.peak = max(self.peak, anonymous_memory())


@contextmanager
def stage(name: str, sampler: Sampler) -> Iterator[None]:
    """Time a stage and print its seconds and peak anonymous memory."""
    sampler.reset()
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    peak = max(sampler.peak, anonymous_memory())
    print(f"{name:<28}{seconds:>9.1f} s{peak / 2**20:>12,.0f} MiB anonymous at most", flush=True)


def make(path: Path, images: int) -> None:
    """Write noisy images of ten classes to an uncompressed .npz file, a chunk at a time."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, images)
    shape = (images, SIDE, SIDE, CHANNELS)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for start in range(0, images, CHUNK):
                rows = labels[start : start + CHUNK]
                noise = generator.integers(0, 156, (len(rows), *shape[1:]), dtype=np.uint8)
                noise += (rows * 10).astype(np.uint8)[:, None, None, None]
                file.write(noise.data)
        with archive.open("labels.npy", "w") as file:
            np.save(file, labels)


def scan(data: Dataset) -> tuple[float, list[int]]:
    """One pass over all batches: the mean pixel and the samples of each class."""
    total, counts = 0, torch.zeros(CLASSES, dtype=torch.int64)
    for inputs, labels in data.batches(4096):
        total += int(inputs.sum(dtype=torch.int64))
        counts += torch.bincount(labels, minlength=CLASSES)
    return total / data.inputs.numel(), counts.tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument(
        "--memory-share", type=float, default=0.02, help="share of memory above which images are mapped"
    )
    options = parser.parse_args()
    size = options.images * SIDE * SIDE * CHANNELS
    limit = options.memory_share * physical_memory()
    print(f"{options.images:,} images, {size / 2**20:,.0f} MiB of pixels; mapped above {limit / 2**20:,.0f} MiB")
    print(f"before                      {'':>11}{anonymous_memory() / 2**20:>12,.0f} MiB anonymous")
    warnings.simplefilter("ignore")  # a saturation warning, should there be one, is not the point here
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        run(Path(folder) / "million.npz", options.images, options.memory_share)


def run(path: Path, images: int, memory_share: float) -> None:
    """All stages."""
    sampler = Sampler()
    with stage("make the file", sampler):
        make(path, images)
    with stage("open it", sampler):
        data = open_data(path, memory_share=memory_share)
    with stage("poison 1%, in place of", sampler):
        attack = DirtyLabel(
            trigger=Patch(), target="1", sources=("0",), rate=0.01, placement="replace", memory_share=memory_share
        )
        poisoned = attack.poison(data, seed=0)
    with stage("scan in one pass", sampler):
        mean, counts = scan(poisoned.data)
    sampler.stop()
    print(f"{len(poisoned.truth.samples):,} poisons; mean pixel {mean:.3f}; samples by class {counts}")
    print(f"processor cores: {os.cpu_count()}")


if __name__ == "__main__":
    main()
