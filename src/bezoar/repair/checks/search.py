"""A search for small triggers towards every class, and the trigger that a model seems to have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bezoar.confirm.recover.inverted import recovered
from bezoar.confirm.recover.recovered import Recovered
from bezoar.data.dataset import Dataset
from bezoar.detect.inversion.form import Form
from bezoar.detect.inversion.forms import Additive, Patch
from bezoar.detect.inversion.invert import Effort, Hypothesis, Inverted, invert
from bezoar.records import Skipped
from bezoar.records.repairing import ClassSize, TriggerSearch
from bezoar.triggers.base import Trigger

CUT = 0.4
"""A class stands out whose trigger is at most this share as large as the median of those towards the other classes."""
FEWEST_CLASSES, FEWEST_SAMPLES = 3, 12
NOT_WORKED = Skipped("no trigger of this form turned enough samples")
NONE_KEPT = Skipped("no sample was kept out of the search")

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Suspected:
    """A trigger that may be a backdoor's, the class it leads to, and how it was found, in words.

    `stands_out` says whether there is a reason to suspect anybody: the smallest trigger of a sound model is one, too.
    """

    trigger: Trigger
    target: int
    stands_out: bool
    found: str
    description: str
    picture: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Worn:
    """A recovered trigger on uint8 images."""

    recovered: Recovered

    def __call__(self, batch: Tensor) -> Tensor:
        """The batch with the trigger."""
        return self.recovered(batch)


def suspected_trigger(
    model: nn.Module,
    data: Dataset,
    *,
    target: int | None = None,
    seed: int,
    effort: Effort,
    progress: Progress | None = None,
) -> Suspected | Skipped:
    """The trigger, a patch or an added pattern, that is smallest beside those towards the other classes.

    Found by inversion on clean `data`; with `target` it is that class's, whatever its size. Another way of finding it
    replaces this one by what it hands to the repairs: nothing else asks here.
    """
    found = inversions(model, data, seed=seed, effort=effort, progress=progress)
    if isinstance(found, Skipped):
        return found
    ranked = [
        (float(ratio), number, label)
        for number, one in enumerate(found)
        for label, (ratio, worked) in enumerate(zip(ratios(one.sizes), one.worked, strict=True))
        if worked and target in (None, label)
    ]
    if not ranked:
        return Skipped("no trigger could be found in the model")
    ratio, number, label = min(ranked)
    told = recovered(found[number], label, data.shape)
    how = (
        f"found by descent on {len(data):,} trusted samples; its size is {ratio:.0%} of the median of those "
        "towards the other classes"
    )
    return Suspected(Worn(told), label, ratio <= CUT, how, told.description, told.picture)


def inversions(
    model: nn.Module, data: Dataset, *, seed: int, effort: Effort, progress: Progress | None = None
) -> tuple[Inverted, ...] | Skipped:
    """Triggers of every form towards every class, or why there is nothing to compare."""
    if reason := _too_little(data):
        return Skipped(reason)
    every = [Hypothesis(label) for label in range(len(data.class_names))]

    def one(form: Form) -> Inverted:
        def hear(done: int, total: int) -> None:
            if progress is not None:
                progress(f"search for a trigger: {form.name}", done, total)

        return invert(model, data.inputs, data.labels, every, form, effort=effort, seed=seed, progress=hear)

    return tuple(one(form) for form in (Patch(), Additive()))


def searched(
    model: nn.Module, data: Dataset, *, seed: int, effort: Effort, progress: Progress | None = None
) -> tuple[TriggerSearch, ...] | Skipped:
    """`inversions` as records."""
    found = inversions(model, data, seed=seed, effort=effort, progress=progress)
    return found if isinstance(found, Skipped) else tuple(_told(one, data) for one in found)


def ratios(sizes: Tensor) -> Tensor:
    """Each size (k,) by the median of the others."""
    others = [torch.cat([sizes[:place], sizes[place + 1 :]]) for place in range(len(sizes))]
    return torch.stack([size / _median(rest) for size, rest in zip(sizes, others, strict=True)])


def _median(sizes: Tensor) -> Tensor:
    # torch.median takes the lower of two middle ones.
    return sizes.double().quantile(0.5)


def _told(found: Inverted, data: Dataset) -> TriggerSearch:
    classes = tuple(
        ClassSize(
            name,
            float(size) if worked else NOT_WORKED,
            float(ratio) if worked else NOT_WORKED,
            NONE_KEPT if bool(flips.isnan()) else float(flips),
        )
        for name, size, ratio, worked, flips in zip(
            data.class_names, found.sizes.detach(), ratios(found.sizes.detach()), found.worked, found.flips, strict=True
        )
    )
    out = tuple(one.class_name for one in classes if isinstance(one.ratio, float) and one.ratio <= CUT)
    return TriggerSearch(found.form.name, found.form.unit, len(data), CUT, classes, out)


def _too_little(data: Dataset) -> str:
    if not data.is_images:
        return "triggers are searched for in image classifiers alone"
    if len(data.class_names) < FEWEST_CLASSES:
        return f"sizes of triggers are compared among at least {FEWEST_CLASSES} classes"
    if len(data) - max(data.class_counts) < FEWEST_SAMPLES:
        return f"a search needs {FEWEST_SAMPLES} clean samples beside those of the largest class"
    return ""
