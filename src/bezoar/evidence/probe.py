"""The probe: a small network trained on the data as they are, to see what a victim would learn from them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data import Dataset
from bezoar.errors import DataError, TrainingError, UsageError
from bezoar.evidence.evidence import History
from bezoar.evidence.sharpness import ascended, frozen_statistics
from bezoar.records import EpochRecord
from bezoar.training import Progress, Recipe, build_model, continue_recipe, default_recipe
from bezoar.training.allocator import recycled_memory
from bezoar.training.batches import epoch_order, to_unit_range
from bezoar.training.fast import FastNetwork
from bezoar.training.optimizers import Scheduled
from bezoar.training.preact_resnet import PreActResNet18Network
from bezoar.training.precision import choose_device, choose_precision
from bezoar.training.randomness import seeded
from bezoar.training.tuning import training_mode

LEAST_STEPS = 400
BATCHES_AN_EPOCH, FEWEST_BATCHES, SMALL_BATCH = 32, 8, 16
STATISTICS_SAMPLE = 5000
VALUES_AT_A_TIME = 1 << 24
LARGE_SIDE = 64


@dataclass(frozen=True)
class ProbeRecipe:
    """How a probe is trained: architecture, epochs, batch size, and the radius of sharpness-aware minimisation.

    `model` is a specification; plain `fast` is adapted to the size of images, see `probe_model`. Small data get more
    epochs and smaller batches than given here, see `training_recipe`. `sharpness` 0 is ordinary training; above 0 each
    step takes twice the time. Raises UsageError on values that make no sense.
    """

    model: str = "fast"
    epochs: int = 5
    batch_size: int = 512
    sharpness: float = 0.0

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or not 0 <= self.sharpness < float("inf"):
            raise UsageError(
                "this probe cannot be trained",
                expected="epochs of 1 or more, a batch_size of 2 or more, sharpness of 0 or more",
                found=repr(self),
            )


@dataclass(frozen=True, eq=False)
class Probe:
    """A trained probe in evaluation mode, on the device it was trained on, its history, and the wall seconds it took.

    `history.loss` is float32.
    """

    model: nn.Module
    history: History
    seconds: float


def train_probe(
    data: Dataset,
    *,
    recipe: ProbeRecipe | None = None,
    seed: int,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Probe:
    """Train a network on `data` without augmentation, and keep what it made of each sample in each epoch.

    Augmentation hides small triggers from a small network: with crops and flips it never learns them, and everything
    that rests on its features is blind. History costs nothing: cross-entropy (without label smoothing) and correctness
    of a sample are those of the training pass in which it comes up, in training mode, before the step; so samples late
    in an epoch meet a later network. With `recipe.sharpness` rho > 0 each step is one of sharpness-aware minimisation.

    Foret et al. 2021 (arXiv 2010.01412): the gradient g at w, then the gradient at w + rho g / ||g||, norm over all
    parameters that learn, moves w. Deviations: weight decay and label smoothing as in the architecture's recipe; its
    own optimizers instead of SGD; batch norms gather running statistics in the first pass only (there it is not said).

    Order of samples and statistics follow ids, so the order of rows changes nothing. On the CPU the same seed, data and
    number of threads give bitwise the same. Inputs may be a memory map: one batch at a time is made float.
    Raises DataError with fewer than two samples or classes, TrainingError when training diverges, ModelError when the
    network can't be built for such data.
    """
    recipe = recipe or ProbeRecipe()
    if len(data) < 2 or len(data.class_names) < 2:
        found = f"{len(data):,} samples of {len(data.class_names)} classes"
        raise DataError("nothing to learn for a probe", expected="two samples and two classes at least", found=found)
    rows = _by_id(data)
    network = build_model(
        architecture(recipe, data), classes=len(data.class_names), sample=_statistics_sample(data, rows), seed=seed
    )
    run = _Run(network.to(choose_device(device)), data, rows, training_recipe(recipe, data), recipe.sharpness, seed)
    return run.epochs(progress)


def fine_tune(
    model: nn.Module, data: Dataset, *, epochs: int, rate_share: float = 0.1, seed: int, device: str = "auto"
) -> nn.Module:
    """A copy of `model` trained further on `data` without augmentation, in evaluation mode on the CPU.

    Learning rates are `rate_share` of those of its architecture's recipe: `fast`, `preact-resnet18`, or a general one.
    Batches are sized as for a probe, epochs are as given. Deterministic, and raises TrainingError, as `train_probe`.
    """
    name = {FastNetwork: "fast", PreActResNet18Network: "preact-resnet18"}.get(type(model), "general")
    recipe = continue_recipe(training_recipe(ProbeRecipe(model=name), data), rate_share)
    network = copy.deepcopy(model).to(choose_device(device))
    return _Run(network, data, _by_id(data), replace(recipe, epochs=epochs), 0.0, seed).epochs(None).model.to("cpu")


def probe_model(data: Dataset) -> str:
    """The probe's specification: `fast`, and on images of more than 64 pixels a side `fast:finest=16`.

    There the stem brings images to maps of 16 pixels a side, which costs a third of 32.
    """
    large = data.is_images and min(data.shape[1:]) > LARGE_SIDE
    return "fast:finest=16" if large else "fast"


def architecture(recipe: ProbeRecipe, data: Dataset) -> str:
    """The specification that is built: that of the recipe, plain `fast` adapted to the size of images."""
    return probe_model(data) if recipe.model == "fast" else recipe.model


def training_recipe(recipe: ProbeRecipe, data: Dataset) -> Recipe:
    """The architecture's recipe without augmentation, for data of this number and size.

    A batch holds at most a 32nd of the samples, or 16 where that is less, but never more than an 8th, so that even 300
    images make steps enough; and at most 16.8 million values, so that large images fit. It has 2 samples at least.
    There are as many epochs as make 400 steps, or those of `recipe` if that is more. (On 300 CIFAR-10 images of which
    33 carried a patch, 16 a batch was as good as 32 for two thirds of the time; 200 steps learnt the patch less well.)
    """
    samples, values = len(data), max(1, data.inputs[0].numel())
    size = min(max(samples // BATCHES_AN_EPOCH, SMALL_BATCH), samples // FEWEST_BATCHES)
    size = max(2, min(recipe.batch_size, size, VALUES_AT_A_TIME // values))
    epochs = max(recipe.epochs, -(-LEAST_STEPS // _batches(samples, size)))
    return replace(default_recipe(recipe.model), epochs=epochs, batch_size=size, shift=0, flips=False)


def _batches(samples: int, size: int) -> int:
    return max(1, samples // size)


def _by_id(data: Dataset) -> Tensor:
    return torch.from_numpy(np.argsort(np.array(data.ids), kind="stable"))


def _statistics_sample(data: Dataset, rows: Tensor) -> Tensor:
    """At most 5,000 samples and 16.8 million values, spread evenly over the data in order of id."""
    most = max(2, min(STATISTICS_SAMPLE, VALUES_AT_A_TIME // max(1, data.inputs[0].numel())))
    return data.inputs[rows[:: max(1, len(rows) // most)][:most]]


class _Run:
    """One training: the network, its optimizers, and the history so far."""

    def __init__(
        self, network: nn.Module, data: Dataset, rows: Tensor, recipe: Recipe, sharpness: float, seed: int
    ) -> None:
        self.network, self.data, self.rows, self.seed = network, data, rows, seed
        self.recipe, self.sharpness = recipe, sharpness
        self.device = next(network.parameters()).device
        self.dtype = choose_precision(self.device)
        self.optimizer = Scheduled(network, self.recipe)
        self.loss = np.zeros((self.recipe.epochs, len(data)), dtype=np.float32)
        self.correct = np.zeros((self.recipe.epochs, len(data)), dtype=bool)
        self.last: EpochRecord | None = None

    def epochs(self, progress: Callable[[Progress], None] | None) -> Probe:
        """The whole training. Raises TrainingError when a loss is not finite."""
        started = time.perf_counter()
        # Seeded, since a user's network may drop out at random.
        with seeded(self.seed), recycled_memory():
            for epoch in range(self.recipe.epochs):
                self._epoch(epoch, progress)
        return Probe(self.network.eval(), History(self.loss, self.correct), time.perf_counter() - started)

    def _epoch(self, epoch: int, progress: Callable[[Progress], None] | None) -> None:
        training_mode(self.network)
        samples, done, started = len(self.rows), 0, time.perf_counter()
        order = self.rows[epoch_order(samples, seed=self.seed, epoch=epoch)]
        # Evenly divided, so that no batch is left with one sample, of which batch norm can't take statistics.
        for rows in torch.tensor_split(order, _batches(samples, self.recipe.batch_size)):
            part = (epoch + done / samples) / self.recipe.epochs
            loss, correct = self._step(rows, part)
            self.loss[epoch, rows.numpy()], self.correct[epoch, rows.numpy()] = loss.numpy(), correct.numpy()
            done += len(rows)
            if progress is not None:
                progress(self._progress(epoch, done, time.perf_counter() - started))
        if not np.isfinite(self.loss[epoch]).all():
            raise TrainingError(f"the probe's training diverged in epoch {epoch + 1}: the loss is not finite")
        self.last = self._record(epoch, time.perf_counter() - started)

    def _step(self, rows: Tensor, part: float) -> tuple[Tensor, Tensor]:
        """One update. Returns each sample's loss and correctness before it, on the CPU."""
        inputs = to_unit_range(self.data.inputs[rows], self.device)
        labels = self.data.labels[rows].to(self.device)
        logits = self._backward(inputs, labels)
        if self.sharpness > 0:
            with ascended(self.network, self.sharpness), frozen_statistics(self.network):
                self._backward(inputs, labels)
        self.optimizer.step(part)
        loss = F.cross_entropy(logits, labels, reduction="none")
        return loss.cpu(), (logits.argmax(1) == labels).cpu()

    def _backward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Gradients at the weights as they are; returns the logits, float32."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            logits: Tensor = self.network(inputs)
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return logits.detach()

    def _progress(self, epoch: int, done: int, seconds: float) -> Progress:
        samples, speed = len(self.rows), done / max(seconds, 1e-9)
        left = samples * (self.recipe.epochs - epoch) - done
        return Progress(epoch + 1, self.recipe.epochs, done, samples, speed, left / speed, self.last)

    def _record(self, epoch: int, seconds: float) -> EpochRecord:
        rate = self.recipe.learning_rate * self.recipe.rate_at((epoch + 1) / self.recipe.epochs)
        loss, accuracy = float(self.loss[epoch].mean()), float(self.correct[epoch].mean())
        return EpochRecord(epoch + 1, loss, accuracy, rate, seconds, len(self.rows) / max(seconds, 1e-9))
