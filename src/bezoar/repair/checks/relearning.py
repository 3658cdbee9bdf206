"""The relearning test: a few poisoned samples back in, a short fine-tuning of a copy, does the backdoor return at once?

Repaired models often answer the trigger again after a few steps, which a model that never met it does not.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import nn

from bezoar.confirm.flips import Carriers, flips
from bezoar.data.dataset import Dataset
from bezoar.records import Rate, Skipped
from bezoar.records.repairing import Relearning
from bezoar.repair.base import Work, unheard
from bezoar.repair.checks.flips import control_of, rate_of
from bezoar.repair.given import Given, drawn, joined, with_trigger
from bezoar.repair.loop import Tuning, tune
from bezoar.repair.meter import Meter
from bezoar.training.elsewhere import computing_on
from bezoar.training.precision import choose_device
from bezoar.training.randomness import seeded
from bezoar.triggers.base import Trigger

MOST_STAMPED, FEWEST_STAMPED, BESIDE = 20, 5, 100
FEWEST_ASKED = 10
SHORT = Tuning(epochs=1, least_steps=20, batch_size=32, learning_rate=0.01, shift=0)
LEAST_RETURN = 0.2
"""A trigger that turns fewer after it was taught anew has not come back, however sure the difference is."""
TOO_FEW = Skipped("there are too few held-out samples of other classes to poison some and to ask the others")
FROZEN = Skipped("every parameter of the model is frozen, so that nothing can be learnt")
NO_CONTROL = Skipped("the trigger is the same however it is turned, so that nothing could be compared with it")


def relearning(
    model: nn.Module, fit: Dataset, held_out: Dataset, trigger: Trigger, target: int, *, seed: int, device: str = "auto"
) -> Relearning | Skipped:
    """Teach a copy the trigger anew, another copy the turned one, and compare how far each has come.

    A third of the held-out samples of other classes, 20 at most, are stamped; rates are of the rest.
    """
    if not any(one.requires_grad for one in model.parameters()):
        return FROZEN
    others = held_out.select(held_out.labels != target) if bool((held_out.labels != target).any()) else None
    stamped = 0 if others is None else min(MOST_STAMPED, len(others) // 3)
    if others is None or stamped < FEWEST_STAMPED or len(others) - stamped < FEWEST_ASKED:
        return TOO_FEW
    beside = control_of(trigger, held_out)
    if beside is None:
        return NO_CONTROL
    order = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))
    few, asked = others.select(order[:stamped]), others.select(order[stamped:])
    clean = drawn(fit, BESIDE, seed)
    steps, taught = _taught(model, clean, few, trigger, target, seed=seed, device=device)
    _, other = _taught(model, clean, few, beside[1], target, seed=seed, device=device)
    rates = [
        _rate(one, asked, by, target, device)
        for one, by in ((model, trigger), (taught, trigger), (model, beside[1]), (other, beside[1]))
    ]
    before, after, control_before, control_after = rates
    if before is None or after is None or control_before is None or control_after is None:
        return Skipped("the model gets none of the samples right that it would be asked about")
    # A trigger that was never gone can't return.
    returns = after.value >= LEAST_RETURN and after.low > max(control_after.high, before.high)
    return Relearning(stamped, len(clean), steps, before, after, control_before, control_after, beside[0], returns)


def _taught(
    model: nn.Module, clean: Dataset, few: Dataset, trigger: Trigger, target: int, *, seed: int, device: str
) -> tuple[int, nn.Module]:
    """A copy that was shown the few with the trigger under the target's label, and the steps it took."""
    stamped = with_trigger(few, trigger)
    stamped = replace(stamped, labels=torch.full_like(stamped.labels, target))
    data = joined(clean, stamped)
    where = choose_device(device)
    work = Work(copy.deepcopy(model).to(where), Given(), seed, where, Meter(), unheard)
    with seeded(seed):
        epochs = tune(work, data, SHORT, stage="relearning")
    batch = SHORT.recipe(len(data)).batch_size
    return epochs * -(-len(data) // batch), work.model.to("cpu").eval()


def _rate(model: nn.Module, asked: Dataset, trigger: Trigger, target: int, device: str) -> Rate | None:
    with computing_on(model, device):
        done = flips(model, Carriers(asked.inputs, asked.labels.numpy()), trigger, target)
    return rate_of(done) if done.counted.any() else None
