"""bezoar finds backdoors in machine-learning data and models, and plays the poisoner on your own data.

    from bezoar import create_attack, default_recipe, evaluate, open_data, train

    data, test = open_data("signs"), open_data("signs", split="test")
    attack = create_attack("patch:size=5,color=yellow", source=("stop",), target="speed limit 80", rate=0.02)
    poisoned = attack.poison(data, seed=0)
    victim = train(poisoned.data, recipe=default_recipe("fast"), seed=0)
    result = evaluate(victim.model, test, poisoned.backdoors)
    print(result.measurement.attack_success)

The rooms, from the bottom up: errors, records, truth, data, metrics, triggers and training, attacks, drill,
bench and report, cli.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bezoar.attacks import create_attack, load_truth, save_truth, undo
    from bezoar.data import Dataset, from_arrays, from_torch_dataset, open_data, write_data
    from bezoar.drill.evaluate import evaluate
    from bezoar.errors import BezoarError
    from bezoar.records import Skipped
    from bezoar.training import Recipe, default_recipe, load_model, predict_logits, save_model, train
    from bezoar.triggers import TRIGGERS

# Loaded when first used: whoever imports one room shall not load the attacks and the truth with it.
_PLACES = {
    "bezoar.attacks": ("create_attack", "load_truth", "save_truth", "undo"),
    "bezoar.data": ("Dataset", "from_arrays", "from_torch_dataset", "open_data", "write_data"),
    "bezoar.drill.evaluate": ("evaluate",),
    "bezoar.errors": ("BezoarError",),
    "bezoar.records": ("Skipped",),
    "bezoar.training": ("Recipe", "default_recipe", "load_model", "predict_logits", "save_model", "train"),
    "bezoar.triggers": ("TRIGGERS",),
}

__all__ = [
    "TRIGGERS",
    "BezoarError",
    "Dataset",
    "Recipe",
    "Skipped",
    "create_attack",
    "default_recipe",
    "evaluate",
    "from_arrays",
    "from_torch_dataset",
    "load_model",
    "load_truth",
    "open_data",
    "predict_logits",
    "save_model",
    "save_truth",
    "train",
    "undo",
    "write_data",
]


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})


def __getattr__(name: str) -> object:
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(place), name)
    raise AttributeError(f"module 'bezoar' has no attribute {name!r}")
