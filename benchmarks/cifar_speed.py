"""How fast `fast` learns CIFAR-10, beside the same network as a user would write its training by hand.

    BEZOAR_DATA=... python benchmarks/cifar_speed.py

Both run one after the other in this process on the same threads: bezoar's recipe, then the same network and
number of epochs in plain float32: contiguous float tensors, a DataLoader with random crops and flips, SGD with
momentum and a cosine schedule. Evaluation is without test-time augmentation and outside the measured time.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bezoar.data import Dataset, open_data
from bezoar.training import build_model, default_recipe, predict_logits, train
from bezoar.training.loop import statistics_sample


class HandWritten(TorchDataset[tuple[Tensor, int]]):
    """What a tutorial does: floats in memory, a crop and a flip for each image."""

    def __init__(self, data: Dataset) -> None:
        self.images = data.inputs.float().div(255).contiguous()
        self.labels = data.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = F.pad(self.images[row], (4, 4, 4, 4))
        down, right = torch.randint(0, 9, (2,)).tolist()
        image = image[:, down : down + 32, right : right + 32]
        return (image.flip(2) if torch.rand(()) < 0.5 else image), self.labels[row]


def train_by_hand(data: Dataset, model: str, epochs: int, seed: int) -> tuple[nn.Module, float]:
    torch.manual_seed(seed)
    network = build_model(model, classes=10, sample=statistics_sample(data.inputs), seed=seed)
    network = network.to(memory_format=torch.contiguous_format)
    loader = DataLoader(HandWritten(data), batch_size=128, shuffle=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    started = time.perf_counter()
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimizer.step()
        schedule.step()
    return network.eval(), time.perf_counter() - started


def accuracy(network: nn.Module, test: Dataset) -> float:
    return (predict_logits(network, test.inputs).argmax(1) == test.labels).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, help="the recipe's own otherwise")
    parser.add_argument("--hand-epochs", type=int, help="as many as --epochs otherwise")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--without-hand", action="store_true")
    arguments = parser.parse_args()
    folder = Path(os.environ["BEZOAR_DATA"]) / "cifar10"
    data, test = open_data(folder), open_data(folder, split="test")
    recipe = default_recipe(arguments.model).with_changes(epochs=arguments.epochs, flips=True)
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(
        "| training | precision | epochs | seconds | images/s | clean accuracy |\n| --- | --- | --- | --- | --- | --- |"
    )
    for seed in range(arguments.seeds):
        begun = time.perf_counter()
        trained = train(data, model=arguments.model, recipe=recipe, seed=seed)
        seconds = time.perf_counter() - begun
        speed = recipe.epochs * len(data) / seconds
        print(
            f"| bezoar `{arguments.model}`, seed {seed} | {trained.record.precision} | {recipe.epochs} "
            f"| {seconds:.0f} | {speed:,.0f} | {accuracy(trained.model, test):.2%} |",
            flush=True,
        )
    if not arguments.without_hand:
        epochs = arguments.hand_epochs or recipe.epochs
        network, by_hand = train_by_hand(data, arguments.model, epochs, 0)
        hand_speed = epochs * len(data) / by_hand
        print(
            f"| the same network by hand | float32 | {epochs} | {by_hand:.0f} | {hand_speed:,.0f} "
            f"| {accuracy(network, test):.2%} |\n\nratio of images/s: {speed / hand_speed:.2f}"
        )


if __name__ == "__main__":
    main()
