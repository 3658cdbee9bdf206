"""Statistics and detectors on evidence that stays on disk: time that grows as the rows do, memory that hardly does.

    python benchmarks/large_evidence.py [--rows 50000 500000 5000000] [--without-detectors] [--results FILE]

Rows of 64 columns in ten classes, float16, go block by block into a store in a temporary folder (128 bytes a row; in
BEZOAR_CACHE if that is set), which is removed at the end. One row in a hundred is planted: labelled as class 0, with
the features of another class, and a shift of its own. Every size runs in a fresh process. With --results, finished
sizes are kept in that file, and a second call goes on from there.

Printed of each stage: seconds by the clock and of the processor, the latter in microseconds a row, and by how much
memory exceeded at most what was in use when the stage began: all of it (RSS, with mapped pages of the file) and what is
the process's own; for all stages together, what was in use when labels were there. The answer and what is held of each
row, such as scores and ids, are part of it. The AUROC is that of the planted among the rows of their class.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil

from bezoar.data.memory import scratch_folder
from bezoar.detect.numerics.eigen import leading_directions
from bezoar.detect.numerics.moments import blocks, moments, moments_by_part
from bezoar.detect.numerics.ridge import Ridge, cross_fit, folds_of, own_label
from bezoar.detect.scores import SAMPLE_DETECTORS, Scores
from bezoar.evidence import Evidence
from bezoar.evidence.sheets import Writer
from bezoar.evidence.store import Store
from bezoar.metrics.detection import auroc

COLUMNS, CLASSES, PLANTED, CHUNK, SEED = 64, 10, 0.01, 1 << 16, 0
DETECTORS = ("spectral", "scan")


@dataclass(frozen=True)
class Line:
    """One stage at one size."""

    rows: int
    stage: str
    seconds: float
    processor: float
    rss: int
    own: int
    auroc: float | None


class Memory:
    """The highest memory since it was begun, looked at every 5 ms: resident, and resident but not mapped from files."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._base = self._peak = self._now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> tuple[int, int]:
        """By how many bytes each was exceeded."""
        self._stop.set()
        self._thread.join()
        self._look()
        return self._peak[0] - self._base[0], self._peak[1] - self._base[1]

    def _now(self) -> tuple[int, int]:
        info = self._process.memory_info()
        return info.rss, info.rss - getattr(info, "shared", 0)

    def _look(self) -> None:
        now = self._now()
        self._peak = max(self._peak[0], now[0]), max(self._peak[1], now[1])

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self._look()


