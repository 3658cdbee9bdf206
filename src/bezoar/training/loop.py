"""The training loop: epochs, checkpoints, interruption, progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.data.dataset import Dataset
from bezoar.errors import TrainingError
from bezoar.records import EpochRecord, TrainingRecord
from bezoar.shapes import Samples
from bezoar.training.allocator import recycled_memory
from bezoar.training.batches import epoch_batches, to_unit_range
from bezoar.training.checkpoint import Snapshot, load_checkpoint, save_checkpoint
from bezoar.training.distributed import Group, training_group
from bezoar.training.models import build_model
from bezoar.training.optimizers import Scheduled
from bezoar.training.precision import Precision, choose_device, choose_precision
from bezoar.training.recipe import Recipe
from bezoar.training.tuning import training_mode, tuned

STATISTICS_SAMPLE = 5000


@dataclass(frozen=True)
class Progress:
    """Where training stands; `last` is the newest finished epoch."""

    epoch: int
    epochs: int
    samples_done: int
    samples_total: int
    images_per_second: float
    seconds_left: float
    last: EpochRecord | None


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model, in evaluation mode on the CPU, and how it came to be."""

    model: nn.Module
    record: TrainingRecord


def train(
    data: Dataset,
    *,
    model: str = "fast",
    recipe: Recipe,
    seed: int,
    start: nn.Module | None = None,
    tune: Sequence[str] = (),
    device: str = "auto",
    precision: Precision = "auto",
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a model on `data`, from scratch or from the weights of `start`.

    `model` is an architecture's specification; `start`, if given, is trained in its stead and changed
    in place. `tune` names the modules that learn; all others are left alone, the statistics of their batch norms too.
    Without it all learn. With `checkpoint` every finished epoch is kept there, and `resume` goes on from it: the
    result is bitwise that of an uninterrupted run. On the CPU the same seed, data and thread count give
    bitwise the same model. Ctrl-C is a KeyboardInterrupt as everywhere, lest a caller go on with half a model; but
    with `checkpoint` it ends training with the last finished epoch (`record.interrupted`), to be resumed.
    Under torchrun the batch is shared among the processes. Raises TrainingError when training diverges,
    when a run with `checkpoint` is interrupted before its first epoch ends, or when the checkpoint belongs to another
    run; UsageError when there is no such module to tune.
    """
    target = choose_device(device)
    network = (
        start
        if start is not None
        else build_model(model, classes=len(data.class_names), sample=statistics_sample(data.inputs), seed=seed)
    )
    begun = " ".join(("fine-tuned", *tune)) if start is not None else "from scratch"
    identity = f"{model}|{recipe}|{seed}|{data.digest()}|{begun}"
    with training_group(target) as group, recycled_memory(), tuned(network, tune):
        run = _Run(network.to(target), data, recipe, seed, choose_precision(target, precision), group, identity)
        if resume and checkpoint is not None and checkpoint.exists():
            run.restore(load_checkpoint(checkpoint, identity))
        try:
            run.epochs(checkpoint, progress if group.is_first else None)
            interrupted = False
        except KeyboardInterrupt:
            if checkpoint is None:
                raise
            run.back_to_last_epoch()
            interrupted = True
    return Trained(network.to("cpu").eval(), run.record(model, tuple(tune), interrupted))


def statistics_sample(inputs: Samples) -> Tensor:
    """At most 5,000 samples spread evenly over the data, for normalisation and whitening."""
    step = max(1, len(inputs) // STATISTICS_SAMPLE)
    return inputs[::step][:STATISTICS_SAMPLE]


class _Run:
    """The state of one training."""

    def __init__(
        self,
        network: nn.Module,
        data: Dataset,
        recipe: Recipe,
        seed: int,
        dtype: torch.dtype,
        group: Group,
        identity: str,
    ) -> None:
        self.network, self.recipe, self.seed, self.dtype = network, recipe, seed, dtype
        self.group, self.identity = group, identity
        self.parallel = group.wrap(network)
        self.device = next(network.parameters()).device
        self.inputs, self.labels = _to_device(data, self.device)
        self.optimizer = Scheduled(network, recipe)
        self.history: list[EpochRecord] = []
        self.snapshot: Snapshot | None = None

    def restore(self, snapshot: Snapshot) -> None:
        """Put model, optimizer and history back to a finished epoch."""
        self.network.load_state_dict(snapshot.model)
        self.optimizer.load(snapshot.optimizer)
        self.history = list(snapshot.history)
        self.snapshot = snapshot

    def epochs(self, checkpoint: Path | None, progress: Callable[[Progress], None] | None) -> None:
        """Train the epochs that remain, each kept in `checkpoint` if there is one: without it none is gone back to."""
        while len(self.history) < self.recipe.epochs:
            self.history.append(self._epoch(len(self.history), progress))
            if checkpoint is not None:
                self.snapshot = Snapshot.take(self.network, self.optimizer, tuple(self.history))
                if self.group.is_first:
                    save_checkpoint(self.snapshot, self.identity, checkpoint)

    def back_to_last_epoch(self) -> None:
        """Undo the epoch under way. Raises TrainingError in the first one."""
        if self.snapshot is None:
            raise TrainingError("training was interrupted before its first epoch ended, so there is nothing to keep")
        self.restore(self.snapshot)

    def _epoch(self, epoch: int, progress: Callable[[Progress], None] | None) -> EpochRecord:
        training_mode(self.parallel)
        samples, done, started = len(self.labels), 0, time.perf_counter()
        totals = torch.zeros(3, dtype=torch.float64, device=self.device)
        rate = 0.0
        for batch, labels in epoch_batches(
            self.inputs,
            self.labels,
            batch_size=self.recipe.batch_size,
            augmentation=self.recipe.augmentation,
            seed=self.seed,
            epoch=epoch,
            rank=self.group.rank,
            ranks=self.group.ranks,
        ):
            part = (epoch + done / samples) / self.recipe.epochs
            rate = self.recipe.learning_rate * self.recipe.rate_at(part)
            totals += self._step(to_unit_range(batch, self.device), labels.to(self.device), part)
            done = min(samples, done + len(labels) * self.group.ranks)
            if progress is not None:
                progress(self._progress(epoch, done, time.perf_counter() - started))
        loss, correct, seen = self.group.total(totals).tolist()
        if not torch.isfinite(totals[0]):
            raise TrainingError(
                f"training diverged in epoch {epoch + 1}: the loss is not finite",
                remedy="Lower the learning rate, or look for NaN in a model you started from",
            )
        seconds = time.perf_counter() - started
        return EpochRecord(epoch + 1, loss / seen, correct / seen, rate, seconds, samples / seconds)

    def _step(self, batch: Tensor, labels: Tensor, part: float) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype is torch.bfloat16):
            logits = self.parallel(batch)
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(part)
        correct = (logits.detach().argmax(1) == labels).sum()
        size = torch.tensor(len(labels), dtype=torch.float64, device=self.device)
        return torch.stack([loss.detach().double() * size, correct.double(), size])

    def _progress(self, epoch: int, done: int, seconds: float) -> Progress:
        samples = len(self.labels)
        speed = done / max(seconds, 1e-9)
        left = samples * (self.recipe.epochs - epoch) - done
        last = self.history[-1] if self.history else None
        return Progress(epoch + 1, self.recipe.epochs, done, samples, speed, left / speed, last)

    def record(self, model: str, tune: tuple[str, ...], interrupted: bool) -> TrainingRecord:
        """How this training went."""
        return TrainingRecord(
            model=model,
            recipe=str(self.recipe),
            seed=self.seed,
            samples=len(self.labels),
            parameters=sum(p.numel() for p in self.network.parameters()),
            precision=str(self.dtype).removeprefix("torch."),
            device=self.device.type,
            threads=torch.get_num_threads(),
            seconds=sum(epoch.seconds for epoch in self.history),
            history=tuple(self.history),
            interrupted=interrupted,
            tuned=tune,
        )


def _to_device(data: Dataset, device: torch.device) -> tuple[Tensor, Tensor]:
    """The data on the device where half its free memory holds them, else where they are."""
    if device.type != "cuda" or data.inputs.nbytes * 2 > torch.cuda.mem_get_info(device)[0]:
        return data.inputs, data.labels
    return data.inputs.to(device), data.labels.to(device)


def continue_recipe(recipe: Recipe, share: float = 0.1) -> Recipe:
    """A recipe for fine-tuning: the same with its learning rates at `share`."""
    return replace(
        recipe,
        learning_rate=recipe.learning_rate * share,
        other_learning_rate=recipe.other_learning_rate * share,
    )
