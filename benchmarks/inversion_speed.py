"""All classes in one descent against a loop over classes, in one run on one network.

    BEZOAR_DATA=... python benchmarks/inversion_speed.py RUN [DATA]

RUN is a run folder of bezoar train, DATA clean samples of its classes. Two loops stand beside ours: the same descent
called once for each class, and a loop as its paper describes it, written down here: 32 clean images a step and
class, gradients of the weights with them since nobody switched them off, the mask's charge moved by success. Ours
multiply in bfloat16 where the hardware does so natively, as in an inspection; that of the paper in float32.
"""

from __future__ import annotations

import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data import open_data
from bezoar.detect.inversion.forms import Patch
from bezoar.detect.inversion.invert import Effort, Hypothesis, invert
from bezoar.training import load_model
from bezoar.training.elsewhere import computing_on

STEPS = Effort().steps


def by_hand(model: nn.Module, images: Tensor, target: int, steps: int, batch: int = 32) -> float:
    """Neural Cleanse for one class, as a user would write it; the size of its mask."""
    mask = torch.full((1, 1, *images.shape[2:]), -2.0).requires_grad_()
    pattern = torch.randn(1, *images.shape[1:]).requires_grad_()
    optimizer = torch.optim.Adam([mask, pattern], lr=0.1, betas=(0.5, 0.9))
    weight, best = 1e-3, float("inf")
    goal = torch.full((batch,), target)
    for _ in range(steps):
        shown = images[torch.randint(len(images), (batch,))]
        m = torch.sigmoid(mask)
        logits = model((1 - m) * shown + m * torch.sigmoid(pattern))
        loss = F.cross_entropy(logits, goal) + weight * m.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        worked = float((logits.argmax(1) == goal).float().mean()) >= 0.95
        weight = weight * 1.1 if worked else weight / 1.1**1.5
        best = min(best, float(m.detach().sum())) if worked else best
    return best


def rounded(sizes: list[float]) -> list[float]:
    return [round(one, 1) for one in sizes]


def main(run: str, source: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, card = load_model(run)
    data = open_data(source, split="test")
    data = data.select(torch.randperm(len(data))[:1000])
    classes = range(len(card.class_names))
    model = model.eval()

    with computing_on(model, "cpu"):  # as an inspection computes
        started = time.perf_counter()
        hypotheses = [Hypothesis(one) for one in classes]
        ours = invert(model, data.inputs, data.labels, hypotheses, Patch(), held_out=0.0, seed=0)
        batched = time.perf_counter() - started

        started = time.perf_counter()
        for one in classes:
            invert(model, data.inputs, data.labels, [Hypothesis(one)], Patch(), effort=Effort(), held_out=0.0, seed=0)
        looped = time.perf_counter() - started

    images = data.inputs.float() / 255
    started = time.perf_counter()
    sizes = [by_hand(model, images[data.labels != one], one, STEPS) for one in classes]
    hand = time.perf_counter() - started

    print(
        f"one descent for {len(classes)} classes: {batched:.1f} s, sizes {[round(float(one), 1) for one in ours.sizes]}"
    )
    print(f"the same, class by class: {looped:.1f} s, {looped / batched:.1f} times as long")
    print(f"a loop by hand, batches of 32: {hand:.1f} s, {hand / batched:.1f} times as long")
    print(f"sizes {[round(one, 1) for one in sizes]}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "signs")