def labels_and_planted(rows: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(SEED)
    labels = generator.integers(0, CLASSES, rows)
    planted = generator.random(rows) < PLANTED
    labels[planted] = 0
    return labels, planted


def features(labels: np.ndarray, planted: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks of correlated features whose class means are hardly apart, as in spectral residuals, and a clear shift."""
    generator = np.random.default_rng(SEED + 1)
    mixing = generator.standard_normal((COLUMNS, COLUMNS), dtype=np.float32) / COLUMNS**0.5
    means = 0.1 * generator.standard_normal((CLASSES, COLUMNS), dtype=np.float32)
    shift = generator.standard_normal(COLUMNS, dtype=np.float32)
    shift *= 6 / np.linalg.norm(shift)
    for start in range(0, len(labels), CHUNK):
        turn = slice(start, start + CHUNK)
        looks = np.where(planted[turn], generator.integers(1, CLASSES, len(labels[turn])), labels[turn])
        noise = generator.standard_normal((len(looks), COLUMNS), dtype=np.float32) @ mixing
        yield start, means[looks] + noise + planted[turn, None] * shift


def stored(root: Path, labels: np.ndarray, planted: np.ndarray) -> np.memmap:
    def make(writer: Writer) -> None:
        sheet = writer.allocate("features", (len(labels), COLUMNS))
        for start, block in features(labels, planted):
            sheet[start : start + len(block)] = block

    return Store(root).get_or_make({"benchmark": "large_evidence", "rows": len(labels), "seed": SEED}, make)["features"]


def spectral_by_class(matrix: np.memmap, labels: np.ndarray) -> np.ndarray:
    """Squared projection on the leading direction of the own class: one pass for all classes, one to score."""
    found = moments_by_part(matrix, labels, CLASSES, labels, CLASSES)
    directions = np.stack([leading_directions(part.covariance, 1).vectors[:, 0] for part in found]).astype(np.float32)
    means = np.stack([part.means[label] for label, part in enumerate(found)]).astype(np.float32)
    scores = np.empty(len(labels), dtype=np.float32)
    for rows, block in blocks(matrix):
        own = labels[rows]
        scores[rows] = np.einsum("ij,ij->i", block - means[own], directions[own]) ** 2
    return scores


def ridge(matrix: np.memmap, labels: np.ndarray) -> np.ndarray:
    folds = folds_of((f"row/{number}" for number in range(len(labels))), 2, seed=SEED)
    return cross_fit(matrix, labels, CLASSES, folds, ridge=Ridge(balanced=True), keep=own_label(labels))


def detector(name: str, evidence: Evidence) -> np.ndarray | None:
    found = SAMPLE_DETECTORS.create(name).score(evidence, seed=SEED)
    return found.values if isinstance(found, Scores) else None


def measure(rows: int, root: str, detectors: bool) -> list[Line]:
    """All stages at one size."""
    labels, planted = labels_and_planted(rows)
    lines: list[Line] = []
    whole, begun, busy_before = Memory(), time.perf_counter(), time.process_time()

    def stage(name: str, work: Callable[[], object]) -> object:
        gc.collect()
        memory, start, busy = Memory(), time.perf_counter(), time.process_time()
        result = work()
        seconds, processor = time.perf_counter() - start, time.process_time() - busy
        rss, own = memory.stop()
        told = auroc(result[labels == 0], planted[labels == 0]) if is_scores(result) else None
        lines.append(Line(rows, name, seconds, processor, rss, own, told if isinstance(told, float) else None))
        return result

    def is_scores(result: object) -> bool:
        return isinstance(result, np.ndarray) and not isinstance(result, np.memmap) and result.shape == (rows,)

    matrix = stage("drawn and written to the store", lambda: stored(Path(root), labels, planted))
    stage("found in the store", lambda: stored(Path(root), labels, planted))
    stage("moments, leading directions", lambda: leading_directions(moments(matrix, labels, CLASSES).covariance, 8))
    stage("cross-fitted ridge, two passes", lambda: ridge(matrix, labels))
    stage("spectral by class, two passes", lambda: spectral_by_class(matrix, labels))
    if detectors:
        ids = stage("ids as text", lambda: tuple(f"row/{number}" for number in range(rows)))
        names = tuple(map(str, range(CLASSES)))
        evidence = Evidence(ids, labels, names, layers={"features": matrix})
        for name in known_detectors():
            stage(f"detector {name}", lambda name=name: detector(name, evidence))
    seconds, processor = time.perf_counter() - begun, time.process_time() - busy_before
    return [*lines, Line(rows, "all of it", seconds, processor, *whole.stop(), None)]


def known_detectors() -> list[str]:
    import bezoar.detect.samples  # noqa: F401  importing registers

    return [name for name in DETECTORS if name in SAMPLE_DETECTORS.names()]


def printed(lines: list[Line]) -> None:
    for line in lines:
        told = "" if line.auroc is None else f"{line.auroc:.4f}"
        print(
            f"{line.rows:>10,} {line.stage:<32}{line.seconds:>8.2f} s{line.processor:>8.2f} s busy"
            f"{1e6 * line.processor / line.rows:>7.2f} us/row"
            f"{line.rss / 2**20:>8,.0f} MiB RSS{line.own / 2**20:>8,.0f} MiB own  {told}",
            flush=True,
        )


def growth(lines: list[Line]) -> None:
    """Processor time for each row at the largest size against that at the smallest."""
    sizes = sorted({line.rows for line in lines})
    first, last = ({line.stage: line for line in lines if line.rows == size} for size in (sizes[0], sizes[-1]))
    print(f"\n{sizes[-1]:,} rows against {sizes[0]:,} ({sizes[-1] / sizes[0]:g} times as many):")
    for name in (name for name in first if name in last and first[name].processor > 0.01):
        ratio = last[name].processor / last[name].rows / (first[name].processor / first[name].rows)
        print(f"  {name:<32} time a row x {ratio:.2f}")


def finished(path: Path | None) -> list[Line]:
    if path is None or not path.exists():
        return []
    return [Line(**json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[50_000, 500_000, 5_000_000])
    parser.add_argument("--without-detectors", action="store_true", help="only the statistics that merge")
    parser.add_argument("--results", type=Path, help="a file of JSON lines to keep finished sizes in")
    options = parser.parse_args()
    lines = finished(options.results)
    printed(lines)
    for rows in options.rows:
        if any(line.rows == rows for line in lines):
            continue
        with tempfile.TemporaryDirectory(dir=scratch_folder(), prefix="bezoar-large-") as root:
            check_room(Path(root), rows)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
                new = fresh.submit(measure, rows, root, not options.without_detectors).result()
        printed(new)
        lines += new
        if options.results:
            with options.results.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(line)) + "\n" for line in new)
    growth(lines)
    print(
        f"\nprocessor cores: {os.cpu_count()}, threads: {os.environ.get('OMP_NUM_THREADS', 'as the system has them')}"
    )


def check_room(folder: Path, rows: int) -> None:
    needed, free = 2 * COLUMNS * rows + (1 << 28), shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(f"{folder} has {free:,} bytes free and {needed:,} are needed; set BEZOAR_CACHE elsewhere")


if __name__ == "__main__":
    main()
