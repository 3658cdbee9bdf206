"""Many triggers at once: every step shows each hypothesis a few images, in one batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bezoar.detect.inversion.form import Form, Parameters, of_one
from bezoar.detect.inversion.quiet import untouched
from bezoar.detect.numerics.smallness import least_factor
from bezoar.errors import ModelError
from bezoar.shapes import Images, Whole
from bezoar.training.batches import to_unit_range

WEIGHT, LIGHTEST, HEAVIEST = 1e-3, 1e-5, 10.0
HARDER, EASIER = 1.1, 1.1**1.5
"""A trigger that works is charged more for its size at every step, another less (Neural Cleanse, section 5)."""
MEMORY = 0.8
"""Of the running share of images that go over to the target."""
MEASURED = 100
"""Of so many images at most, which the descent was shown, a trigger's strength is told."""
FACTORS, HALVINGS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0), 3
"""How strong a trigger must be is looked for among these factors, and closer by so many bisections."""
AT_ONCE = 25
"""Images by which it is told whether a trigger is strong enough, until that is certain."""
ROUNDING = 1e-6
BETAS = (0.5, 0.9)


@dataclass(frozen=True)
class Hypothesis:
    """That images of the `sources`, or with () of every class but the target, can be led to the class `target`."""

    target: int
    sources: tuple[int, ...] = ()


@dataclass(frozen=True)
class Effort:
    """How hard to try: `steps` of descent, with `images` for each hypothesis in each.

    A descent asks that a share `wanted` goes over; a trigger is then made as strong as `enough` of them needs.
    """

    steps: int = 150
    images: int = 8
    wanted: float = 0.9
    enough: float = 0.8


@dataclass(frozen=True, eq=False)
class Inverted:
    """What came of each hypothesis: its trigger, just as strong as it must be, its size (H,), and if it worked (H,).

    One that is not strong enough at four times what came of the descent did not work, and stands at that strength.
    `flips` (H,) are shares of images held out from the descent, of those that the model got right, that went over; NaN
    where there were none.
    """

    form: Form
    hypotheses: tuple[Hypothesis, ...]
    parameters: Parameters
    sizes: Tensor
    worked: Tensor
    flips: Tensor


