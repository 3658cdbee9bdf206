"""What becomes of each repair when the clean set that it trusts holds the trigger, under the target's label.

    python benchmarks/repair_dirty_clean.py RESULTS.jsonl

Drawn road signs of 16 pixels a side, a patch at 5%, a small network; 600 clean samples, of which a share carries the
trigger and the target's label. Each method is given what it needs, the true trigger and the true suspects among it, and
nothing is sorted out first, as `bezoar repair` would. Goes on where it was stopped; prints the table in the end.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import torch

from bezoar.attacks import create_attack
from bezoar.data import open_data
from bezoar.data.dataset import Dataset
from bezoar.drill.evaluate import evaluate
from bezoar.records import Skipped
from bezoar.repair import REPAIRS, Given
from bezoar.repair.auto import CHEAP_FIRST
from bezoar.repair.checks.from_suspects import trigger_of_suspects
from bezoar.repair.checks.parts import sorted_out
from bezoar.training import default_recipe, train

SHARES, CLEAN, TARGET, SEED = (0.0, 0.01, 0.05, 0.2), 600, "yield", 0
METHODS = (*CHEAP_FIRST, "fine-tune")
PATCH = "patch:size=3,color=cyan,corner=bottom-right"
NETWORK = "fast:stem=8,widths=16/32"


class Stand:
    """The victim, its poisoned training data, clean samples and test samples."""

    def __init__(self) -> None:
        training, rest = (open_data("signs", split=part, size=16, fit="resize") for part in ("train", "test"))
        attack = create_attack(PATCH, target=TARGET, rate=0.05)
        self.poisoned = attack.poison(training, seed=SEED)
        self.data = replace(self.poisoned.data, mark=None)
        self.recipe = default_recipe("fast").with_changes(epochs=6, batch_size=128)
        self.model = train(self.data, model=NETWORK, recipe=self.recipe, seed=SEED, device="cpu").model
        order = torch.randperm(len(rest), generator=torch.Generator().manual_seed(SEED))
        self.clean, self.test = rest.select(order[:CLEAN]), rest.select(order[CLEAN:])
        self.target = training.class_index(TARGET)
        self.trigger = self.poisoned.backdoors[0].trigger

    def dirty(self, share: float) -> Dataset:
        """The clean set, of which this share carries the trigger under the target's label."""
        others = (self.clean.labels != self.target).nonzero().flatten()[: round(share * CLEAN)]
        inputs, labels = self.clean.inputs.clone(), self.clean.labels.clone()
        if len(others):
            inputs[others], labels[others] = self.trigger(inputs[others]), self.target
        return Dataset(inputs, labels, self.clean.class_names, self.clean.ids, name="clean")

    def given(self, share: float) -> Given:
        """What a repair is given: everything."""
        suspects = frozenset(self.poisoned.truth.poison_ids)
        return Given(self.dirty(share), self.data, suspects, self.trigger, self.target, recipe=self.recipe)

    def measured(self, model: torch.nn.Module) -> dict[str, float]:
        """Clean accuracy and attack success on test samples."""
        found = evaluate(model, self.test, self.poisoned.backdoors).measurement
        success = found.attack_success
        return {"accuracy": found.clean_accuracy.value, "asr": -1.0 if isinstance(success, Skipped) else success.value}


def one(stand: Stand, method: str, share: float) -> dict[str, object]:
    """A line of the results."""
    line: dict[str, object] = {"method": method, "share": share}
    if method == "none":
        return {**line, **stand.measured(stand.model)}
    if method == "noticed":
        return {**line, **noticed(stand, share)}
    started = time.perf_counter()
    found = REPAIRS.create(method).repair(stand.model, stand.given(share), seed=SEED, device="cpu")
    if isinstance(found, Skipped):
        return {**line, "skipped": found.reason}
    return {**line, **stand.measured(found.model), "seconds": round(time.perf_counter() - started, 1)}


def noticed(stand: Stand, share: float) -> dict[str, object]:
    """How many of the clean samples that carry the trigger a repair leaves out: by the true one, by the suspects'."""
    given = stand.given(share)
    blind = replace(given, trigger=None, target=None)
    recovered = trigger_of_suspects(stand.model, given.trusted, blind, seed=SEED)
    told = {"there": round(share * CLEAN), "by the true one": sorted_out(given).left_out}
    if isinstance(recovered, Skipped):
        return told
    own = replace(given, trigger=recovered.trigger, target=recovered.target, suspects=frozenset())
    return {**told, "by the suspects'": sorted_out(own).left_out}


def table(lines: dict[tuple[str, float], dict[str, object]]) -> str:
    """Markdown: a row for each method, clean accuracy and attack success at each share."""
    head = ["method", *(f"{share:.0%}" for share in SHARES)]
    rows = [[method, *(cell(lines[method, share]) for share in SHARES)] for method in ("none", *METHODS)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def cell(line: dict[str, object]) -> str:
    if "skipped" in line:
        return "not done"
    return f"{100 * float(line['accuracy']):.1f} / {100 * float(line['asr']):.1f}"  # type: ignore[arg-type]


def main(path: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    lines = {(entry["method"], entry["share"]): entry for entry in known}
    wanted = [(method, share) for method in ("none", "noticed", *METHODS) for share in SHARES]
    missing = [pair for pair in wanted if pair not in lines]
    stand = Stand() if missing else None
    for method, share in missing:
        assert stand is not None
        lines[method, share] = one(stand, method, share)
        with path.open("a") as file:
            file.write(json.dumps(lines[method, share]) + "\n")
        print(json.dumps(lines[method, share]), file=sys.stderr)
    print(table(lines))
    for share in SHARES:
        print(lines["noticed", share])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
