"""Activation clustering and spectral signatures beside those of ART 1.20.1, on the same features, in one run.

    OMP_NUM_THREADS=1 python benchmarks/detectors_beside_art.py [--samples 50000] [--width 512] [--features FILE.npz]

Prints a Markdown table. Without --features the features are made up: ten classes, and 1% of all samples poison in one
of them, or half as many samples as the class has. FILE.npz holds `features` (n, d), `labels` (n,) and `poison` (n,).

Both get the same float32 features in the same process, in turn. ART reads them through a model that gives back its
input, 128 at a time, as it reads those of any model; the time of that alone is shown, and the second ratio leaves it
out. ART's options are its defaults, but for a second row of activation clustering with the paper's reduction by
independent components: ours finds the clusters of those without computing them. ART's activation defence gives flags,
which count as scores of 0 and 1; its spectral signatures give scores for what they flag, and so are called once more,
unmeasured, with the options that flag everything. Rates are over all samples; `flags on clean` is the share of clean
samples, of poisoned and of clean data, that it flags with its defaults. Ours leave cuts to a calibration; shown is the
plain rule of a valley deeper than 0.5 and a score above 0, and nothing for the detector that only ranks.
"""

from __future__ import annotations

import argparse
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bezoar.detect.samples.activation_clustering import ActivationClustering
from bezoar.detect.samples.spectral import SpectralSignatures
from bezoar.detect.scores import Scores
from bezoar.evidence import Evidence
from bezoar.metrics.detection import auroc, tpr_at_fpr
from bezoar.records import OperatingPoint

CLASSES = 10
VALLEY = 0.5


@dataclass(frozen=True)
class Features:
    """Features (n, d), labels (n,), and which samples are poison (n,)."""

    name: str
    rows: np.ndarray
    labels: np.ndarray
    poison: np.ndarray

    @property
    def clean(self) -> Features:
        """The same without the poison."""
        kept = ~self.poison
        return Features(f"{self.name}, clean", self.rows[kept], self.labels[kept], self.poison[kept])


@dataclass(frozen=True)
class Answer:
    """Scores (n,), flags (n,) or None, wall seconds, and how many of them went into reading features by a model."""

    scores: np.ndarray
    flags: np.ndarray | None
    seconds: float
    reading: float = 0.0


def made_up(name: str, samples: int, width: int, poison: int, seed: int) -> Features:
    """Classes as clouds that vary in few directions, cut at 0 as by a rectifier; poison has a direction of its own."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, samples)
    centres = generator.normal(0, 1.0, (CLASSES, width))
    mixing = generator.normal(size=(30, width)) / np.sqrt(30)
    rows = (
        centres[labels] + generator.normal(size=(samples, 30)) @ mixing + 0.3 * generator.normal(size=(samples, width))
    )
    chosen = generator.choice(np.flatnonzero(labels == 3), poison, replace=False)
    trigger = generator.normal(0, 1.0, width)
    rows[chosen] += 0.5 * (centres[generator.integers(0, CLASSES, poison)] - centres[3]) + 0.7 * trigger
    is_poison = np.isin(np.arange(samples), chosen)
    return Features(name, np.maximum(rows, 0).astype(np.float32), labels.astype(np.int64), is_poison)


def ours(detector: ActivationClustering | SpectralSignatures, data: Features) -> Answer:
    """Our scores; flags by the rule of the docstring."""
    names = tuple(str(label) for label in range(int(data.labels.max()) + 1))
    ids = tuple(str(row) for row in range(len(data.labels)))
    evidence = Evidence(ids, data.labels, names, layers={"features": data.rows})
    started = time.perf_counter()
    found = detector.score(evidence, seed=0)
    seconds = time.perf_counter() - started
    assert isinstance(found, Scores)
    assert found.classes is not None
    by_rule = (found.classes[data.labels] > VALLEY) & (found.values > 0)
    return Answer(found.values, by_rule if isinstance(detector, ActivationClustering) else None, seconds)


def art_model(data: Features) -> object:
    """A classifier of ART whose only layer gives back its input."""
    from art.estimators.classification import PyTorchClassifier

    model = torch.nn.Sequential(torch.nn.Identity())
    classes = int(data.labels.max()) + 1
    return PyTorchClassifier(
        model,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=(data.rows.shape[1],),
        nb_classes=classes,
        device_type="cpu",
    )


def reading(data: Features) -> float:
    """Seconds that ART takes to read the features through the model."""
    model = art_model(data)
    started = time.perf_counter()
    model.get_activations(data.rows, layer=0, batch_size=128)  # type: ignore[attr-defined]
    return time.perf_counter() - started


def art_clustering(data: Features, reduce: str = "PCA") -> Answer:
    """ART's activation defence with its defaults, or with another reduction: FastICA is the paper's."""
    from art.defences.detector.poison import ActivationDefence

    defence = ActivationDefence(art_model(data), data.rows, np.eye(int(data.labels.max()) + 1)[data.labels])
    started = time.perf_counter()
    _, is_clean = defence.detect_poison(reduce=reduce)
    flags = np.asarray(is_clean) == 0
    return Answer(flags.astype(float), flags, time.perf_counter() - started, reading(data))


def art_spectral(data: Features) -> Answer:
    """ART's spectral signatures: flags and time with its defaults, scores with all flagged."""
    from art.defences.detector.poison import SpectralSignatureDefense

    one_hot = np.eye(int(data.labels.max()) + 1)[data.labels]
    started = time.perf_counter()
    _, is_clean = SpectralSignatureDefense(art_model(data), data.rows, one_hot).detect_poison()
    seconds = time.perf_counter() - started
    everything = SpectralSignatureDefense(
        art_model(data), data.rows, one_hot, expected_pp_poison=1.0, eps_multiplier=1.0
    )
    report, _ = everything.detect_poison()
    scores = np.array([report[row] for row in range(len(data.labels))])
    return Answer(scores, np.asarray(is_clean) == 0, seconds, reading(data))


