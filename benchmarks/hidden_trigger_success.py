"""How often the hidden trigger works, in the setting of ART's notebook, beside a control without any poison.

    BEZOAR_DATA=... python benchmarks/hidden_trigger_success.py --surrogate RUN_FOLDER --pair cat/deer --seeds 3

The notebook: a network trained on CIFAR-10 (77% there); 50 poisons of the target class, eps 16/255, matched at the
input of the last layer; then all layers frozen and the last one trained anew on 2,500 images, 250 of each class, the
poisons among them, with the optimizer and the rates used here; an 8x8 patch at (19, 19). It reaches 71.8% on cat to
deer, in one run. Here every pair and seed has its own trigger (4x4 random colours, enlarged to 8x8, as in the paper),
poisons and fine-tuning images; `--random` puts the patch at random places, in the attack and in the test, as the
paper does. Its own setting, a victim of two classes, is about

    --pair-only --per-class 1500 --poisons 800 --random

`--notebook FOLDER` takes the notebook's network from there, and trains it first where it is not, plainly: no shifts, no
weight decay, no label smoothing, all of which leave features in which a trigger has no room. That takes half an hour
on a processor, and this folder must be on PYTHONPATH.

Fine-tuning more than the last layer: `--layer NAME` matches features there, and `--tune PREFIX`, given once or more,
names the parameters that the victim goes on training, from the weights they have. For a run folder of `fast`:

    --surrogate RUN_FOLDER --layer stages.1 --tune stages.2 --tune head

The control is fine-tuned on the same images before they were poisoned. The correlation is that of the poisons'
changes with the trigger's pattern, at the place where the two are most alike, in standard deviations from that of 40
patterns drawn the same way.
"""

from __future__ import annotations

import argparse
import copy
import functools
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from bezoar.attacks import HiddenTrigger, Poisoned
from bezoar.attacks.base import unheard
from bezoar.attacks.learning.features import features_at, find_layer
from bezoar.attacks.learning.surrogate import is_brought_along, surrogate_model
from bezoar.data import Dataset, open_data
from bezoar.drill.evaluate import evaluate
from bezoar.errors import SaturationWarning
from bezoar.training import MODEL_FILE, ModelCard, Recipe, save_model, train
from bezoar.training.batches import to_unit_range
from bezoar.triggers import TRIGGERS, Trigger

SIDE = 8
EPOCHS, BATCH, RATE, FALLS = 20, 128, 0.5, (5, 10, 15)
TUNING_RATE = 0.05
NOTEBOOK = "hidden_trigger_success:notebook_network"
PLAINLY = Recipe(epochs=9, batch_size=128, learning_rate=0.02, weight_decay=0.0, shift=0)


def notebook_network(classes: int) -> nn.Module:
    """The network of the notebook, with its normalisation, and weights that start it quickly."""
    layers: list[nn.Module] = [Normalised()]
    for inward, outward, stride, pool in (
        (3, 64, 2, True), (64, 192, 1, True), (192, 384, 1, False), (384, 256, 1, False), (256, 256, 1, True),
    ):  # fmt: skip
        layers += [nn.Conv2d(inward, outward, 3, stride, 1), nn.ReLU()]
        layers += [nn.MaxPool2d(3, 2)] if pool else []
    layers += [nn.Flatten(), nn.Dropout(), nn.Linear(256, 4096), nn.ReLU()]
    layers += [nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes)]
    for layer in layers[:-1]:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(*layers)


