"""Poisoning throughput and memory: our triggers beside the perturbations of ART, in one run.

    python benchmarks/poisoning_throughput.py [--images 50000] [--art-insert-images 2000] [--repeats 5] [--json FILE]

Every case runs in a fresh process, ours and ART's in turn. Both stamp the same random CIFAR-size batch:
uint8 NHWC for pixel and checkerboard (ours as its channels-last view, with the same value); float32 in 0..1
for the image insert, since ART's insert destroys uint8; ours is timed on uint8 as well. Both return a new
batch and leave the given one alone. ART's insert is timed on fewer images and scaled, as it takes minutes.
Time: wall seconds of one call, minimum and median over the repeats after one call to warm up. Memory: peak
resident set of the first call in the process, less that just before it, the resulting batch included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

CASES = ("pixel", "checkerboard", "insert", "insert at random", "insert uint8")
SIDE = 32
STICKER = 8


def trigger_of(case: str, sticker: str) -> Callable[[np.ndarray], object]:
    """Our trigger as a function of an NHWC array."""
    import torch

    from bezoar.triggers import Checkerboard, ImageInsert, SinglePixel

    random = case == "insert at random"
    trigger = {"pixel": SinglePixel, "checkerboard": Checkerboard}.get(case, lambda: None)() or ImageInsert(
        sticker, mode="RGB", random=random, x_shift=0 if random else 4, y_shift=0 if random else 6
    )
    return lambda array: trigger(torch.from_numpy(array).permute(0, 3, 1, 2))


def perturbation_of(case: str, sticker: str) -> Callable[[np.ndarray], object]:
    """ART's perturbation with the same settings."""
    import warnings

    warnings.simplefilter("ignore")
    from art.attacks.poisoning import perturbations as art

    if case == "pixel":
        return lambda array: art.add_single_bd(array, pixel_value=255)
    if case == "checkerboard":
        return lambda array: art.add_pattern_bd(array, pixel_value=255)
    place = {"random": True} if case == "insert at random" else {"random": False, "x_shift": 4, "y_shift": 6}
    return lambda array: art.insert_image(array, backdoor_path=sticker, mode="RGB", **place)


def status_mib(field: str) -> float:
    """VmRSS (resident now) or VmHWM (its peak) of this process in MiB. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {field} in /proc/self/status")


def measure(who: str, case: str, images: int, repeats: int, sticker: str) -> dict[str, object]:
    """Time and memory of one case, in this process."""
    function = (trigger_of if who == "bezoar" else perturbation_of)(case, sticker)
    array = np.random.default_rng(0).integers(0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8)
    if case in ("insert", "insert at random"):
        array = (array / np.float32(255)).astype(np.float32)
    function(array[:64])
    # Writing 5 there sets the peak back to what is resident now.
    Path("/proc/self/clear_refs").write_text("5")
    before = status_mib("VmRSS")
    function(array)
    memory = status_mib("VmHWM") - before
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(array)
        seconds.append(time.perf_counter() - start)
    return {"who": who, "case": case, "images": images, "seconds": seconds, "mib": memory}


def measure_apart(who: str, case: str, images: int, repeats: int, sticker: str) -> dict[str, object]:
    """The same in a fresh process."""
    words = [sys.executable, __file__, "--one", who, case, str(images), str(repeats), sticker]
    return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


def compare(case: str, arguments: argparse.Namespace, sticker: str) -> dict[str, object]:
    """Ours and ART's for one case, scaled to the same number of images."""
    row: dict[str, object] = {"case": case}
    for who in ("bezoar", "art"):
        if who == "art" and case == "insert uint8":
            continue
        scaled = who == "art" and case.startswith("insert")
        count = min(arguments.images, arguments.art_insert_images) if scaled else arguments.images
        found = measure_apart(who, case, count, 1 if scaled else arguments.repeats, sticker)
        factor = arguments.images / count
        row[who] = {
            "min": min(found["seconds"]) * factor,
            "median": statistics.median(found["seconds"]) * factor,
            "mib": found["mib"] * factor,
            "measured_on": count,
        }
    return row


def table(rows: list[dict[str, object]], images: int) -> str:
    """The rows as Markdown."""
    lines = [
        f"| trigger, {images:,} images | who | min s | median s | images/s (median) | peak extra MiB | ART s / ours |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        for who in ("bezoar", "art"):
            if who not in row:
                continue
            found = row[who]
            ratio = f"{row['art']['median'] / found['median']:.1f}" if who == "bezoar" and "art" in row else ""
            star = "" if found["measured_on"] == images else f" (scaled from {found['measured_on']:,})"
            lines.append(
                f"| {row['case']} | {who}{star} | {found['min']:.3f} | {found['median']:.3f} "
                f"| {images / found['median']:,.0f} | {found['mib']:.0f} | {ratio} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Run every case and print the table."""
    if sys.argv[1:2] == ["--one"]:
        who, case, images, repeats, sticker = sys.argv[2:]
        print(json.dumps(measure(who, case, int(images), int(repeats), sticker)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--art-insert-images", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sticker = str(Path(folder) / "sticker.png")
        values = np.random.default_rng(1).integers(0, 256, (STICKER, STICKER, 4), dtype=np.uint8)
        Image.fromarray(values).save(sticker)
        rows = [compare(case, arguments, sticker) for case in CASES]
    print(table(rows, arguments.images))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