def told(answer: Answer, on_clean: Answer, data: Features) -> str:
    """AUROC, TPR at 1% FPR, and the share of clean samples flagged in poisoned and in clean data."""
    area, point = auroc(answer.scores, data.poison), tpr_at_fpr(answer.scores, data.poison, 0.01)
    assert isinstance(point, OperatingPoint)
    hits = getattr(point.tpr, "value", float("nan"))
    flags = "ranks only"
    if answer.flags is not None and on_clean.flags is not None:
        flags = f"{answer.flags[~data.poison].mean():.1%}, {on_clean.flags.mean():.1%}"
    return f"{area:.3f} | {hits:.2f} | {flags}"


def rows_of_table(data: Features, repeats: int) -> list[str]:
    """Two lines for each method."""
    pairs: list[tuple[str, Callable[[Features], Answer], Callable[[Features], Answer]]] = [
        ("activation clustering", lambda part: ours(ActivationClustering(), part), art_clustering),
        (
            "the same, ART with the paper's ICA",
            lambda part: ours(ActivationClustering(), part),
            lambda part: art_clustering(part, "FastICA"),
        ),
        ("spectral signatures", lambda part: ours(SpectralSignatures(), part), art_spectral),
    ]
    lines = []
    for method, mine, arts in pairs:
        runs = [(mine(data), arts(data)) for _ in range(repeats)]
        first, second = runs[0]
        best_mine = min(run[0].seconds for run in runs)
        best_art = min(run[1].seconds for run in runs)
        ratios = f"{best_art / best_mine:.1f}, {(best_art - second.reading) / best_mine:.1f}"
        lines.append(
            f"| {data.name} | {method} | bezoar | {best_mine:.2f} | {ratios} | {told(first, mine(data.clean), data)} |"
        )
        lines.append(
            f"| | | ART | {best_art:.2f} ({second.reading:.2f} reading) | | {told(second, arts(data.clean), data)} |"
        )
    return lines


def read(path: Path) -> Features:
    """Features from a file."""
    with np.load(path, allow_pickle=False) as stored:
        rows, labels, poison = (stored[name] for name in ("features", "labels", "poison"))
    return Features(path.stem, rows.astype(np.float32), labels.astype(np.int64), poison.astype(bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--features", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    n, width = arguments.samples, arguments.width
    sets = [read(path) for path in arguments.features] or [
        made_up("1% of all", n, width, n // 100, 0),
        made_up("half a class", n, width, n // 2 // CLASSES, 1),
    ]
    print(f"One thread; torch {torch.__version__}, numpy {np.__version__}, {platform.machine()}\n")
    print("| features | method | by | seconds | ratio, without reading | AUROC | TPR at 1% FPR | flags on clean |")
    print("|---|---|---|---|---|---|---|---|")
    for data in sets:
        print("\n".join(rows_of_table(data, arguments.repeats)), flush=True)


if __name__ == "__main__":
    main()