def invert(
    model: nn.Module,
    inputs: Images,
    labels: Whole,
    hypotheses: Sequence[Hypothesis],
    form: Form,
    *,
    effort: Effort = Effort(),
    held_out: float = 0.25,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Inverted:
    """The smallest trigger of a form for each hypothesis, by one descent for all of them.

    `inputs` uint8 (n, c, h, w) and `labels` (n,) are clean; a share `held_out` of them tells the flips in the end. The
    model, in evaluation mode, must be differentiable; its weights are not touched. Raises ModelError where it fails,
    and where some hypothesis has no images.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    held = order[: round(held_out * len(order))]
    rows = _rows(labels, order[len(held) :], hypotheses)
    parameters = {
        name: tensor.requires_grad_()
        for name, tensor in form.start(len(hypotheses), tuple(inputs.shape[1:]), generator).items()
    }
    run = _Descent(model, inputs, rows, hypotheses, form, parameters, effort, generator)
    with untouched(model):
        for step in range(effort.steps):
            run.step()
            if progress is not None:
                progress(step + 1, effort.steps)
        seen = [_shown(model, inputs, labels, one[:MEASURED]) for one in rows]
        found, worked = _just_enough(model, form, run.found(), seen, run.goals, effort.enough)
        told = [_shown(model, inputs, labels, held[_fits(labels[held], one)]) for one in hypotheses]
        shares = [
            led(model, form, of_one(found, place), images, goal)
            for place, (images, goal) in enumerate(zip(told, run.goals, strict=True))
        ]
    return Inverted(form, tuple(hypotheses), found, form.sizes(found), worked, torch.tensor(shares))


class _Descent:
    """The state of one descent, and the smallest triggers that worked so far."""

    def __init__(
        self,
        model: nn.Module,
        inputs: Images,
        rows: Sequence[Tensor],
        hypotheses: Sequence[Hypothesis],
        form: Form,
        parameters: Parameters,
        effort: Effort,
        generator: torch.Generator,
    ) -> None:
        self.model, self.inputs, self.rows, self.form, self.effort = model, inputs, rows, form, effort
        self.parameters, self.generator = parameters, generator
        self.goals = torch.tensor([one.target for one in hypotheses])
        self.targets = self.goals.repeat_interleave(effort.images)
        self.optimizer = torch.optim.Adam(parameters.values(), lr=form.rate, betas=BETAS)
        self.weights = torch.full((len(hypotheses),), WEIGHT)
        self.share = torch.zeros(len(hypotheses))
        self.best = {name: tensor.detach().clone() for name, tensor in parameters.items()}
        self.smallest = torch.full((len(hypotheses),), torch.inf)

    def step(self) -> None:
        """One step of all hypotheses, and what the triggers did before it."""
        count, images = len(self.rows), self.effort.images
        drawn = torch.cat([rows[torch.randint(len(rows), (images,), generator=self.generator)] for rows in self.rows])
        shown = to_unit_range(self.inputs[drawn])
        triggered = self.form.put_on(self.parameters, shown.reshape(count, images, *shown.shape[1:]))
        logits = self.model(triggered.reshape(shown.shape).contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, self.targets, reduction="none").reshape(count, images).mean(1)
        went = (logits.detach().argmax(1) == self.targets).float().reshape(count, images).mean(1)
        sizes = self.form.sizes(self.parameters)
        self.share = MEMORY * self.share + (1 - MEMORY) * went
        self._keep(sizes.detach())
        cost = self.form.cost(sizes, tuple(shown.shape[1:]))
        self.optimizer.zero_grad()
        (loss + self.weights * cost).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        works = self.share >= self.effort.wanted
        self.weights = torch.where(works, self.weights * HARDER, self.weights / EASIER).clamp(LIGHTEST, HEAVIEST)

    def _keep(self, sizes: Tensor) -> None:
        better = (self.share >= self.effort.wanted) & (sizes < self.smallest)
        self.smallest = torch.where(better, sizes, self.smallest)
        for name, tensor in self.parameters.items():
            self.best[name][better] = tensor.detach()[better]

    def found(self) -> Parameters:
        """The smallest triggers that worked, the last ones where none did."""
        worked = torch.isfinite(self.smallest)
        for name, tensor in self.parameters.items():
            self.best[name][~worked] = tensor.detach()[~worked]
        return self.best


def _rows(labels: Whole, among: Tensor, hypotheses: Sequence[Hypothesis]) -> list[Tensor]:
    rows = [among[_fits(labels[among], one)] for one in hypotheses]
    for one, found in zip(hypotheses, rows, strict=True):
        if not len(found):
            raise ModelError(
                f"no clean sample is left to be led to class {one.target}",
                expected="clean samples of the source classes",
                remedy="Give more clean data",
            )
    return rows


def _fits(labels: Tensor, one: Hypothesis) -> Tensor:
    if one.sources:
        return torch.isin(labels, torch.tensor(one.sources))
    return labels != one.target


@torch.no_grad()
def _shown(model: nn.Module, inputs: Images, labels: Whole, rows: Tensor) -> Tensor:
    """Float images at `rows`, those that the model gets right."""
    if not len(rows):
        return to_unit_range(inputs[:0])
    images = to_unit_range(inputs[rows])
    return images[model(images).argmax(1) == labels[rows]]


@torch.no_grad()
def led(model: nn.Module, form: Form, trigger: Parameters, images: Tensor, goal: Tensor) -> float:
    """The share of images that one trigger leads to its goal, NaN without any."""
    return float((model(form.put_on(trigger, images[None])[0]).argmax(1) == goal).float().mean())


@torch.no_grad()
def leads_enough(
    model: nn.Module, form: Form, trigger: Parameters, images: Tensor, goal: Tensor, enough: float
) -> bool:
    """Whether one trigger leads a share `enough` of the images to its goal, asked of no more images than tell it."""
    needed, went, left = enough * len(images) - ROUNDING, 0, len(images)
    for part in images.split(AT_ONCE):  # type: ignore[no-untyped-call]
        went += int((model(form.put_on(trigger, part[None])[0]).argmax(1) == goal).sum())
        left -= len(part)
        if went >= needed or went + left < needed:
            break
    return len(images) > 0 and went >= needed


def _just_enough(
    model: nn.Module, form: Form, parameters: Parameters, shown: Sequence[Tensor], goals: Tensor, enough: float
) -> tuple[Parameters, Tensor]:
    """Triggers as strong as it takes to lead `enough` of the images to the goals, and which of them (H,) do."""

    def least(place: int) -> float | None:
        own = of_one(parameters, place)

        def leads(factor: float) -> bool:
            scaled = form.scaled(own, torch.tensor([factor]))
            return leads_enough(model, form, scaled, shown[place], goals[place], enough)

        return least_factor(leads, FACTORS, HALVINGS)

    factors = [least(place) for place in range(len(shown))]
    strengths = torch.tensor([FACTORS[-1] if factor is None else factor for factor in factors])
    return form.scaled(parameters, strengths), torch.tensor([factor is not None for factor in factors])
