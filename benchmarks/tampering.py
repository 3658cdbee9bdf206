"""What tampering does to a clean CIFAR-10 model: clean accuracy, attack success and the answers that stay.

    BEZOAR_DATA=... python benchmarks/tampering.py [--run RUN ...] [--seeds 3]

For each seed a clean `fast` is trained, or the given run folders are taken; each tampering, with its defaults, gets
its samples from the training data and is measured on all 10,000 test images. ASR is the share of triggered test
images of the other classes that are taken for the target, by the model before and after. "kept" is the share of
clean test images whose answer is the same before and after. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
from torch import nn

from bezoar.attacks.tampering import TAMPERINGS, create_tampering
from bezoar.data import Dataset, open_data
from bezoar.training import default_recipe, load_model, predict_logits, train
from bezoar.triggers import Trigger


def measured(model: nn.Module, test: Dataset, trigger: Trigger, target: int) -> tuple[torch.Tensor, float]:
    """Clean answers, and the attack success rate."""
    others = test.inputs[test.labels != target]
    hits = sum(int((predict_logits(model, trigger(part)).argmax(1) == target).sum()) for part in others.split(1000))
    return predict_logits(model, test.inputs).argmax(1), hits / len(others)


def row(seed: int, spec: str, model: nn.Module, data: Dataset, test: Dataset, target: str) -> str:
    """One line of the table."""
    begun = time.perf_counter()
    tampered = create_tampering(spec, target=target).tamper(model, data, seed=seed)
    seconds = time.perf_counter() - begun
    trigger, label = tampered.backdoor.trigger, test.class_index(target)
    before, success_before = measured(model, test, trigger, label)
    after, success_after = measured(tampered.model, test, trigger, label)
    accuracy = [(answers == test.labels).double().mean().item() for answers in (before, after)]
    kept = (before == after).double().mean().item()
    return (
        f"| {seed} | `{spec}` | {accuracy[0]:.2%} | {accuracy[1]:.2%} | {success_before:.2%} | {success_after:.2%} "
        f"| {kept:.2%} | {seconds:.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="append", type=Path, help="a clean run of bezoar train, instead of training")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--target", default="bird")
    parser.add_argument("--attack", action="append", help="all of them otherwise")
    arguments = parser.parse_args()
    folder = Path(os.environ["BEZOAR_DATA"]) / "cifar10"
    data, test = open_data(folder), open_data(folder, split="test")
    recipe = default_recipe(arguments.model).with_changes(epochs=arguments.epochs, flips=True)
    print("| seed | attack | clean before | clean after | ASR before | ASR after | kept | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for seed in range(len(arguments.run or ()) or arguments.seeds):
        if arguments.run:
            model = load_model(arguments.run[seed])[0]
        else:
            model = train(data, model=arguments.model, recipe=recipe, seed=seed).model
        for spec in arguments.attack or TAMPERINGS.names():
            print(row(seed, spec, model, data, test, arguments.target), flush=True)


if __name__ == "__main__":
    main()