def notebook_run(folder: Path, data: Dataset) -> str:
    """The folder of the notebook's network, trained there unless it is; a training that was stopped goes on."""
    if not (folder / MODEL_FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = folder / "checkpoint.safetensors"
        trained = train(data, model=NOTEBOOK, recipe=PLAINLY, seed=0, checkpoint=checkpoint, resume=True)
        save_model(trained.model, ModelCard(NOTEBOOK, data.class_names, data.shape), folder / MODEL_FILE)
    return str(folder)


class Normalised(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        mean, deviation = x.new_tensor([0.4914, 0.4822, 0.4465]), x.new_tensor([0.2023, 0.1994, 0.201])
        return (x - mean[:, None, None]) / deviation[:, None, None]


def drawn_pattern(seed: int) -> Image.Image:
    colours = np.random.default_rng([seed, 77]).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def drawn_trigger(folder: Path, seed: int, place: str) -> Trigger:
    path = folder / f"trigger{seed}.png"
    drawn_pattern(seed).save(path)
    return TRIGGERS.create(f"patch:shape=picture,picture={path},size={SIDE},{place}")


def fine_tuning_ids(poisoned: Poisoned, classes: list[int], per_class: int, seed: int) -> dict[str, str]:
    """Ids in the poisoned data of so many samples of each class, all poisons among them, and their ids before."""
    generator = np.random.default_rng([seed, 78])
    chosen = {one.id: one.original_id for one in poisoned.truth.samples}
    target = poisoned.data.class_index(poisoned.truth.samples[0].label)
    for label in classes:
        rows = np.flatnonzero(poisoned.data.labels.numpy() == label)
        free = [poisoned.data.ids[row] for row in rows if poisoned.data.ids[row] not in poisoned.truth.ids]
        wanted = per_class - (len(poisoned.truth.samples) if label == target else 0)
        chosen |= {name: name for name in generator.choice(sorted(free), wanted, replace=False).tolist()}
    return chosen


def fine_tuned(model: nn.Module, data: Dataset, seed: int) -> nn.Module:
    """A copy whose last linear layer is learnt anew, all else frozen."""
    tuned = copy.deepcopy(model)
    with features_at(tuned) as read, torch.no_grad():
        features = torch.cat([read(to_unit_range(batch)) for batch, _ in data.batches(500)])
    head = find_layer(tuned, None).requires_grad_(True)
    generator = torch.Generator().manual_seed(seed)
    for parameter in head.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.01)
    optimizer = torch.optim.SGD(head.parameters(), lr=RATE, momentum=0.9, weight_decay=2e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, FALLS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(features), generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(head(features[rows]), data.labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return tuned


def tuned_from(model: nn.Module, data: Dataset, seed: int, prefixes: tuple[str, ...]) -> nn.Module:
    """A copy whose parameters of these names are trained further, all else frozen, batch norm's statistics too."""
    tuned = copy.deepcopy(model).eval().requires_grad_(False)
    chosen = [parameter for name, parameter in tuned.named_parameters() if name.startswith(prefixes)]
    optimizer = torch.optim.SGD([one.requires_grad_(True) for one in chosen], TUNING_RATE, 0.9, weight_decay=2e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, FALLS)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(data), generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(tuned(to_unit_range(data.inputs[rows])), data.labels[rows]).backward()
            optimizer.step()
        schedule.step()
    return tuned


def windows(images: Tensor) -> Tensor:
    cut = F.unfold(images.float(), SIDE).transpose(1, 2)
    cut = cut - cut.mean(dim=2, keepdim=True)
    return cut / cut.norm(dim=2, keepdim=True).clamp_min(1e-6)


def visible(changes: Tensor, seed: int) -> tuple[float, float, float]:
    """Correlation of the changes with the trigger and with other patterns, and the first in deviations from those."""
    patterns = [drawn_pattern(other) for other in [seed, *range(1000, 1040)]]
    arrays = torch.stack([torch.from_numpy(np.array(pattern)).permute(2, 0, 1) for pattern in patterns])
    alike = (windows(changes) @ windows(arrays)[:, 0].T).amax(1).mean(0)
    return float(alike[0]), float(alike[1:].mean()), float((alike[0] - alike[1:].mean()) / alike[1:].std())


def one_run(
    data: Dataset,
    test: Dataset,
    model: nn.Module,
    attack: HiddenTrigger,
    seed: int,
    per_class: int,
    pair_only: bool,
    tune: Callable[[nn.Module, Dataset, int], nn.Module],
) -> tuple[list[float], tuple[float, float, float], float]:
    """Clean accuracy, success, and success of the control, in per cent; the visibility of the trigger; seconds."""
    begun = time.perf_counter()
    poisoned = attack.poison(data, seed=seed)
    seconds = time.perf_counter() - begun
    pair = next(iter(poisoned.backdoors[0].relabelling.items()))
    classes = list(pair) if pair_only else list(range(len(data.class_names)))
    ids = fine_tuning_ids(poisoned, classes, per_class, seed)
    tuned = tune(model, poisoned.data.select(poisoned.data.positions(ids)), seed)
    control = tune(model, data.select(data.positions(ids.values())), seed)
    known = test.select(torch.isin(test.labels, torch.tensor(classes)))
    found, without = (evaluate(one, known, poisoned.backdoors).measurement for one in (tuned, control))
    new = poisoned.data.inputs[poisoned.data.positions([one.id for one in poisoned.truth.samples])]
    old = data.inputs[data.positions([one.original_id for one in poisoned.truth.samples])]
    figures = [found.clean_accuracy, found.attack_success, without.attack_success]
    return [100 * figure.value for figure in figures], visible(new.int() - old.int(), seed), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surrogate", default="fast", help="a run folder, a module, or what to train")
    parser.add_argument("--notebook", type=Path, help="folder of the notebook's network, in place of --surrogate")
    parser.add_argument("--surrogate-epochs", type=int, default=6)
    parser.add_argument("--pair", action="append", help="source/target, cat/deer unless given")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--random", action="store_true", help="the patch at random places")
    parser.add_argument("--pair-only", action="store_true", help="fine-tune and test on the two classes alone")
    parser.add_argument("--per-class", type=int, default=250)
    parser.add_argument("--poisons", type=int, default=50)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--layer", help="where features are matched; the input of the last layer unless given")
    parser.add_argument("--tune", action="append", help="parameters to train further; else the last layer, anew")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SaturationWarning)
    cifar = Path(os.environ["BEZOAR_DATA"]) / "cifar10"
    data, test = open_data(cifar), open_data(cifar, split="test")
    given = {"iterations": arguments.iterations, "layer": arguments.layer}
    options = {name: value for name, value in given.items() if value is not None}
    prefixes = tuple(arguments.tune or ())
    tune = functools.partial(tuned_from, prefixes=prefixes) if prefixes else fine_tuned
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        surrogate = notebook_run(arguments.notebook, data) if arguments.notebook else arguments.surrogate
        model = surrogate_model(
            data, surrogate, epochs=arguments.surrogate_epochs, seed=0, device="cpu", progress=unheard
        )
        if not is_brought_along(surrogate):
            save_model(model, ModelCard(surrogate, data.class_names, data.shape), folder / "model.safetensors")
            surrogate = str(folder / "model.safetensors")
        columns = ("pair", "seed", "clean", "success", "control", "correlation", "with others", "deviations", "seconds")
        print("| " + " | ".join(columns) + " |\n" + "| --- " * len(columns) + "|", flush=True)
        successes = []
        for pair in arguments.pair or ["cat/deer"]:
            source, target = pair.split("/")
            for seed in range(arguments.seeds):
                trigger = drawn_trigger(folder, seed, "random=true" if arguments.random else "x=19,y=19")
                attack = HiddenTrigger(
                    trigger=trigger, target=target, sources=(source,), count=arguments.poisons, surrogate=surrogate,
                    device="cpu", **options,
                )  # fmt: skip
                figures, alike, seconds = one_run(
                    data, test, model, attack, seed, arguments.per_class, arguments.pair_only, tune
                )
                successes.append(figures[1])
                cells = [f"{figure:.1f}" for figure in figures] + [f"{figure:.2f}" for figure in alike]
                print(f"| {pair} | {seed} | " + " | ".join(cells) + f" | {seconds:.0f} |", flush=True)
        print(f"\nmean success {np.mean(successes):.1f}, {min(successes):.1f} to {max(successes):.1f}")


if __name__ == "__main__":
    main()
