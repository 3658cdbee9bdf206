"""Models that several cells' attacks share, trained once on the clean data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bezoar.attacks.clean.label_consistent import HARDENED
from bezoar.attacks.learning.hardened import Hardened
from bezoar.bench.claims import alone
from bezoar.bench.config import ROBUST_SURROGATE, SURROGATE, SURROGATES, BenchConfig, twin_key
from bezoar.data.dataset import Dataset
from bezoar.registry import escaped
from bezoar.training import MODEL_FILE, ModelCard, build_model, save_model, train
from bezoar.training.listening import Listener
from bezoar.training.loop import statistics_sample

FOLDERS = {SURROGATE: "surrogate", ROBUST_SURROGATE: "robust-surrogate"}


def with_surrogates(attack: str, config: BenchConfig, out: Path) -> str:
    """The specification of an attack with the paths of its surrogates filled in."""
    for kind in SURROGATES:
        attack = attack.replace(kind, escaped(str(surrogate_path(kind, config, out))))
    return attack


def ready_surrogates(config: BenchConfig, kinds: Sequence[str], data: Dataset, out: Path, listener: Listener) -> None:
    """Train the surrogates of these kinds, unless they are there; another process may be at it."""
    for kind in kinds:
        path = surrogate_path(kind, config, out)
        with alone(path.parent):
            if not path.exists():
                _train(kind, config, data, path, listener)


def surrogate_path(kind: str, config: BenchConfig, out: Path) -> Path:
    """Where the surrogate of this kind is kept."""
    return out / f"{FOLDERS[kind]}-{twin_key(config, config.surrogate_seed)}" / MODEL_FILE


def _train(kind: str, config: BenchConfig, data: Dataset, path: Path, listener: Listener) -> None:
    listener.begins(FOLDERS[kind])
    spec, seed = config.train.model, config.surrogate_seed
    recipe = config.train.full_recipe()
    network = build_model(spec, classes=len(data.class_names), sample=statistics_sample(data.inputs), seed=seed)
    start = Hardened(network, eps=HARDENED, norm="linf", seed=seed) if kind == ROBUST_SURROGATE else network
    trained = train(data, model=spec, recipe=recipe, seed=seed, start=start, progress=listener.trains)
    save_model(network, ModelCard.of(spec, data), path)
    listener.ends(FOLDERS[kind], trained.record.seconds)
